variable "name" {
  description = "Prefix of names."
  type        = string
}

variable "region" {
  description = "Our name of the region."
  type        = string
}

variable "cloud_region" {
  description = "The provider's region."
  type        = string
}

variable "subnet" {
  description = "Where it stands: a private subnet."
  type        = object({ id = string, zone = string })
}

variable "group" {
  description = "Its security group."
  type        = string
}

variable "port" {
  description = "Where hosts write their metrics."
  type        = number
}

variable "private_zone" {
  description = "Name of the private DNS zone."
  type        = string
}

variable "private_zone_id" {
  description = "The private DNS zone."
  type        = string
}

variable "instance_type" {
  description = "Type of the host."
  type        = string
}

variable "memory_mib" {
  description = "What that type has."
  type        = number
}

variable "size" {
  description = "What the region shows, and what that takes (sizing)."
  type        = object({ series = number, retention_days = number, memory_mib = number, volume_gib = number })
}

variable "image_id" {
  description = "Debian 12 image."
  type        = string
}

variable "release" {
  description = "Version of our packages."
  type        = string
}

variable "bucket" {
  description = "Artefact bucket."
  type        = string
}

variable "bucket_arn" {
  description = "Artefact bucket."
  type        = string
}

variable "key_arn" {
  description = "Key of disks and of the topic."
  type        = string
}

variable "topic" {
  description = "Where alerts go."
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
