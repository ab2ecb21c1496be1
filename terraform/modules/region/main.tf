# A region, complete in itself (R30): network, artefacts, secrets, Redis, routers, edges, alarms. What it shares with other regions is only the
# footprint's networks, so that their routers may come in.

locals {
  me   = var.footprint.regions[var.region]
  name = "${var.footprint.name}-${var.region}"

  # Their routers by address: names of a private zone end at its network.
  peer_links = flatten([for name, p in local.peers : [for z in ["a", "b"] : "${name} ${cidrhost(p.subnets["router-${z}"].ipv4, 10)}:${module.sizing.ports.router_peer}"]])

  watch     = { url = module.monitor.metrics_url, region = var.region }
  peers     = { for name, r in var.footprint.regions : name => r if name != var.region }
  hostnames = [var.footprint.dns.zone, local.me.hostname]

  # Where every host's lines go, if anywhere.
  ships = var.settings.logs.url != ""
  logs  = local.ships ? merge(var.settings.logs, { secret = module.keeping.secrets["logs-password"] }) : null

  secret_files = merge({
    tls-certificate  = "players' certificate chain, PEM"
    tls-key          = "and its key, PEM"
    tls-tickets      = "ticket keys that the region's edges share, first one encrypts; rotated"
    token-keys       = "JWKS with the public keys of players' tokens"
    regions-keys     = "JWKS with the private key that signs the list of regions; its public half belongs into every token-keys"
    guest-keys       = "JWKS with the private key of guests' tokens"
    link-ca          = "authority of the routers' links, PEM"
    link-certificate = "this region's certificate for them, PEM"
    link-key         = "and its key, PEM"
    redis-password   = "one line"
    redis-ca         = "authority of the Redis nodes, PEM"
    }, var.settings.redis == "own" ? {
    redis-certificate = "certificate of the Redis nodes, for *.${local.me.private_zone}, PEM"
    redis-key         = "and its key, PEM"
  } : {}, local.ships ? { logs-password = "of the Elasticsearch user ${var.settings.logs.user}, one line without blanks" } : {})

  image_id = var.settings.image_id != "" ? var.settings.image_id : data.aws_ssm_parameter.debian.value
  hosts    = { image_id = local.image_id, release = var.settings.release, bucket = module.keeping.bucket, key_arn = module.keeping.key_arn, logs = local.logs }
  zone     = { for z in ["a", "b", "c"] : z => data.aws_availability_zones.this.names[index(["a", "b", "c"], z)] }
}

data "aws_availability_zones" "this" {
  region = local.me.cloud_region
  state  = "available"
}

# Debian publishes its newest image here; settings.image_id pins one.
data "aws_ssm_parameter" "debian" {
  region = local.me.cloud_region
  name   = "/aws/service/debian/release/12/latest/amd64"
}

module "sizing" {
  source                 = "../sizing"
  capacity_players       = local.me.capacity_players
  connections_per_core   = var.settings.connections_per_core
  safety_factor          = var.settings.safety_factor
  host_cores             = var.settings.edge_host_cores
  quiet_share            = var.settings.quiet_share
  playing_share          = var.settings.playing_share
  seconds_between_moves  = var.settings.seconds_between_moves
  moves_per_shard_second = var.settings.moves_per_shard_second
  redis_shards_per_group = var.settings.redis_shards_per_group
  metrics_days           = var.settings.metrics_days
}

module "keeping" {
  source        = "../keeping"
  name          = local.name
  cloud_region  = local.me.cloud_region
  account_id    = var.settings.account_id
  secret_prefix = "${var.footprint.name}/${var.region}"
  secret_files  = local.secret_files
  alarm_mail    = var.settings.alarm_mail
}

module "network" {
  source               = "../network"
  name                 = local.name
  cloud_region         = local.me.cloud_region
  network_ipv4         = local.me.network_ipv4
  subnets              = local.me.subnets
  private_zone         = local.me.private_zone
  ports                = module.sizing.ports
  edges_per_host       = module.sizing.fleet.edges_per_host
  redis_ports          = module.sizing.redis.shards_per_group
  open_dns_port        = var.settings.dns == "gdnsd"
  peer_router_networks = [for p in local.peers : p.router_network]
  logs_url             = var.settings.logs.url
}

