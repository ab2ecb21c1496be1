variable "home_region" {
  description = "The provider's region in which what has no region is kept."
  type        = string
}

variable "footprint" {
  description = "Outputs of the regions module."
  type = object({
    name     = string
    dns      = object({ zone = string, ttl_seconds = number })
    regions  = any
    links    = map(object({ from = string, to = string }))
    document = any
  })
}

variable "regions" {
  description = "Outputs of the region roots, by name; they need not have been applied with the same settings."
  type = map(object({
    link = object({ vpc_id = string, router_tables = map(string) })
    players = object({
      ipv4     = list(string)
      ipv6     = list(string)
      balancer = object({ dns_name = string, zone_id = string, arn_suffix = string })
    })
    name_server = object({
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

  validation {
    condition     = sort(keys(var.regions)) == sort(keys(var.footprint.regions))
    error_message = "regions: every region of the footprint, and no other, must have been applied."
  }
}

variable "settings" {
  description = "What an environment decides; live/<env>/environment.yaml holds it."
  type = object({
    account_id     = string
    release        = string
    dns            = optional(string, "gdnsd")
    parent_zone_id = optional(string, "")
  })
}
