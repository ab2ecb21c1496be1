variable "settings_file" {
  description = "What this installation decides."
  type        = string
  default     = "settings.yaml"

  validation {
    condition     = can(yamldecode(file(var.settings_file)).account_id)
    error_message = "settings_file: not a YAML file with an account_id."
  }
}