module "redis" {
  source          = "../redis"
  kind            = var.settings.redis
  name            = local.name
  cloud_region    = local.me.cloud_region
  subnets         = { for z, zone in local.zone : z => { id = module.network.subnets["redis-${z}"], ipv4 = local.me.subnets["redis-${z}"].ipv4, zone = zone } }
  groups          = module.network.groups
  ports           = module.sizing.ports
  private_zone    = local.me.private_zone
  private_zone_id = module.network.private_zone_id
  hosts           = local.hosts
  secrets         = module.keeping.secrets
  size            = module.sizing.redis
  watch           = local.watch
  own             = var.settings.redis_own
  managed         = var.settings.redis_managed
}

module "router" {
  source          = "../router"
  name            = local.name
  region          = var.region
  cloud_region    = local.me.cloud_region
  subnets         = { for z in ["a", "b"] : z => { id = module.network.subnets["router-${z}"], ipv4 = local.me.subnets["router-${z}"].ipv4 } }
  groups          = module.network.groups
  ports           = module.sizing.ports
  private_zone    = local.me.private_zone
  private_zone_id = module.network.private_zone_id
  instance_type   = var.settings.router_instance_type
  hosts           = local.hosts
  secrets         = module.keeping.secrets
  redis           = module.redis.client
  peers           = local.peer_links
  watch           = local.watch
  settings        = var.settings.router
}

module "edge_fleet" {
  source              = "../edge-fleet"
  name                = local.name
  region              = var.region
  cloud_region        = local.me.cloud_region
  account_id          = var.settings.account_id
  vpc_id              = module.network.vpc_id
  public_subnets      = { for z in ["a", "b", "c"] : z => { id = module.network.subnets["public-${z}"], ipv6 = module.network.subnets_ipv6["public-${z}"] } }
  balancer_networks   = [for z in ["a", "b", "c"] : local.me.subnets["public-${z}"].ipv4]
  subnet_ids          = [for z in ["a", "b", "c"] : module.network.subnets["edge-${z}"]]
  groups              = module.network.groups
  ports               = module.sizing.ports
  fleet               = module.sizing.fleet
  balancer            = module.sizing.balancer
  drain               = module.sizing.drain
  scaling             = module.sizing.scaling
  warm_hosts          = var.settings.warm_hosts
  instance_type       = var.settings.edge_instance_type
  hosts               = local.hosts
  secrets             = module.keeping.secrets
  routers             = module.router.links
  redis               = module.redis.client
  token               = var.settings.token
  hostnames           = local.hostnames
  regions             = [for name in local.me.nearest : "${name} https://${var.footprint.regions[name].hostname}"]
  watch               = local.watch
  settings            = var.settings.edge
  sticky              = var.settings.sticky
  deletion_protection = var.settings.deletion_protection
  alarm_topics        = [module.keeping.topic]
}

module "monitor" {
  source          = "../monitor"
  name            = local.name
  region          = var.region
  cloud_region    = local.me.cloud_region
  subnet          = { id = module.network.subnets["edge-a"], zone = local.zone["a"] }
  group           = module.network.groups.monitor
  port            = module.sizing.ports.metrics
  private_zone    = local.me.private_zone
  private_zone_id = module.network.private_zone_id
  instance_type   = var.settings.monitor.instance_type
  memory_mib      = var.settings.monitor.memory_mib
  size            = module.sizing.monitor
  hosts           = local.hosts
  topic           = module.keeping.topic_address
  watchdog_url    = var.settings.watchdog_url
}

module "observability" {
  source              = "../observability"
  name                = local.name
  cloud_region        = local.me.cloud_region
  topic               = module.keeping.topic
  balancer_arn_suffix = module.edge_fleet.balancer.arn_suffix
  group               = module.edge_fleet.group
  min_hosts           = module.sizing.fleet.min_hosts
  max_hosts           = module.sizing.fleet.max_hosts
  redis_nodes         = module.redis.managed_nodes
  instances           = merge({ for z, id in module.router.instances : "router-${z}" => id }, { for n, id in module.redis.instances : "redis-${n}" => id }, { monitor = module.monitor.instance })
}
