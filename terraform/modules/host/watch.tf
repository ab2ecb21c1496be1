# What a host does for who watches it: Prometheus in agent mode scrapes what runs beside it on loopback, where admin ports are (they drain and
# override, so they stay there), and writes to the region's Prometheus. infra/observability/agent.yml as it is, but for the address.
#
# The unit has the name of Debian's, so that what the package starts while it is installed is ours already.

locals {
  agent_writes_to = "http://prometheus.internal:9090/api/v1/write"
  agent           = file("${path.module}/../../../infra/observability/agent.yml")

  agent_service = <<-UNIT
    [Unit]
    Description=Metrics of this host, to the region's Prometheus
    After=network-online.target
    StartLimitIntervalSec=0
    [Service]
    User=prometheus
    ExecStart=/usr/bin/prometheus --enable-feature=agent --config.file=/etc/meridian-watch/agent.yml --storage.agent.path=/var/lib/prometheus/agent --web.listen-address=127.0.0.1:9090
    Restart=always
    RestartSec=15
    NoNewPrivileges=yes
    CapabilityBoundingSet=
    ProtectSystem=strict
    ReadWritePaths=/var/lib/prometheus
    ProtectHome=yes
    PrivateTmp=yes
    [Install]
    WantedBy=multi-user.target
  UNIT

  watch = {
    tools = [for w in var.watch[*] : "prometheus"]
    units = [for w in var.watch[*] : "prometheus.service"]
    files = merge({}, [for w in var.watch[*] : merge({ for file, text in {
      "/etc/meridian-watch/agent.yml"          = replace(local.agent, local.agent_writes_to, coalesce(w.url, local.agent_writes_to))
      "/etc/systemd/system/prometheus.service" = local.agent_service
      } : file => text if w.url != null }, {
      for name, t in w.targets : "/etc/meridian-watch/targets/${name}.yaml.in" => jsonencode([{
        targets = [t.address]
        labels  = merge({ region = w.region, host = "@HOST@" }, t.labels)
      }])
    })]...)
  }
}
