output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "subnets" {
  description = "Subnet ids by name (tier-zone)."
  value       = { for name, s in aws_subnet.this : name => s.id }
}

output "subnets_ipv6" {
  description = "IPv6 networks of the subnets."
  value       = { for name, s in aws_subnet.this : name => s.ipv6_cidr_block }
}

output "groups" {
  description = "Security groups: balancer, edge, router, redis, geo, monitor."
  value       = { for name, g in aws_security_group.this : name => g.id }
}

output "router_tables" {
  description = "Route tables of the routers' subnets, for routes to other regions."
  value       = { for name, s in local.inner : s.zone => aws_route_table.inner[name].id if s.tier == "router" }
}

output "private_zone_id" {
  description = "The private DNS zone."
  value       = aws_route53_zone.private.zone_id
}
