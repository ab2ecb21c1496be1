variable "kind" {
  description = "gdnsd: name servers of ours. route53: latency records."
  type        = string

  validation {
    condition     = contains(["gdnsd", "route53"], var.kind)
    error_message = "kind: gdnsd or route53."
  }
}

variable "name" {
  description = "Prefix of names."
  type        = string
}

variable "dns" {
  description = "Zone and time to live (footprint)."
  type        = object({ zone = string, ttl_seconds = number })

  validation {
    condition     = length(split(".", var.dns.zone)) >= 2
    error_message = "dns.zone: a name below another zone, which delegates it."
  }
}

variable "footprint" {
  description = "The footprint as it was read."
  type        = any
}

variable "regions" {
  description = "By name: where players and name servers are."
  type = map(object({
    cloud_region = string
    hostname     = string
    ipv4         = list(string)
    ipv6         = list(string)
    balancer     = object({ dns_name = string, zone_id = string, arn_suffix = string })
    host = object({
      subnet_id   = string
      group       = string
      bucket      = string
      bucket_arn  = string
      key_arn     = string
      routers     = list(string)
      image_id    = string
      metrics_url = string
      logs        = optional(object({ url = string, user = string, authority = string, secret = object({ name = string, arn = string }) }))
    })
  }))
}

variable "parent_zone_id" {
  description = "Hosted zone above ours, if it is in this account; empty: delegated elsewhere, by hand."
  type        = string
  default     = ""
}

variable "release" {
  description = "Version of our packages."
  type        = string
}

variable "instance_type" {
  description = "Type of the name servers' hosts."
  type        = string
  default     = "c7i.large"
}
