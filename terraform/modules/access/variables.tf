variable "name" {
  description = "Name of role and instance profile; roles are global, so it has the region in it."
  type        = string

  validation {
    condition     = length(var.name) <= 64
    error_message = "name: 64 characters at most."
  }
}

variable "bucket_arn" {
  description = "The region's artefact bucket."
  type        = string
}

variable "secret_arns" {
  description = "Secrets that these hosts may read."
  type        = list(string)
  default     = []
}

variable "key_arn" {
  description = "The key that those secrets are encrypted with."
  type        = string
}

variable "metrics_namespace" {
  description = "CloudWatch namespace that these hosts may write."
  type        = string
  default     = "Meridian"
}

variable "statements" {
  description = "What else they may do: sid -> actions and resources."
  type = map(object({
    actions   = list(string)
    resources = list(string)
  }))
  default = {}

  validation {
    condition     = alltrue([for s in values(var.statements) : !contains(s.actions, "*") && alltrue([for a in s.actions : !endswith(a, ":*")])])
    error_message = "statements: actions are named, not starred."
  }
}
