# Redis on hosts of ours: groups of three, one host a zone. Each host runs as many processes as the group has shards; of shard N the primary is
# on one host and the replicas on the other two. TLS everywhere: clients, replication, cluster bus.

locals {
  hosts = {
    for pair in setproduct(range(var.size.groups), keys(var.subnets)) : "g${pair[0] + 1}-${pair[1]}" => {
      group = pair[0]
      zone  = pair[1]
      ip    = cidrhost(var.subnets[pair[1]].ipv4, 10 + pair[0])
    }
  }
  # In the order that the form script counts in: a group's three hosts beside each other.
  host_list = flatten([for g in range(var.size.groups) : [for zone in keys(var.subnets) : "g${g + 1}-${zone}"]])
  first     = local.host_list[0]

  secret_files = ["redis-password", "redis-ca", "redis-certificate", "redis-key"]

  # What one node is told is the repository's own file, so cloud and one machine differ in these values only.
  template = file("${path.module}/../../../../infra/redis/redis.conf.in")
  replaced = {
    "bind @ADDRESS@"                       = "bind @ADDRESS@ 127.0.0.1"
    "port @PORT@"                          = "port 0\ntls-port @BUS_PORT@"
    "cluster-announce-ip @ADDRESS@"        = "cluster-announce-ip @ADDRESS@\ncluster-announce-hostname redis-@NAME@.${var.private_zone}\ncluster-preferred-endpoint-type hostname"
    "dir @DIR@"                            = "dir /var/lib/redis/@BUS_PORT@"
    "aclfile @DIR@/users.acl"              = "aclfile /var/lib/redis/@BUS_PORT@/users.acl"
    "masteruser repl-@PORT@"               = "masteruser repl-@NAME@-@N@"
    "maxmemory @MAXMEMORY@"                = "maxmemory ${var.memory_mib}mb"
    "min-replicas-to-write @MIN_REPLICAS@" = "min-replicas-to-write 1"
  }
  lines = [for line in split("\n", local.template) : lookup(local.replaced, line, line)]
  config = join("\n", concat(local.lines, [
    "# TLS for clients, replication and the cluster's bus alike.",
    "tls-cert-file /etc/meridian/secrets/redis-certificate",
    "tls-key-file /etc/meridian/secrets/redis-key",
    "tls-ca-cert-file /etc/meridian/secrets/redis-ca",
    "tls-auth-clients no",
    "tls-replication yes",
    "tls-cluster yes",
    "tls-protocols \"TLSv1.3\"",
    ""
  ]))

  form_service = <<-UNIT
    [Unit]
    Description=Forms the region's Redis Cluster and loads the function library
    After=network-online.target
    [Service]
    Type=oneshot
    RemainAfterExit=yes
    ExecStart=/usr/local/lib/meridian/form
    [Install]
    WantedBy=multi-user.target
  UNIT
}

module "access" {
  source      = "../../access"
  name        = "${var.name}-redis"
  bucket_arn  = var.hosts.bucket.arn
  secret_arns = concat([for file in local.secret_files : var.secrets[file].arn], var.hosts.logs[*].secret.arn)
  key_arn     = var.hosts.key_arn
}

module "host" {
  for_each     = local.hosts
  source       = "../../host"
  cloud_region = var.cloud_region
  bucket       = var.hosts.bucket.name
  release      = var.hosts.release
  packages     = ["meridian-ctl"]
  tools        = ["redis-server", "redis-tools", "prometheus-redis-exporter"]
  units        = concat(["redis-server@@N@.service", "prometheus-redis-exporter.service"], each.key == local.first ? ["meridian-redis-form.service"] : [])
  processes    = var.size.shards_per_group
  bus_port     = var.ports.redis - 1 # process 1 listens on the first port
  data_dir     = "/var/lib/redis"
  owner        = "redis"
  secrets      = { for file in local.secret_files : file => var.secrets[file].name }
  logs         = var.hosts.logs
  watch = {
    url     = var.watch.url
    region  = var.watch.region
    targets = { "redis-@N@" = { address = "redis-${each.key}.${var.private_zone}:@BUS_PORT@", labels = { exporter = "127.0.0.1:9121", tls = "true" } } }
  }
  environment = {
    EXPORTED        = "rediss://redis-${each.key}.${var.private_zone}"
    HOSTS           = join(" ", local.host_list)
    PRIVATE_ZONE    = var.private_zone
    REDIS_PORT      = tostring(var.ports.redis - 1)
    REDIS_PROCESSES = tostring(var.size.shards_per_group)
  }
  files = merge({
    "/etc/meridian/redis-@N@.conf.in"                       = replace(local.config, "@NAME@", each.key)
    "/etc/sysctl.d/60-meridian-redis.conf"                  = file("${path.module}/../files/sysctl.conf")
    "/etc/systemd/system/prometheus-redis-exporter.service" = file("${path.module}/../files/exporter.service")
    "/usr/local/lib/meridian/prepare"                       = file("${path.module}/../files/prepare")
    "/usr/local/lib/meridian/bin/redis-cli"                 = file("${path.module}/../files/redis-cli")
    }, each.key == local.first ? {
    "/usr/local/lib/meridian/form"                    = file("${path.module}/../files/form")
    "/etc/systemd/system/meridian-redis-form.service" = local.form_service
  } : {})
}

resource "aws_instance" "this" {
  for_each               = local.hosts
  region                 = var.cloud_region
  ami                    = var.hosts.image_id
  instance_type          = var.instance_type
  subnet_id              = var.subnets[each.value.zone].id
  private_ip             = each.value.ip
  vpc_security_group_ids = [var.group]
  iam_instance_profile   = module.access.profile
  user_data_base64       = module.host[each.key].user_data
  monitoring             = true
  tags                   = { Name = "${var.name}-redis-${each.key}", role = "redis" }

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

  lifecycle {
    # A store is never replaced because an image or a script changed: node by node, by hand, with the runbook.
    ignore_changes = [ami, user_data_base64]

    precondition {
      condition     = length(setsubtract(keys(local.replaced), split("\n", local.template))) == 0
      error_message = "infra/redis/redis.conf.in lost a line that is filled in here: ${join(", ", setsubtract(keys(local.replaced), split("\n", local.template)))}."
    }
  }
}

# Beside the host and not in it: the append-only file outlives a replaced host.
resource "aws_ebs_volume" "data" {
  for_each          = local.hosts
  region            = var.cloud_region
  availability_zone = var.subnets[each.value.zone].zone
  size              = var.volume_gib
  type              = "gp3"
  encrypted         = true
  kms_key_id        = var.hosts.key_arn
  tags              = { Name = "${var.name}-redis-${each.key}" }
}

resource "aws_volume_attachment" "data" {
  for_each                       = local.hosts
  region                         = var.cloud_region
  device_name                    = "/dev/sdf"
  volume_id                      = aws_ebs_volume.data[each.key].id
  instance_id                    = aws_instance.this[each.key].id
  stop_instance_before_detaching = true
}

resource "aws_route53_record" "this" {
  for_each = local.hosts
  zone_id  = var.private_zone_id
  name     = "redis-${each.key}.${var.private_zone}"
  type     = "A"
  ttl      = 60
  records  = [each.value.ip]
}
