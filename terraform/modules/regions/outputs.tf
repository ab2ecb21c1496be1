output "name" {
  description = "Prefix of everything that is made."
  value       = local.footprint.name

  precondition {
    condition     = can(regex("^[a-z][a-z0-9-]{0,15}$", local.footprint.name))
    error_message = "footprint: name must be a DNS label of at most 16 characters, balancers' names have 32 in all."
  }
}

output "dns" {
  description = "Zone and time to live of the players' names."
  value       = local.footprint.dns

  precondition {
    condition     = local.footprint.dns.ttl_seconds >= 10
    error_message = "footprint: dns.ttl_seconds must be 10 or more."
  }
}

output "regions" {
  description = "By name: cloud region, networks, names, share, capacity, buddy."
  value       = local.regions

  precondition {
    condition     = length(distinct(local.names)) == length(local.names) && alltrue([for n in local.names : can(regex("^[a-z][a-z0-9-]{0,9}$", n))])
    error_message = "footprint: names of regions must be different DNS labels of at most 10 characters."
  }
  precondition {
    condition     = sum([for r in local.regions : r.share_percent]) == 100
    error_message = "footprint: the regions' share_percent must sum to 100."
  }
  precondition {
    condition     = alltrue([for r in local.regions : r.buddy != r.name && contains(local.names, r.buddy)]) || length(local.names) == 1
    error_message = "footprint: every region's buddy must be another region of the footprint."
  }
  precondition {
    condition     = alltrue([for r in local.regions : can(regex("/16$", r.network_ipv4))])
    error_message = "footprint: network_ipv4 must be a /16."
  }
  precondition {
    condition     = length(distinct([for r in local.regions : cidrhost(r.network_ipv4, 0)])) == length(local.names)
    error_message = "footprint: two regions have the same network_ipv4."
  }
  precondition {
    condition     = length(distinct([for r in local.regions : r.cloud_region])) == length(local.names)
    error_message = "footprint: two regions are in the same cloud_region."
  }
}

output "links" {
  description = "Full mesh of the routers' links: every pair of regions once."
  value       = local.links
}

output "document" {
  description = "The footprint as it was read, for those who hand it on."
  value       = local.footprint
}
