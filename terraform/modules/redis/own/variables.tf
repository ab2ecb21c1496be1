variable "name" {
  description = "Prefix of names."
  type        = string
}

variable "cloud_region" {
  description = "The provider's region."
  type        = string
}

variable "subnets" {
  description = "Zone -> subnet of the nodes there."
  type        = map(object({ id = string, ipv4 = string, zone = string }))
}

variable "group" {
  description = "Security group of the nodes."
  type        = string
}

variable "ports" {
  description = "Ports of a region (sizing)."
  type        = map(number)
}

variable "private_zone" {
  description = "Name of the private DNS zone; the nodes' certificate is made out to *.NAME."
  type        = string
}

variable "private_zone_id" {
  description = "The private DNS zone."
  type        = string
}

variable "hosts" {
  description = "What every host of the region is made of: image (Debian 12), release and bucket of our packages, key of secrets and disks; and where its log lines go (modules/host; null: nowhere)."
  type = object({
    image_id = string
    release  = string
    bucket   = object({ name = string, arn = string })
    key_arn  = string
    logs = optional(object({
      url       = string
      user      = string
      authority = string
      secret    = object({ name = string, arn = string })
    }))
  })
}

variable "secrets" {
  description = "Secrets by file name."
  type        = map(object({ name = string, arn = string }))
}

variable "size" {
  description = "Groups of three hosts and shards on each (sizing)."
  type        = object({ groups = number, shards_per_group = number, shards = number, replicas = number })

  validation {
    condition     = var.size.groups >= 1 && var.size.groups <= 200
    error_message = "size: 1 to 200 groups; a zone's subnet has 251 addresses."
  }
}

variable "instance_type" {
  description = "Type of the hosts."
  type        = string
}

variable "memory_mib" {
  description = "maxmemory of one process; all of a host's together stay below half of its memory (copies while the file is rewritten)."
  type        = number
}

variable "volume_gib" {
  description = "Disk of a host."
  type        = number
}

variable "watch" {
  description = "Where metrics go, and of which region they are."
  type        = object({ url = string, region = string })
}
