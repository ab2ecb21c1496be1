output "client" {
  description = "Some nodes (clients learn the rest), and what an acknowledgement means."
  value = {
    nodes      = [for host in slice(local.host_list, 0, min(12, length(local.host_list))) : "redis-${host}.${var.private_zone}:${var.ports.redis}"]
    user       = ""
    durability = "all"
    replicas   = var.size.replicas
  }
}

output "instances" {
  description = "Instances by name."
  value       = { for name, i in aws_instance.this : name => i.id }
}
