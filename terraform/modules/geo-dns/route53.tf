# The managed way: the players' name by latency, each region's own name beside it, and a check that takes a dead region out.

locals {
  families = ["A", "AAAA"]
  by_region = { for pair in setproduct(keys(local.managed), local.families) : "${pair[0]}-${pair[1]}" => {
    region = pair[0]
    type   = pair[1]
  } }
}

resource "aws_route53_zone" "this" {
  for_each = var.kind == "route53" ? { this = local.zone } : {}
  name     = each.value
  comment  = "where players find ${var.name}"
}

resource "aws_route53_health_check" "region" {
  for_each          = local.managed
  type              = "HTTPS"
  fqdn              = each.value.hostname
  port              = 443
  resource_path     = "/v1/ping"
  enable_sni        = true
  request_interval  = 10
  failure_threshold = 2
  measure_latency   = true
  tags              = { Name = "${var.name}-${each.key}" }
}

resource "aws_route53_record" "nearest" {
  for_each        = local.by_region
  zone_id         = aws_route53_zone.this["this"].zone_id
  name            = local.zone
  type            = each.value.type
  set_identifier  = each.value.region
  health_check_id = aws_route53_health_check.region[each.value.region].id

  latency_routing_policy {
    region = local.managed[each.value.region].cloud_region
  }
  alias {
    name                   = local.managed[each.value.region].balancer.dns_name
    zone_id                = local.managed[each.value.region].balancer.zone_id
    evaluate_target_health = true
  }
}

resource "aws_route53_record" "region" {
  for_each = local.by_region
  zone_id  = aws_route53_zone.this["this"].zone_id
  name     = local.managed[each.value.region].hostname
  type     = each.value.type

  alias {
    name                   = local.managed[each.value.region].balancer.dns_name
    zone_id                = local.managed[each.value.region].balancer.zone_id
    evaluate_target_health = false # the region's own name must lead there even when it is ill: that is how one looks after it
  }
}
