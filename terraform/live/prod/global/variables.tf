variable "state_backend" {
  description = "Where the regions' states are: s3, or local for a rehearsal without a cloud."
  type        = string
  default     = "s3"

  validation {
    condition     = contains(["s3", "local"], var.state_backend)
    error_message = "state_backend: s3 or local."
  }
}
