# Who answers the players' names, one of two ways (var.kind); never both, or two sources would say where a region is.
#
#   gdnsd     name servers of ours, one a region, with a fixed address each and the agent (meridian-geo) that steers them: overload, drains,
#             maps and overrides of the footprint.
#   route53   latency records with health checks. Nothing to run; it moves players away from a region that fails its check, and cannot shed load.

locals {
  own     = var.kind == "gdnsd" ? var.regions : {}
  managed = var.kind == "route53" ? var.regions : {}
  zone    = var.dns.zone

  # The servers' names lie beside our zone, not in it: they must resolve before it can.
  parent  = join(".", slice(split(".", local.zone), 1, length(split(".", local.zone))))
  servers = { for name in keys(local.own) : name => "ns-${name}.${local.parent}" }

  # The footprint as it really is: with the addresses that the regions' balancers got.
  footprint = merge(var.footprint, {
    regions = [for r in var.footprint.regions : merge(r, { addresses = concat(var.regions[r.name].ipv4, var.regions[r.name].ipv6) })]
  })
}

module "access" {
  for_each    = local.own
  source      = "../access"
  name        = "${var.name}-${each.key}-geo"
  bucket_arn  = each.value.host.bucket_arn
  secret_arns = each.value.host.logs[*].secret.arn
  key_arn     = each.value.host.key_arn
}

module "host" {
  for_each     = local.own
  source       = "../host"
  cloud_region = each.value.cloud_region
  bucket       = each.value.host.bucket
  release      = var.release
  packages     = ["meridian-geo"]
  tools        = ["gdnsd"]
  units        = ["gdnsd.service", "meridian-geo.service"]
  logs         = each.value.host.logs
  environment  = { REGION = each.key, ROUTERS = join(",", each.value.host.routers), NAME_SERVERS = join(" ", values(local.servers)) }
  watch = {
    url     = each.value.host.metrics_url
    region  = each.key
    targets = { geo = { address = "127.0.0.1:@ADMIN_PORT@", labels = { instance = "geo-${each.key}" } } }
  }
  files = {
    "/etc/meridian/footprint.yaml"    = yamlencode(local.footprint)
    "/etc/meridian/measured.yaml"     = file("${path.module}/../../../geo/measured.yaml")
    "/usr/local/lib/meridian/prepare" = file("${path.module}/files/prepare")
    "/etc/meridian/geo.yaml.in" = yamlencode({
      footprint      = "/etc/meridian/footprint.yaml"
      id             = "@HOST@"
      admin_listen   = "127.0.0.1:@ADMIN_PORT@"
      control_listen = "unix:/run/meridian/geo.ctl"
      routers        = [for link in each.value.host.routers : "${each.key}=${link}"]
      probe_tls_ca   = "/etc/ssl/certs/ca-certificates.crt"
    })
  }
}

resource "aws_instance" "this" {
  for_each                    = local.own
  region                      = each.value.cloud_region
  ami                         = each.value.host.image_id
  instance_type               = var.instance_type
  subnet_id                   = each.value.host.subnet_id
  ipv6_address_count          = 1
  vpc_security_group_ids      = [each.value.host.group]
  iam_instance_profile        = module.access[each.key].profile
  user_data_base64            = module.host[each.key].user_data
  user_data_replace_on_change = true
  monitoring                  = true
  tags                        = { Name = "${var.name}-${each.key}-geo", role = "geo" }

  maintenance_options {
    auto_recovery = "default"
  }
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }
  root_block_device {
    volume_size = 10
    volume_type = "gp3"
    encrypted   = true
  }
}

# Addresses of name servers stand in the parent zone: they outlive their hosts.
resource "aws_eip" "this" {
  for_each = local.own
  region   = each.value.cloud_region
  domain   = "vpc"
  tags     = { Name = "${var.name}-${each.key}-geo" }
}

resource "aws_eip_association" "this" {
  for_each      = local.own
  region        = each.value.cloud_region
  allocation_id = aws_eip.this[each.key].id
  instance_id   = aws_instance.this[each.key].id
}

# Delegation, where the parent zone is in this account; otherwise the outputs say what to write there.
resource "aws_route53_record" "delegation" {
  for_each = var.parent_zone_id != "" ? { this = var.kind == "gdnsd" ? values(local.servers) : aws_route53_zone.this["this"].name_servers } : {}
  zone_id  = var.parent_zone_id
  name     = local.zone
  type     = "NS"
  ttl      = 3600
  records  = each.value
}

resource "aws_route53_record" "server" {
  for_each = var.parent_zone_id != "" ? local.own : {}
  zone_id  = var.parent_zone_id
  name     = local.servers[each.key]
  type     = "A"
  ttl      = 3600
  records  = [aws_eip.this[each.key].public_ip]
}
