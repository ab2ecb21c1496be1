variable "kind" {
  description = "own: hosts of ours, the full promise. managed: ElastiCache for Valkey, a weaker one (main.tf says which)."
  type        = string
  default     = "own"

  validation {
    condition     = contains(["own", "managed"], var.kind)
    error_message = "kind: own or managed."
  }
}

variable "name" {
  description = "Prefix of names, for example meridian-us-east."
  type        = string
}

variable "cloud_region" {
  description = "The provider's region."
  type        = string
}

variable "subnets" {
  description = "Zone -> subnet of the nodes there."
  type        = map(object({ id = string, ipv4 = string, zone = string }))

  validation {
    condition     = length(var.subnets) == 3
    error_message = "subnets: primary and both replicas of a shard stand in three zones."
  }
}

variable "groups" {
  description = "Security groups."
  type        = map(string)
}

variable "ports" {
  description = "Ports of a region (sizing)."
  type        = map(number)
}

variable "private_zone" {
  description = "Name of the private DNS zone."
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
}

variable "own" {
  description = "Hosts of ours: type, memory of one process, disk."
  type        = object({ instance_type = string, memory_mib = number, volume_gib = number })
  default     = { instance_type = "r7i.2xlarge", memory_mib = 4096, volume_gib = 200 }
}

variable "managed" {
  description = "ElastiCache: type of the nodes."
  type        = object({ node_type = string })
  default     = { node_type = "cache.r7g.large" }
}

variable "watch" {
  description = "Where metrics go, and of which region they are."
  type        = object({ url = string, region = string })
}
