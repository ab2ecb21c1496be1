output "link" {
  description = "What the global root needs to join this region to the others."
  value = {
    vpc_id        = module.network.vpc_id
    router_tables = module.network.router_tables
  }
}

output "players" {
  description = "The players' door: fixed addresses (write them into the footprint), and the balancer for alias records."
  value = {
    ipv4     = [for z, ip in module.edge_fleet.addresses_ipv4 : ip]
    ipv6     = [for z, ip in module.edge_fleet.addresses_ipv6 : ip]
    balancer = module.edge_fleet.balancer
  }
}

output "name_server" {
  description = "Where this region's name server stands, if the environment has any."
  value = {
    subnet_id   = module.network.subnets["public-a"]
    group       = module.network.groups.geo
    bucket      = module.keeping.bucket.name
    bucket_arn  = module.keeping.bucket.arn
    key_arn     = module.keeping.key_arn
    metrics_url = module.monitor.metrics_url
    routers     = module.router.links
    image_id    = local.image_id
    logs        = local.logs
  }
}

output "bucket" {
  description = "Where packages go: s3://BUCKET/packages/RELEASE/*.deb."
  value       = module.keeping.bucket.name
}

output "secrets" {
  description = "What has to be filled: file -> name of the secret."
  value       = { for file, s in module.keeping.secrets : file => s.name }
}

output "place" {
  description = "What terraform/secrets must know to make values."
  value       = { name = var.region, cloud_region = local.me.cloud_region, private_zone = local.me.private_zone, redis = var.settings.redis }
}

output "size" {
  description = "What was computed for this region."
  value       = { fleet = module.sizing.fleet, redis = module.sizing.redis, drain = module.sizing.drain }
}

output "promise" {
  description = "What is kept when things fail."
  value       = module.redis.promise
}
