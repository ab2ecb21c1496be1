output "links" {
  description = "Link addresses of the routers."
  value       = [for zone, name in local.hostname : "${name}:${var.ports.router_link}"]
}

output "instances" {
  description = "Instances by zone."
  value       = { for zone, i in aws_instance.this : zone => i.id }
}
