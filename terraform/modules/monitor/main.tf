# The host that watches a region: Prometheus takes what every host's agent writes, holds the rules of infra/observability against it, and its
# Alertmanager tells the region's alarm topic. Beside the edges and not public; operators reach its pages through Session Manager.
#
# One, not a pair: agents keep what they could not deliver and bring it later, so a lost monitor loses no figures, only the time in which nobody
# was told; AWS' own alarms (modules/observability) hold that time, and one of them is about this host.

locals {
  hostname = "prometheus.${var.private_zone}"
}

module "watcher" {
  source         = "../watcher"
  region         = var.region
  cloud_region   = var.cloud_region
  topic          = var.topic
  key_arn        = var.hosts.key_arn
  watchdog_url   = var.watchdog_url
  listen         = "0.0.0.0:${var.port}"
  retention_days = var.size.retention_days
  options        = ["--web.enable-remote-write-receiver"]
}

module "access" {
  source     = "../access"
  name       = "${var.name}-monitor"
  bucket_arn = var.hosts.bucket.arn
  key_arn    = var.hosts.key_arn
  statements = module.watcher.statements
}

module "host" {
  source       = "../host"
  cloud_region = var.cloud_region
  bucket       = var.hosts.bucket.name
  release      = var.hosts.release
  packages     = []
  tools        = module.watcher.tools
  units        = module.watcher.units
  data_dir     = module.watcher.data_dir
  files = merge(module.watcher.files, {
    "/usr/local/lib/meridian/prepare" = "#!/bin/bash\n# SPDX-License-Identifier: Apache-2.0\nset -euo pipefail\n${module.watcher.prepare}"
  })
}

resource "aws_instance" "this" {
  region                 = var.cloud_region
  ami                    = var.hosts.image_id
  instance_type          = var.instance_type
  subnet_id              = var.subnet.id
  vpc_security_group_ids = [var.group]
  iam_instance_profile   = module.access.profile
  user_data_base64       = module.host.user_data
  monitoring             = true
  tags                   = { Name = "${var.name}-monitor", role = "monitor" }

  # New rules come with a new host; what it knows is on the disk below.
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

  lifecycle {
    precondition {
      condition     = var.size.memory_mib <= var.memory_mib * 0.8
      error_message = "The region shows ${var.size.series} series, which want ${var.size.memory_mib} MiB: a larger monitor."
    }
  }
}

resource "aws_ebs_volume" "data" {
  region            = var.cloud_region
  availability_zone = var.subnet.zone
  size              = var.size.volume_gib
  type              = "gp3"
  encrypted         = true
  kms_key_id        = var.hosts.key_arn
  tags              = { Name = "${var.name}-monitor" }
}

resource "aws_volume_attachment" "data" {
  region                         = var.cloud_region
  device_name                    = "/dev/sdf"
  volume_id                      = aws_ebs_volume.data.id
  instance_id                    = aws_instance.this.id
  stop_instance_before_detaching = true
}

resource "aws_route53_record" "this" {
  zone_id = var.private_zone_id
  name    = local.hostname
  type    = "A"
  ttl     = 60
  records = [aws_instance.this.private_ip]
}
