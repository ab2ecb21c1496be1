# The two routers of a region, in different zones: whichever holds the lease leads, the other stands by. They keep nothing on disk, so a host
# that is replaced comes back under the same address and name.

locals {
  secrets      = "/etc/meridian/secrets"
  secret_files = ["redis-password", "redis-ca", "link-ca", "link-certificate", "link-key"]
  hostname     = { for zone in keys(var.subnets) : zone => "router-${zone}.${var.private_zone}" }
  address      = { for zone, s in var.subnets : zone => cidrhost(s.ipv4, 10) }

  mesh = {
    mesh_listen   = "@ADDRESS@:${var.ports.router_peer}"
    mesh_peers    = var.peers
    mesh_tls_ca   = "${local.secrets}/link-ca"
    mesh_tls_cert = "${local.secrets}/link-certificate"
    mesh_tls_key  = "${local.secrets}/link-key"
  }

  config = {
    for zone in keys(var.subnets) : zone => merge({
      region              = var.region
      id                  = "${var.region}-router-${zone}"
      link_listen         = "@ADDRESS@:${var.ports.router_link}"
      admin_listen        = "127.0.0.1:${var.ports.admin}"
      control_listen      = "unix:/run/meridian/router.ctl"
      redis_nodes         = var.redis.nodes
      redis_user          = var.redis.user
      redis_password_file = "${local.secrets}/redis-password"
      redis_tls_ca        = "${local.secrets}/redis-ca"
      redis_durability    = var.redis.durability
      redis_replicas      = var.redis.replicas
      electable_set       = var.redis.durability == "all"
    }, { for key, value in local.mesh : key => value if length(var.peers) > 0 }, var.settings)
  }
}

module "access" {
  source      = "../access"
  name        = "${var.name}-router"
  bucket_arn  = var.hosts.bucket.arn
  secret_arns = concat([for file in local.secret_files : var.secrets[file].arn], var.hosts.logs[*].secret.arn)
  key_arn     = var.hosts.key_arn
}

module "host" {
  for_each     = var.subnets
  source       = "../host"
  cloud_region = var.cloud_region
  bucket       = var.hosts.bucket.name
  release      = var.hosts.release
  packages     = ["meridian-router", "meridian-ctl"]
  units        = ["meridian-router.service"]
  admin_port   = var.ports.admin
  reloads      = "meridian-router.service"
  logs         = var.hosts.logs
  watch = {
    url     = var.watch.url
    region  = var.watch.region
    targets = { router = { address = "127.0.0.1:@ADMIN_PORT@", labels = { instance = "router-${each.key}" } } }
  }
  secrets = { for file in local.secret_files : file => var.secrets[file].name }
  files   = { "/etc/meridian/router.yaml.in" = yamlencode(local.config[each.key]) }
}

resource "aws_instance" "this" {
  for_each               = var.subnets
  region                 = var.cloud_region
  ami                    = var.hosts.image_id
  instance_type          = var.instance_type
  subnet_id              = each.value.id
  private_ip             = local.address[each.key]
  vpc_security_group_ids = [var.groups.router]
  iam_instance_profile   = module.access.profile
  user_data_base64       = module.host[each.key].user_data
  monitoring             = true
  tags                   = { Name = "${var.name}-router-${each.key}", role = "router" }

  # A new release here replaces the host; one after the other with -target, the standby first (README).
  user_data_replace_on_change = true

  maintenance_options {
    auto_recovery = "default"
  }
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }
  root_block_device {
    volume_size = 20
    volume_type = "gp3"
    encrypted   = true
  }
}

resource "aws_route53_record" "this" {
  for_each = var.subnets
  zone_id  = var.private_zone_id
  name     = local.hostname[each.key]
  type     = "A"
  ttl      = 60
  records  = [local.address[each.key]]
}
