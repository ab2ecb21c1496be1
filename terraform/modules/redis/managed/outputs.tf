output "client" {
  description = "Where clients begin, and what an acknowledgement means."
  value = {
    nodes      = ["${aws_elasticache_replication_group.this.configuration_endpoint_address}:${var.port}"]
    user       = aws_elasticache_user.meridian.user_name
    durability = "one"
    replicas   = 2
  }
}
