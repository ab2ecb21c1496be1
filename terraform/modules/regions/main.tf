# Everything that Terraform knows about regions comes from here, and this knows it from the footprint file alone: names, networks, and which
# regions' routers talk to each other. No provider: it only computes.

locals {
  footprint = yamldecode(file(var.footprint_file))
  names     = [for r in local.footprint.regions : r.name]
  zones     = ["a", "b", "c"]

  # One /16 a region, cut the same way everywhere, so that any region can name any other's router networks without asking it.
  #   public 0-2 of 16: balancer, NAT, name servers      edge 4-6 of 16: edges
  #   redis 128-130 of 256      router 136-138 of 256: the only networks that other regions reach
  tiers = {
    public = { bits = 4, first = 0, first_ipv6 = 0 }
    edge   = { bits = 4, first = 4, first_ipv6 = 4 }
    redis  = { bits = 8, first = 128, first_ipv6 = 8 }
    router = { bits = 8, first = 136, first_ipv6 = 12 }
  }

  # By round trip as it is written down, itself first; where none is, behind, in the file's order. sort() knows only text.
  latency_ms = try(local.footprint.latency_ms, {})
  nearest = {
    for r in local.names : r => [
      for key in sort([
        for at, other in local.names :
        format("%06d %03d %s", r == other ? 0 : try(local.latency_ms["${r} ${other}"], local.latency_ms["${other} ${r}"], 999999), at, other)
      ]) : split(" ", key)[2]
    ]
  }

  regions = {
    for r in local.footprint.regions : r.name => {
      name             = r.name
      cloud_region     = r.cloud_region
      network_ipv4     = r.network_ipv4
      buddy            = r.buddy
      share_percent    = r.share_percent
      capacity_players = r.capacity_players
      latitude         = r.latitude
      longitude        = r.longitude
      hostname         = "${r.name}.${local.footprint.dns.zone}"
      nearest          = local.nearest[r.name]
      private_zone     = "${r.name}.${local.footprint.name}.internal"
      subnets = {
        for pair in setproduct(keys(local.tiers), range(length(local.zones))) : "${pair[0]}-${local.zones[pair[1]]}" => {
          tier      = pair[0]
          zone      = local.zones[pair[1]]
          zone_at   = pair[1]
          ipv4      = cidrsubnet(r.network_ipv4, local.tiers[pair[0]].bits, local.tiers[pair[0]].first + pair[1])
          ipv6_at   = local.tiers[pair[0]].first_ipv6 + pair[1]
          ipv6_bits = 8
        }
      }
      router_network = cidrsubnet(r.network_ipv4, 6, local.tiers.router.first / 4) # all zones' router subnets, and only those
    }
  }

  # Every pair once, the earlier region of the file asks.
  links = {
    for pair in setproduct(range(length(local.names)), range(length(local.names))) :
    "${local.names[pair[0]]}--${local.names[pair[1]]}" => { from = local.names[pair[0]], to = local.names[pair[1]] } if pair[0] < pair[1]
  }
}
