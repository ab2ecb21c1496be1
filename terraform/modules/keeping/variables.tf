variable "name" {
  description = "Prefix of names, for example meridian-us-east."
  type        = string
}

variable "cloud_region" {
  description = "The provider's region."
  type        = string
}

variable "account_id" {
  description = "AWS account; bucket names are the world's, so it is in them."
  type        = string
}

variable "secret_prefix" {
  description = "Secrets are named PREFIX/FILE."
  type        = string
}

variable "secret_files" {
  description = "File below /etc/meridian/secrets -> what it is. Values are put there by people or by a pipeline, never by Terraform: its state would hold them."
  type        = map(string)
}

variable "alarm_mail" {
  description = "Who is told of alarms."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for m in var.alarm_mail : can(regex("^[^@ ]+@[^@ ]+$", m))])
    error_message = "alarm_mail: addresses."
  }
}
