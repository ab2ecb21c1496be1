output "client" {
  description = "Where clients begin, and what an acknowledgement means."
  value = {
    nodes      = ["${aws_elasticache_replication_group.this.configuration_endpoint_address}:${var.port}"]
    user       = aws_elasticache_user.meridian.user_name
    durability = "one"
    replicas   = 2
  }
}

output "nodes" {
  description = "Names of its nodes, which ElastiCache makes of shard and place in it."
  value       = [for pair in setproduct(range(1, var.shards + 1), range(1, local.nodes_of_shard + 1)) : format("%s-%04d-%03d", local.id, pair[0], pair[1])]
}
