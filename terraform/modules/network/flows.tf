# Who may speak with whom: the one table. Everything else is closed; there is no SSH.

locals {
  ports      = var.ports
  redis_last = local.ports.redis + var.redis_ports - 1
  bus_last   = local.ports.bus + var.edges_per_host

  groups = {
    balancer = "players in, edges out"
    edge     = "edges"
    router   = "region routers"
    redis    = "Redis Cluster"
    geo      = "name servers and the agent that steers them"
    monitor  = "Prometheus and Alertmanager"
  }

  # from -> to, ports
  flows = {
    "balancer-to-edge"        = { from = "balancer", to = "edge", first = local.ports.edge, last = local.ports.edge, why = "players" }
    "balancer-to-edge-health" = { from = "balancer", to = "edge", first = local.ports.health, last = local.ports.health, why = "health of the host" }
    "edge-to-edge"            = { from = "edge", to = "edge", first = local.ports.bus + 1, last = local.bus_last, why = "the bus" }
    "edge-to-router"          = { from = "edge", to = "router", first = local.ports.router_link, last = local.ports.router_link, why = "matchmaking" }
    "edge-to-redis"           = { from = "edge", to = "redis", first = local.ports.redis, last = local.redis_last, why = "games" }
    "router-to-redis"         = { from = "router", to = "redis", first = local.ports.redis, last = local.redis_last, why = "lease, claims" }
    "redis-to-redis"          = { from = "redis", to = "redis", first = local.ports.redis, last = local.redis_last, why = "replication" }
    "redis-to-redis-bus"      = { from = "redis", to = "redis", first = local.ports.redis + 10000, last = local.redis_last + 10000, why = "cluster bus" }
    "geo-to-router"           = { from = "geo", to = "router", first = local.ports.router_link, last = local.ports.router_link, why = "reports of the regions" }
    "edge-to-monitor"         = { from = "edge", to = "monitor", first = local.ports.metrics, last = local.ports.metrics, why = "metrics" }
    "router-to-monitor"       = { from = "router", to = "monitor", first = local.ports.metrics, last = local.ports.metrics, why = "metrics" }
    "redis-to-monitor"        = { from = "redis", to = "monitor", first = local.ports.metrics, last = local.ports.metrics, why = "metrics" }
    "geo-to-monitor"          = { from = "geo", to = "monitor", first = local.ports.metrics, last = local.ports.metrics, why = "metrics" }
  }

  # What the world may reach, and where.
  world = { ipv4 = "0.0.0.0/0", ipv6 = "::/0" }
  open = merge(
    { for v, net in local.world : "player-${v}" => { to = "balancer", net = net, protocol = "tcp", port = local.ports.player } if var.open_player_port },
    { for v, net in local.world : "dns-udp-${v}" => { to = "geo", net = net, protocol = "udp", port = local.ports.dns } if var.open_dns_port },
    { for v, net in local.world : "dns-tcp-${v}" => { to = "geo", net = net, protocol = "tcp", port = local.ports.dns } if var.open_dns_port },
  )

  # Packages, AWS' interfaces and Elasticsearch, over NAT or the outward gateway.
  logs_ports = [for port in flatten(regexall(":([0-9]+)$", var.logs_url)) : tonumber(port)]
  outward = { for way in setproduct(["edge", "router", "redis", "geo", "monitor"], keys(local.world), distinct(concat([80, 443], local.logs_ports))) : "${way[0]}-${way[1]}-${way[2]}" => {
    from = way[0], net = local.world[way[1]], port = tonumber(way[2])
  } if way[0] != "monitor" || contains([80, 443], tonumber(way[2])) }
}

resource "aws_security_group" "this" {
  for_each    = local.groups
  region      = var.cloud_region
  name        = "${var.name}-${each.key}"
  description = each.value
  vpc_id      = aws_vpc.this.id
  tags        = { Name = "${var.name}-${each.key}" }
}

resource "aws_vpc_security_group_ingress_rule" "flow" {
  for_each                     = local.flows
  region                       = var.cloud_region
  security_group_id            = aws_security_group.this[each.value.to].id
  referenced_security_group_id = aws_security_group.this[each.value.from].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.first
  to_port                      = each.value.last
  description                  = "${each.key}: ${each.value.why}"
  tags                         = { Name = each.key, group = each.value.to }
}

resource "aws_vpc_security_group_egress_rule" "flow" {
  for_each                     = local.flows
  region                       = var.cloud_region
  security_group_id            = aws_security_group.this[each.value.from].id
  referenced_security_group_id = aws_security_group.this[each.value.to].id
  ip_protocol                  = "tcp"
  from_port                    = each.value.first
  to_port                      = each.value.last
  description                  = "${each.key}: ${each.value.why}"
}

resource "aws_vpc_security_group_ingress_rule" "open" {
  for_each          = local.open
  region            = var.cloud_region
  security_group_id = aws_security_group.this[each.value.to].id
  cidr_ipv4         = strcontains(each.value.net, ":") ? null : each.value.net
  cidr_ipv6         = strcontains(each.value.net, ":") ? each.value.net : null
  ip_protocol       = each.value.protocol
  from_port         = each.value.port
  to_port           = each.value.port
  description       = "${each.key}: open to the world"
  tags              = { Name = each.key, group = each.value.to }
}

resource "aws_vpc_security_group_egress_rule" "outward" {
  for_each          = local.outward
  region            = var.cloud_region
  security_group_id = aws_security_group.this[each.value.from].id
  cidr_ipv4         = strcontains(each.value.net, ":") ? null : each.value.net
  cidr_ipv6         = strcontains(each.value.net, ":") ? each.value.net : null
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
  description       = "${each.key}: packages, AWS interfaces, logs"
}

# Routers of other regions: their router networks, our router port, both ways.
resource "aws_vpc_security_group_ingress_rule" "peer" {
  for_each          = toset(var.peer_router_networks)
  region            = var.cloud_region
  security_group_id = aws_security_group.this["router"].id
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = local.ports.router_peer
  to_port           = local.ports.router_peer
  description       = "routers of another region"
  tags              = { Name = "peer", group = "router" }
}

resource "aws_vpc_security_group_egress_rule" "peer" {
  for_each          = toset(var.peer_router_networks)
  region            = var.cloud_region
  security_group_id = aws_security_group.this["router"].id
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = local.ports.router_peer
  to_port           = local.ports.router_peer
  description       = "routers of another region"
}
