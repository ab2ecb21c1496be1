output "metrics_url" {
  description = "Where hosts write their metrics."
  value       = "http://${local.hostname}:${var.port}/api/v1/write"
}

output "instance" {
  description = "The host."
  value       = aws_instance.this.id
}
