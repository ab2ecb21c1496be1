output "fleet" {
  description = "Edge hosts: least, most, connections of one, and what a full region runs on."
  value = {
    min_hosts            = max(local.zones, ceil(local.hosts_full * var.quiet_share))
    full_hosts           = local.hosts_full
    max_hosts            = ceil(local.hosts_full * 12 / 10) + 1 # a region that takes over its buddy's players, and one for an instance refresh
    connections_per_host = local.connections_per_host
    connections_per_edge = floor(local.connections_per_host / var.host_cores)
    edges_per_host       = var.host_cores
  }
}

output "balancer" {
  description = "Addresses that the balancer needs beyond its first in each zone."
  value       = { secondary_addresses = local.balancer_addresses - 1 }

  precondition {
    condition     = local.balancer_addresses <= 8
    error_message = "sizing: one host would carry more connections than a balancer's addresses can reach (8 a zone, 55,000 each): use smaller hosts."
  }
}

output "redis" {
  description = "Groups of three hosts and the shards on each."
  value = {
    groups           = local.redis_groups
    shards_per_group = var.redis_shards_per_group
    shards           = local.redis_groups * var.redis_shards_per_group
    replicas         = 2
    moves_per_second = ceil(local.moves_per_second)
  }
}

output "monitor" {
  description = "Prometheus of the region: series at its fullest, what they take in memory and, for the days they are kept, on disk (half of it left free)."
  value = {
    series         = local.series
    retention_days = var.metrics_days
    memory_mib     = ceil(local.series * 8 / 1024) + 512
    volume_gib     = max(10, ceil(local.series / 15 * 86400 * var.metrics_days * 2 * 2 / pow(1024, 3)))
  }
}

output "scaling" {
  description = "R33's figures."
  value       = local.scaling
}

output "drain" {
  description = "How long a host may take to leave, and how long everybody must let it."
  value = {
    seconds            = local.drain_seconds
    hook_seconds       = local.drain_seconds + 300 # the edges' own deadline first, then the agent's, then the group's
    deregister_seconds = min(3600, local.drain_seconds)
  }
}

output "ports" {
  description = "Ports of a region."
  value       = local.ports
}
