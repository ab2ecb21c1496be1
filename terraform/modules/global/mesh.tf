# Peering between every pair of regions, for the routers' links alone: only route tables of router subnets know the way, it leads to the other
# region's router subnets only, and the routers' security group lets one port in (network/flows.tf). The links are mutual TLS on top.

locals {
  ways = merge([
    for name, link in var.footprint.links : {
      for way in [{ from = link.from, to = link.to }, { from = link.to, to = link.from }] : "${name}:${way.from}" => merge(way, { link = name })
    }
  ]...)
  routes = merge([
    for key, way in local.ways : {
      for zone in ["a", "b", "c"] : "${key}-${zone}" => merge(way, { zone = zone })
    }
  ]...)
}

resource "aws_vpc_peering_connection" "this" {
  for_each    = var.footprint.links
  region      = var.footprint.regions[each.value.from].cloud_region
  vpc_id      = var.regions[each.value.from].link.vpc_id
  peer_vpc_id = var.regions[each.value.to].link.vpc_id
  peer_region = var.footprint.regions[each.value.to].cloud_region
  auto_accept = false
  tags        = { Name = "${var.footprint.name}-${each.key}" }
}

resource "aws_vpc_peering_connection_accepter" "this" {
  for_each                  = var.footprint.links
  region                    = var.footprint.regions[each.value.to].cloud_region
  vpc_peering_connection_id = aws_vpc_peering_connection.this[each.key].id
  auto_accept               = true
  tags                      = { Name = "${var.footprint.name}-${each.key}" }
}

resource "aws_route" "peer" {
  for_each                  = local.routes
  region                    = var.footprint.regions[each.value.from].cloud_region
  route_table_id            = var.regions[each.value.from].link.router_tables[each.value.zone]
  destination_cidr_block    = var.footprint.regions[each.value.to].router_network
  vpc_peering_connection_id = aws_vpc_peering_connection_accepter.this[each.value.link].vpc_peering_connection_id
}
