output "addresses_ipv4" {
  description = "The balancer's fixed addresses, by zone."
  value       = { for zone, e in aws_eip.this : zone => e.public_ip }
}

output "addresses_ipv6" {
  description = "The balancer's fixed addresses, by zone."
  value       = { for zone, s in var.public_subnets : zone => cidrhost(s.ipv6, 256) }
}

output "balancer" {
  description = "DNS name and zone of the balancer, for alias records; its metrics' dimension."
  value       = { dns_name = aws_lb.this.dns_name, zone_id = aws_lb.this.zone_id, arn_suffix = aws_lb.this.arn_suffix }
}

output "group" {
  description = "Name of the auto-scaling group."
  value       = aws_autoscaling_group.this.name
}

output "hook_seconds" {
  description = "How long a host may take to leave."
  value       = var.drain.hook_seconds
}
