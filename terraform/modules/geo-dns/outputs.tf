output "name_servers" {
  description = "What the parent zone must say: name server -> address (gdnsd), or the zone's own name servers (route53)."
  value = {
    addresses = { for name, e in aws_eip.this : local.servers[name] => e.public_ip }
    managed   = flatten([for z in aws_route53_zone.this : z.name_servers])
  }
}

output "names" {
  description = "Every name that players use."
  value       = concat([local.zone], [for r in var.regions : r.hostname])
}
