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

variable "hosts" {
  description = "What every host of the region is made of: image (Debian 12), release and bucket of our packages, key of secrets and disks."
  type = object({
    image_id = string
    release  = string
    bucket   = object({ name = string, arn = string })
    key_arn  = string
  })
}

variable "topic" {
  description = "Where alerts go."
  type        = string
}

variable "watchdog_url" {
  description = "Takes a call a minute while alerting works, and cries when none comes; empty: nobody notices."
  type        = string
  default     = ""
}
