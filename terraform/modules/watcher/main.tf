# A Prometheus that holds the rules of infra/observability against what it has, and an Alertmanager that tells AWS: what the host of a region's
# monitor is told, and the one host of `single`. No provider: it only writes text. All of infra/observability as it is, but for who hears of what.
#
# Units have Debian's names, so that what the packages start while they are installed is ours already; none starts before `prepare` made their
# folders, which is after the disk came.

locals {
  from = "${path.module}/../../../infra/observability"
  data = "/var/lib/prometheus"

  parts = split("\nreceivers:\n", file("${local.from}/alertmanager.yml"))
  sns = {
    topic_arn = var.topic
    sigv4     = { region = var.cloud_region } # with the rights of this host's role
    subject   = "[{{ .Status }}] {{ .GroupLabels.alertname }} in ${var.region}"
    message   = "{{ range .Alerts }}{{ .Labels.severity }}: {{ .Annotations.summary }}\n{{ .Annotations.description }}\n{{ .Annotations.runbook_url }}\n{{ end }}"
  }
  receivers = [
    { name = "pager", sns_configs = [local.sns], webhook_configs = [] },
    { name = "tickets", sns_configs = [local.sns], webhook_configs = [] },
    # Who misses the watchdog must stand elsewhere.
    { name = "watchdog", sns_configs = [], webhook_configs = [for url in var.watchdog_url[*] : { url = url, send_resolved = false } if url != ""] },
  ]

  head = <<-UNIT
    [Unit]
    Description=@WHAT@
    After=network-online.target
    RequiresMountsFor=${local.data}
    ConditionPathExists=${local.data}/metrics
    StartLimitIntervalSec=0
    [Service]
    User=prometheus
  UNIT
  rest = <<-UNIT
    Restart=always
    RestartSec=15
    NoNewPrivileges=yes
    CapabilityBoundingSet=
    ProtectSystem=strict
    ReadWritePaths=${local.data}
    ProtectHome=yes
    PrivateTmp=yes
    [Install]
    WantedBy=multi-user.target
  UNIT

  prometheus = join(" ", concat([
    "/usr/bin/prometheus",
    "--config.file=/etc/meridian-watch/prometheus.yml",
    "--web.listen-address=${var.listen}",
    "--storage.tsdb.path=${local.data}/metrics",
    "--storage.tsdb.retention.time=${var.retention_days}d",
  ], var.options))
  alertmanager = "/usr/bin/prometheus-alertmanager --config.file=/etc/meridian-watch/alertmanager.yml --web.listen-address=127.0.0.1:9093 --cluster.listen-address= --storage.path=${local.data}/alerts"

  files = merge({
    "/etc/meridian-watch/prometheus.yml"                  = file("${local.from}/prometheus.yml")
    "/etc/meridian-watch/targets/alertmanager.yaml"       = jsonencode([{ targets = ["127.0.0.1:9093"] }])
    "/etc/meridian-watch/alertmanager.yml"                = "${local.parts[0]}\nreceivers: ${jsonencode(local.receivers)}\n"
    "/etc/systemd/system/prometheus.service"              = "${replace(local.head, "@WHAT@", "Prometheus of ${var.region}")}ExecStart=${local.prometheus}\n${local.rest}"
    "/etc/systemd/system/prometheus-alertmanager.service" = "${replace(local.head, "@WHAT@", "Alertmanager of ${var.region}")}ExecStart=${local.alertmanager}\n${local.rest}"
    }, {
    for rules in fileset(local.from, "rules/*.yml") : "/etc/meridian-watch/${rules}" => file("${local.from}/${rules}")
  })
}
