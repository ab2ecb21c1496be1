# What regions share: the routers' mesh, the players' names, the images' registry. Needed for nothing inside a region: each serves without it.

module "geo_dns" {
  source         = "../geo-dns"
  kind           = var.settings.dns
  name           = var.footprint.name
  dns            = var.footprint.dns
  footprint      = var.footprint.document
  parent_zone_id = var.settings.parent_zone_id
  release        = var.settings.release
  regions = {
    for name, r in var.footprint.regions : name => {
      cloud_region = r.cloud_region
      hostname     = r.hostname
      ipv4         = var.regions[name].players.ipv4
      ipv6         = var.regions[name].players.ipv6
      balancer     = var.regions[name].players.balancer
      host         = var.regions[name].name_server
    }
  }
}

# Images of the servers, for those who run them in containers: pushed once, copied to every region.
resource "aws_ecr_repository" "this" {
  for_each             = toset(["edge", "router", "geo"])
  name                 = "${var.footprint.name}/${each.key}"
  image_tag_mutability = "IMMUTABLE"

  image_scanning_configuration {
    scan_on_push = true
  }
  encryption_configuration {
    encryption_type = "KMS"
  }
}

resource "aws_ecr_replication_configuration" "this" {
  replication_configuration {
    rule {
      dynamic "destination" {
        for_each = { for name, r in var.footprint.regions : name => r if r.cloud_region != var.home_region }
        content {
          region      = destination.value.cloud_region
          registry_id = var.settings.account_id
        }
      }
      repository_filter {
        filter      = "${var.footprint.name}/"
        filter_type = "PREFIX_MATCH"
      }
    }
  }
}
