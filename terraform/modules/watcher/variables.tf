variable "region" {
  description = "Our name of what is watched."
  type        = string
}

variable "cloud_region" {
  description = "The provider's region."
  type        = string
}

variable "topic" {
  description = "Where alerts go."
  type        = string
}

variable "key_arn" {
  description = "Key of that topic."
  type        = string
}

variable "watchdog_url" {
  description = "Takes a call a minute while alerting works, and cries when none comes; empty: nobody notices."
  type        = string
  default     = ""

  validation {
    condition     = var.watchdog_url == "" || startswith(var.watchdog_url, "https://")
    error_message = "watchdog_url: https://, or empty."
  }
}

variable "listen" {
  description = "Where Prometheus answers."
  type        = string
}

variable "retention_days" {
  description = "Days for which it keeps what it knows."
  type        = number
}

variable "options" {
  description = "More of Prometheus' options."
  type        = list(string)
  default     = []
}
