variable "name" {
  description = "Prefix of names, for example meridian-us-east."
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

variable "subnets" {
  description = "Zone -> subnet of the router there."
  type        = map(object({ id = string, ipv4 = string }))

  validation {
    condition     = length(var.subnets) == 2
    error_message = "subnets: a region has two routers, in different zones."
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

variable "instance_type" {
  description = "Type of the router hosts."
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

variable "redis" {
  description = "How to reach Redis, and what an acknowledgement means there."
  type        = object({ nodes = list(string), user = string, durability = string, replicas = number })
}

variable "peers" {
  description = "Routers of the other regions: \"REGION ADDRESS:PORT\" each. None: a region alone."
  type        = list(string)
  default     = []
}

variable "settings" {
  description = "More keys of the routers' configuration, or other values."
  type        = any
  default     = {}
}

variable "watch" {
  description = "Where metrics go, and of which region they are."
  type        = object({ url = string, region = string })
}
