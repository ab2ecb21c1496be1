# What an edge is told: one file a process, made at boot out of this one. Keys are the binary's own (meridian-edge --print-config-help).

locals {
  secrets = "/etc/meridian/secrets"

  # A host runs as many edges as it has cores and a good deal more connections than planned before it refuses any.
  config = merge({
    region              = var.region
    id                  = "${var.region}-@HOST@-@N@"
    player_listen       = ["@ADDRESS@:${var.ports.edge}"]
    admin_listen        = "127.0.0.1:@ADMIN_PORT@"
    bus_listen          = "@ADDRESS@:@BUS_PORT@"
    run_dir             = "/var/lib/meridian"
    routers             = var.routers
    redis_nodes         = var.redis.nodes
    redis_user          = var.redis.user
    redis_password_file = "${local.secrets}/redis-password"
    redis_tls_ca        = "${local.secrets}/redis-ca"
    redis_durability    = var.redis.durability
    redis_replicas      = var.redis.replicas
    token_keys          = "${local.secrets}/token-keys"
    token_issuer        = var.token.issuer
    token_audience      = var.token.audience
    guest_allowed       = var.token.guests
    guest_keys          = var.token.guests ? "${local.secrets}/guest-keys" : ""
    regions             = var.regions
    regions_keys        = "${local.secrets}/regions-keys"
    tls_certificate     = "${local.secrets}/tls-certificate"
    tls_key             = "${local.secrets}/tls-key"
    tls_tickets         = "${local.secrets}/tls-tickets"
    origins             = distinct(concat([for name in var.hostnames : "https://${name}"], [for r in var.regions : split(" ", r)[1]]))
    balancers           = var.balancer_networks
    echo_enabled        = true # what geo agents ask of a player port; where it is off, they take every region for dead
    max_connections     = ceil(var.fleet.connections_per_edge * 1.5)
    drain_deadline_ms   = var.drain.seconds * 1000
  }, var.settings)

  secret_files = concat(["redis-password", "redis-ca", "token-keys", "regions-keys", "tls-certificate", "tls-key", "tls-tickets"], var.token.guests ? ["guest-keys"] : [])

  health_socket = <<-UNIT
    [Unit]
    Description=Health of this host's edges, for the balancer
    [Socket]
    ListenStream=${var.ports.health}
    Accept=yes
    MaxConnections=64
    [Install]
    WantedBy=sockets.target
  UNIT

  health_service = <<-UNIT
    [Unit]
    Description=One answer to the balancer
    [Service]
    ExecStart=-/usr/local/lib/meridian/host-health
    StandardInput=socket
    StandardError=journal
    DynamicUser=yes
    RuntimeMaxSec=5
  UNIT

  agent_service = <<-UNIT
    [Unit]
    Description=Metrics of this host and its way out of the group
    After=network-online.target
    [Service]
    ExecStart=/usr/local/lib/meridian/host-agent
    Restart=on-failure
    RestartSec=5
    [Install]
    WantedBy=multi-user.target
  UNIT
}

module "host" {
  source       = "../host"
  cloud_region = var.cloud_region
  bucket       = var.hosts.bucket.name
  release      = var.hosts.release
  packages     = ["meridian-edge", "meridian-ctl"]
  units        = ["meridian-edge@@N@.service", "meridian-host-health.socket", "meridian-host-agent.service"]
  reloads      = "meridian-edge@*.service"
  processes    = var.fleet.edges_per_host
  admin_port   = var.ports.admin
  bus_port     = var.ports.bus
  secrets      = { for file in local.secret_files : file => var.secrets[file].name }
  logs         = var.hosts.logs
  watch = {
    url     = var.watch.url
    region  = var.watch.region
    targets = { "edge-@N@" = { address = "127.0.0.1:@ADMIN_PORT@", labels = { instance = "@HOST@-@N@" } } }
  }
  environment = {
    GROUP         = local.group
    HOOK          = local.hook
    CAPACITY      = tostring(var.fleet.connections_per_host)
    DRAIN_SECONDS = tostring(var.drain.seconds)
  }
  files = {
    "/etc/meridian/edge-@N@.yaml.in"                    = yamlencode(local.config)
    "/usr/local/lib/meridian/host-health"               = file("${path.module}/files/host-health")
    "/usr/local/lib/meridian/host-agent"                = file("${path.module}/files/host-agent")
    "/etc/systemd/system/meridian-host-health.socket"   = local.health_socket
    "/etc/systemd/system/meridian-host-health@.service" = local.health_service
    "/etc/systemd/system/meridian-host-agent.service"   = local.agent_service
  }
}
