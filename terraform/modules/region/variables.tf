variable "region" {
  description = "Name of the region in the footprint."
  type        = string

  validation {
    condition     = contains(keys(var.footprint.regions), var.region)
    error_message = "region: the footprint has none of this name; the folder of a live root is named after its region."
  }
}

variable "footprint" {
  description = "Outputs of the regions module."
  type = object({
    name    = string
    dns     = object({ zone = string, ttl_seconds = number })
    regions = any
  })
}

variable "settings" {
  description = "What an environment decides; live/<env>/environment.yaml holds it. Defaults are those of production."
  type = object({
    account_id             = string
    release                = string
    image_id               = optional(string, "")
    dns                    = optional(string, "gdnsd")
    redis                  = optional(string, "own")
    alarm_mail             = optional(list(string), [])
    token                  = object({ issuer = string, audience = string, guests = bool })
    edge_instance_type     = optional(string, "c7i.4xlarge")
    edge_host_cores        = optional(number, 16)
    router_instance_type   = optional(string, "c7i.large")
    warm_hosts             = optional(number, 1)
    sticky                 = optional(bool, true)
    deletion_protection    = optional(bool, true)
    connections_per_core   = optional(number, 20000)
    safety_factor          = optional(number, 2)
    quiet_share            = optional(number, 0.25)
    playing_share          = optional(number, 0.3)
    seconds_between_moves  = optional(number, 10)
    moves_per_shard_second = optional(number, 3200)
    redis_shards_per_group = optional(number, 6)
    redis_own              = optional(object({ instance_type = string, memory_mib = number, volume_gib = number }), { instance_type = "r7i.2xlarge", memory_mib = 4096, volume_gib = 200 })
    redis_managed          = optional(object({ node_type = string }), { node_type = "cache.r7g.large" })
    monitor                = optional(object({ instance_type = string, memory_mib = number }), { instance_type = "r7i.large", memory_mib = 16384 })
    metrics_days           = optional(number, 15)
    watchdog_url           = optional(string, "")
    logs                   = optional(object({ url = optional(string, ""), user = optional(string, ""), authority = optional(string, "") }), {})
    edge                   = optional(any, {})
    router                 = optional(any, {})
  })

  validation {
    condition     = can(regex("^[0-9]{12}$", var.settings.account_id))
    error_message = "settings.account_id: twelve digits."
  }
  validation {
    condition     = contains(["gdnsd", "route53"], var.settings.dns)
    error_message = "settings.dns: gdnsd or route53."
  }
  validation {
    condition     = var.settings.logs.url == "" || var.settings.logs.user != ""
    error_message = "settings.logs: as which user of Elasticsearch?"
  }
}
