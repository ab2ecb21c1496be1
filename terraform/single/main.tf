# Everything on one small host (R3): Redis, router and edges, with a fixed address and a disk that outlives the host. For fewer than ten thousand
# players who can live with a pause when the machine is replaced: the store has no replica (durability "primary": its append-only file, a second
# of it at risk), and there is no other zone.
#
# The same packages, keys and unit files as the full footprint; only values differ.

locals {
  settings = yamldecode(file(var.settings_file))
  region   = module.footprint.regions[local.settings.region]
  name     = "${module.footprint.name}-single"
  hostname = local.settings.hostname
  image_id = try(local.settings.image_id, "") != "" ? local.settings.image_id : data.aws_ssm_parameter.debian.value
  zone     = data.aws_availability_zones.this.names[0]

  # Where its lines go, if anywhere.
  logs_url = try(local.settings.logs.url, "")
  logs = local.logs_url == "" ? null : {
    url       = local.logs_url
    user      = local.settings.logs.user
    authority = try(local.settings.logs.authority, "")
    secret    = module.keeping.secrets["logs-password"]
  }

  secret_files = merge({
    tls-certificate = "players' certificate chain, PEM"
    tls-key         = "and its key, PEM"
    tls-tickets     = "ticket keys, first one encrypts; rotated"
    token-keys      = "JWKS with the public keys of players' tokens"
    regions-keys    = "JWKS with the private key that signs the list of regions"
    guest-keys      = "JWKS with the private key of guests' tokens"
    redis-password  = "one line"
  }, local.logs_url == "" ? {} : { logs-password = "of the Elasticsearch user ${local.settings.logs.user}, one line without blanks" })
}

module "footprint" {
  source         = "../modules/regions"
  footprint_file = "${path.root}/../../geo/footprint.yaml"
}

module "sizing" {
  source                 = "../modules/sizing"
  capacity_players       = local.settings.players
  host_cores             = local.settings.cores
  redis_shards_per_group = 3
}

data "aws_availability_zones" "this" {
  state = "available"
}

data "aws_ssm_parameter" "debian" {
  name = "/aws/service/debian/release/12/latest/amd64"
}

module "keeping" {
  source        = "../modules/keeping"
  name          = local.name
  cloud_region  = local.region.cloud_region
  account_id    = local.settings.account_id
  secret_prefix = "${module.footprint.name}/single"
  secret_files  = local.secret_files
  alarm_mail    = try(local.settings.alarm_mail, [])
}

module "network" {
  source         = "../modules/network"
  name           = local.name
  cloud_region   = local.region.cloud_region
  network_ipv4   = local.region.network_ipv4
  subnets        = local.region.subnets
  tiers          = ["public"]
  zones          = ["a"]
  nat            = false
  private_zone   = "single.${module.footprint.name}.internal"
  ports          = module.sizing.ports
  edges_per_host = local.settings.cores
  redis_ports    = 1
  logs_url       = local.logs_url
}

module "access" {
  source      = "../modules/access"
  name        = local.name
  bucket_arn  = module.keeping.bucket.arn
  secret_arns = [for s in module.keeping.secrets : s.arn]
  key_arn     = module.keeping.key_arn
  statements  = module.watcher.statements
}

resource "aws_instance" "this" {
  ami                         = local.image_id
  instance_type               = local.settings.instance_type
  subnet_id                   = module.network.subnets["public-a"]
  ipv6_address_count          = 1
  vpc_security_group_ids      = [module.network.groups.balancer, module.network.groups.edge]
  iam_instance_profile        = module.access.profile
  user_data_base64            = module.host.user_data
  user_data_replace_on_change = true
  monitoring                  = true
  tags                        = { Name = local.name, role = "single" }

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

resource "aws_ebs_volume" "data" {
  availability_zone = local.zone
  size              = local.settings.volume_gib
  type              = "gp3"
  encrypted         = true
  kms_key_id        = module.keeping.key_arn
  tags              = { Name = "${local.name}-redis" }
}

resource "aws_volume_attachment" "data" {
  device_name                    = "/dev/sdf"
  volume_id                      = aws_ebs_volume.data.id
  instance_id                    = aws_instance.this.id
  stop_instance_before_detaching = true
}

resource "aws_eip" "this" {
  domain = "vpc"
  tags   = { Name = local.name }
}

resource "aws_eip_association" "this" {
  allocation_id = aws_eip.this.id
  instance_id   = aws_instance.this.id
}

resource "aws_cloudwatch_metric_alarm" "host" {
  alarm_name          = "${local.name}-host"
  alarm_description   = "the machine failed; AWS tries to recover it"
  namespace           = "AWS/EC2"
  metric_name         = "StatusCheckFailed"
  dimensions          = { InstanceId = aws_instance.this.id }
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 60
  evaluation_periods  = 2
  treat_missing_data  = "breaching"
  alarm_actions       = [module.keeping.topic]
}
