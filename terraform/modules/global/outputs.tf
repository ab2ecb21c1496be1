output "names" {
  description = "Every name that players use."
  value       = module.geo_dns.names
}

output "name_servers" {
  description = "What the parent zone must say."
  value       = module.geo_dns.name_servers
}

output "links" {
  description = "Peerings between regions."
  value       = { for name, p in aws_vpc_peering_connection.this : name => p.id }
}

output "registries" {
  description = "Where images are pushed."
  value       = { for name, r in aws_ecr_repository.this : name => r.repository_url }
}
