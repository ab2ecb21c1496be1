# The players' door: TCP passed through, TLS ended at the edge, four addresses that never change (two a zone of each family).
#
# Client addresses come in the PROXY protocol's header, not as the packets' source: preserving the source does not work for IPv6 players in
# front of IPv4 targets. The price is 55,000 connections for each pair of balancer address and host, so the balancer takes more addresses inside
# when hosts are large (sizing).
#
# Nothing here closes a socket: not a host that leaves the group, not one that fails its health check. Players are sent away by the edge, each at
# a time of his own.

resource "aws_eip" "this" {
  for_each = var.public_subnets
  region   = var.cloud_region
  domain   = "vpc"
  tags     = { Name = "${var.name}-${each.key}" }

  lifecycle {
    prevent_destroy = false # name servers and clients know these: see README, "Taking a region away"
  }
}

resource "aws_lb" "this" {
  region                                 = var.cloud_region
  name                                   = local.group
  load_balancer_type                     = "network"
  internal                               = false
  ip_address_type                        = "dualstack"
  enable_cross_zone_load_balancing       = true
  enable_deletion_protection             = var.deletion_protection
  security_groups                        = [var.groups.balancer]
  secondary_ips_auto_assigned_per_subnet = var.balancer.secondary_addresses > 0 ? var.balancer.secondary_addresses : null

  dynamic "subnet_mapping" {
    for_each = var.public_subnets
    content {
      subnet_id     = subnet_mapping.value.id
      allocation_id = aws_eip.this[subnet_mapping.key].id
      ipv6_address  = cidrhost(subnet_mapping.value.ipv6, 256)
    }
  }
}

resource "aws_lb_target_group" "this" {
  region                 = var.cloud_region
  name                   = local.group
  port                   = var.ports.edge
  protocol               = "TCP"
  target_type            = "instance"
  vpc_id                 = var.vpc_id
  proxy_protocol_v2      = true
  preserve_client_ip     = "false"
  deregistration_delay   = tostring(var.drain.deregister_seconds)
  connection_termination = false

  stickiness {
    enabled = var.sticky
    type    = "source_ip"
  }
  health_check {
    protocol            = "HTTP"
    path                = "/readyz"
    port                = tostring(var.ports.health)
    interval            = 10
    timeout             = 6
    healthy_threshold   = 2
    unhealthy_threshold = 2
    matcher             = "200"
  }
  target_health_state {
    enable_unhealthy_connection_termination = false
    unhealthy_draining_interval             = var.drain.deregister_seconds
  }
}

resource "aws_lb_listener" "this" {
  region                   = var.cloud_region
  load_balancer_arn        = aws_lb.this.arn
  port                     = var.ports.player
  protocol                 = "TCP"
  tcp_idle_timeout_seconds = 600 # an edge pings every 30 s; this only has to be longer than its 90 s of patience

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this.arn
  }
}
