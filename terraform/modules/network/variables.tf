variable "name" {
  description = "Prefix of names, for example meridian-us-east."
  type        = string
}

variable "cloud_region" {
  description = "The provider's region."
  type        = string
}

variable "network_ipv4" {
  description = "The region's /16."
  type        = string

  validation {
    condition     = can(cidrhost(var.network_ipv4, 0)) && endswith(var.network_ipv4, "/16")
    error_message = "network_ipv4: a /16."
  }
}

variable "subnets" {
  description = "Subnets by name (tier-zone), as the regions module computes them."
  type = map(object({
    tier      = string
    zone      = string
    zone_at   = number
    ipv4      = string
    ipv6_at   = number
    ipv6_bits = number
  }))
}

variable "tiers" {
  description = "Tiers that exist."
  type        = set(string)
  default     = ["public", "edge", "redis", "router"]
}

variable "zones" {
  description = "Zones that are used."
  type        = set(string)
  default     = ["a", "b", "c"]
}

variable "nat" {
  description = "Whether the inner tiers get out over IPv4."
  type        = bool
  default     = true
}

variable "private_zone" {
  description = "Name of the private DNS zone."
  type        = string
}

variable "ports" {
  description = "Ports of a region, as the sizing module names them."
  type = object({
    player      = number
    edge        = number
    health      = number
    router_link = number
    router_peer = number
    admin       = number
    bus         = number
    metrics     = number
    redis       = number
    dns         = number
  })
}

variable "edges_per_host" {
  description = "Edge processes of a host: as many bus ports."
  type        = number
}

variable "redis_ports" {
  description = "Redis processes of a host: as many ports."
  type        = number
}

variable "open_player_port" {
  description = "Whether the world may reach the players' port."
  type        = bool
  default     = true
}

variable "open_dns_port" {
  description = "Whether name servers of ours stand in this region."
  type        = bool
  default     = false
}

variable "logs_url" {
  description = "Elasticsearch that hosts write their lines to, with its port; empty: none."
  type        = string
  default     = ""
}

variable "peer_router_networks" {
  description = "Router networks of the other regions."
  type        = list(string)
  default     = []
}
