# What the processes of the one host are told.

locals {
  secrets    = "/etc/meridian/secrets"
  redis_port = module.sizing.ports.redis

  store = {
    redis_nodes         = ["127.0.0.1:${local.redis_port}"]
    redis_password_file = "${local.secrets}/redis-password"
    redis_durability    = "primary"
    redis_replicas      = 0
  }

  edge = merge(local.store, {
    region            = local.settings.region
    id                = "${local.settings.region}-@HOST@-@N@"
    player_listen     = ["@ADDRESS@:${module.sizing.ports.player}"]
    admin_listen      = "127.0.0.1:@ADMIN_PORT@"
    bus_listen        = "unix:/run/meridian/edge-@N@.sock"
    run_dir           = "/var/lib/meridian"
    routers           = ["127.0.0.1:${module.sizing.ports.router_link}"]
    token_keys        = "${local.secrets}/token-keys"
    token_issuer      = local.settings.token.issuer
    token_audience    = local.settings.token.audience
    guest_allowed     = local.settings.token.guests
    guest_keys        = local.settings.token.guests ? "${local.secrets}/guest-keys" : ""
    regions           = ["${local.settings.region} https://${local.hostname}"]
    regions_keys      = "${local.secrets}/regions-keys"
    tls_certificate   = "${local.secrets}/tls-certificate"
    tls_key           = "${local.secrets}/tls-key"
    tls_tickets       = "${local.secrets}/tls-tickets"
    origins           = ["https://${local.hostname}"]
    drain_deadline_ms = 60000
  })

  router = merge(local.store, {
    region       = local.settings.region
    id           = "${local.settings.region}-router-a"
    link_listen  = "127.0.0.1:${module.sizing.ports.router_link}"
    admin_listen = "127.0.0.1:${module.sizing.ports.admin}"
  })

  redis_replaced = {
    "bind @ADDRESS@"                       = "bind 127.0.0.1"
    "cluster-announce-ip @ADDRESS@"        = "cluster-announce-ip 127.0.0.1"
    "port @PORT@"                          = "port ${local.redis_port}"
    "dir @DIR@"                            = "dir /var/lib/redis/${local.redis_port}"
    "aclfile @DIR@/users.acl"              = "aclfile /var/lib/redis/${local.redis_port}/users.acl"
    "masteruser repl-@PORT@"               = "masteruser repl-single-1"
    "maxmemory @MAXMEMORY@"                = "maxmemory ${local.settings.redis_memory_mib}mb"
    "min-replicas-to-write @MIN_REPLICAS@" = "min-replicas-to-write 0"
  }
  redis = join("\n", [for line in split("\n", file("${path.root}/../../infra/redis/redis.conf.in")) : lookup(local.redis_replaced, line, line)])

  form_service = <<-UNIT
    [Unit]
    Description=Gives the one Redis all slots and loads the function library
    Before=meridian-router.service
    [Service]
    Type=oneshot
    RemainAfterExit=yes
    ExecStart=/usr/local/lib/meridian/form
    [Install]
    WantedBy=multi-user.target
  UNIT
}

# It watches itself: a region's monitor is a host of its own, which is what this root spares. Whether the host is there is AWS' to say.
module "watcher" {
  source         = "../modules/watcher"
  region         = local.name
  cloud_region   = local.region.cloud_region
  topic          = module.keeping.topic_address
  key_arn        = module.keeping.key_arn
  watchdog_url   = try(local.settings.watchdog_url, "")
  listen         = "127.0.0.1:${module.sizing.ports.metrics}"
  retention_days = 15
  options        = ["--storage.tsdb.retention.size=2GB"] # of the root disk's 20
}

module "host" {
  source       = "../modules/host"
  cloud_region = local.region.cloud_region
  bucket       = module.keeping.bucket.name
  release      = local.settings.release
  packages     = ["meridian-edge", "meridian-router", "meridian-ctl"]
  tools        = concat(["redis-server", "redis-tools", "prometheus-redis-exporter"], module.watcher.tools)
  units        = concat(["redis-server@1.service", "meridian-redis-form.service", "meridian-router.service", "meridian-edge@@N@.service", "prometheus-redis-exporter.service"], module.watcher.units)
  reloads      = "meridian-edge@*.service"
  logs         = local.logs
  processes    = local.settings.cores
  admin_port   = module.sizing.ports.admin
  bus_port     = module.sizing.ports.bus
  data_dir     = "/var/lib/redis"
  secrets      = { for file in setsubtract(keys(local.secret_files), ["logs-password"]) : file => module.keeping.secrets[file].name }
  environment  = { HOSTS = "single", REDIS_PORT = tostring(local.redis_port - 1), REDIS_PROCESSES = "1", EXPORTED = "redis://127.0.0.1" }
  watch = {
    region = local.settings.region
    targets = {
      "edge-@N@" = { address = "127.0.0.1:@ADMIN_PORT@", labels = { instance = "@HOST@-@N@" } }
      router     = { address = "127.0.0.1:@ADMIN_PORT@", labels = { instance = "router-a" } }
      redis      = { address = "127.0.0.1:${local.redis_port}", labels = { exporter = "127.0.0.1:9121" } }
    }
  }
  files = merge(module.watcher.files, {
    "/etc/meridian/edge-@N@.yaml.in"       = yamlencode(local.edge)
    "/etc/meridian/router.yaml.in"         = yamlencode(local.router)
    "/etc/meridian/redis-1.conf.in"        = local.redis
    "/etc/sysctl.d/60-meridian-redis.conf" = file("${path.root}/../modules/redis/files/sysctl.conf")
    "/usr/local/lib/meridian/prepare"      = "${file("${path.root}/../modules/redis/files/prepare")}${module.watcher.prepare}"
    # Redis is on loopback here, without TLS.
    "/etc/systemd/system/prometheus-redis-exporter.service" = replace(file("${path.root}/../modules/redis/files/exporter.service"), " --tls-ca-cert-file /etc/meridian/secrets/redis-ca", "")
    "/usr/local/lib/meridian/form"                          = file("${path.root}/files/form")
    "/etc/systemd/system/meridian-redis-form.service"       = local.form_service
    "/etc/sysctl.d/60-meridian-port.conf"                   = "net.ipv4.ip_unprivileged_port_start = ${module.sizing.ports.player}\n"
  })
}
