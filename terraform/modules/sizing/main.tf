# How much of everything a region needs, and at which figures it grows and shrinks. No provider: it only computes, so it is tested without one.
#
# Connections: what one core carried in a measurement, divided by the safety factor (R2), times the cores of a host. A region is full at
# capacity_players (the footprint has the peak factor in it already), and a fleet that size is 80 % full, where R33 adds a host.
# Redis: moves a second over what one primary does, at most 60 % busy; a group is three hosts that share the same shards.

locals {
  zones = 3

  connections_per_host = floor(var.connections_per_core * var.host_cores / var.safety_factor)
  hosts_full           = max(local.zones, ceil(var.capacity_players / (local.connections_per_host * local.scaling.connections_high_percent / 100)))

  moves_per_second = var.capacity_players * var.playing_share / var.seconds_between_moves
  shards_wanted    = max(3, ceil(local.moves_per_second / (var.moves_per_shard_second * 0.6)))
  redis_groups     = ceil(local.shards_wanted / var.redis_shards_per_group)

  # Without client address preservation a balancer address carries 55,000 connections to one target; each zone has one, and up to 7 more.
  balancer_addresses = ceil(local.connections_per_host / (55000 * local.zones))

  # R33, once and for all; everybody else refers to these.
  scaling = {
    cpu_high_percent         = 70
    cpu_high_minutes         = 5
    memory_high_percent      = 80
    memory_high_minutes      = 3
    connections_high_percent = 80
    connections_high_minutes = 1 # R33 gives none: at once, which is one period of the alarm
    response_high_ms         = 100
    response_high_minutes    = 1
    cpu_low_percent          = 30
    connections_low_percent  = 40
    low_minutes              = 15
    grace_minutes            = 30
    track_connections        = 65 # target tracking adds hosts before the alarms have to
  }

  # What a process shows, counted on running ones. Of Prometheus: 2 bytes a sample on disk, as its documentation reckons; 8 KiB a series in memory and
  # 512 MiB beside (one with 9,555 series took 100 MB in all).
  series_of       = { edge = 450, router = 280, redis = 450, geo = 80 }
  redis_processes = 3 * local.redis_groups * var.redis_shards_per_group
  series          = ceil(local.hosts_full * 12 / 10) * var.host_cores * local.series_of.edge + 2 * local.series_of.router + local.redis_processes * local.series_of.redis + local.series_of.geo

  drain_seconds = local.scaling.grace_minutes * 60
}

locals {
  # Ports inside a region; the players' is the only one that the world reaches.
  ports = {
    player      = 443  # of the balancer
    edge        = 7443 # where it sends players: shared by all edges of a host
    health      = 7390 # the host's aggregate, asked by the balancer
    router_link = 7300 # edges, the other router, name servers
    router_peer = 7301 # routers of other regions
    admin       = 7400 # loopback; + number of the edge, + 0 for a router
    bus         = 7500 # + number of the edge
    metrics     = 9090 # of the monitor: hosts write there what they scraped of themselves
    redis       = 6400 # + number of the shard in its group; its cluster bus is 10000 above
    dns         = 53
  }
}
