variable "footprint_file" {
  description = "Path of geo/footprint.yaml."
  type        = string

  validation {
    condition     = can(yamldecode(file(var.footprint_file)).regions)
    error_message = "footprint_file: not a YAML file with a list of regions."
  }
}
