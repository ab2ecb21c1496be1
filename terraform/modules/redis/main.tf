# The region's Redis Cluster, one of two ways (var.kind):
#
#   own       hosts of ours. The full promise: a move counts when the primary and every electable replica have it, a lost replica is taken out
#             of the electable set by the routers' leader, every node keeps an append-only file on a disk that outlives its host.
#   managed   ElastiCache for Valkey. Less to run, and a weaker promise: no append-only file, so what primary and replica lose together is gone;
#             and no electable set, because no cluster membership can be changed by us, so a move counts with ONE replica. What only a cut-off pair
#             of primary and replica had acknowledged can be lost in a failover.

module "own" {
  source   = "./own"
  for_each = var.kind == "own" ? { this = var.own } : {}

  name            = var.name
  cloud_region    = var.cloud_region
  subnets         = var.subnets
  group           = var.groups.redis
  ports           = var.ports
  private_zone    = var.private_zone
  private_zone_id = var.private_zone_id
  hosts           = var.hosts
  secrets         = var.secrets
  size            = var.size
  watch           = var.watch
  instance_type   = each.value.instance_type
  memory_mib      = each.value.memory_mib
  volume_gib      = each.value.volume_gib
}

module "managed" {
  source   = "./managed"
  for_each = var.kind == "managed" ? { this = var.managed } : {}

  name         = var.name
  cloud_region = var.cloud_region
  subnet_ids   = [for s in var.subnets : s.id]
  group        = var.groups.redis
  port         = var.ports.redis
  key_arn      = var.hosts.key_arn
  shards       = var.size.shards
  node_type    = each.value.node_type
}
