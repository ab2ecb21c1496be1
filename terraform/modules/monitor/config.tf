# What the monitor is told: infra/observability as it is, but that nothing is scraped from here and Alertmanager speaks to AWS.

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

  unit = <<-UNIT
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

  # Under Debian's names (modules/host/watch.tf); not before the disk is there, on which their folders are made by `prepare`.
  head = <<-UNIT
    [Unit]
    Description=The region's @WHAT@
    After=network-online.target
    RequiresMountsFor=${local.data}
    ConditionPathExists=${local.data}/metrics
    StartLimitIntervalSec=0
    [Service]
    User=prometheus
  UNIT

  files = merge({
    "/etc/meridian-watch/prometheus.yml"            = file("${local.from}/prometheus.yml")
    "/etc/meridian-watch/targets/alertmanager.yaml" = jsonencode([{ targets = ["127.0.0.1:9093"] }])
    "/etc/meridian-watch/alertmanager.yml"          = "${local.parts[0]}\nreceivers: ${jsonencode(local.receivers)}\n"
    "/etc/systemd/system/prometheus.service" = join("", [replace(local.head, "@WHAT@", "Prometheus"),
      "ExecStart=/usr/bin/prometheus --config.file=/etc/meridian-watch/prometheus.yml --web.listen-address=0.0.0.0:${var.port} --web.enable-remote-write-receiver --storage.tsdb.path=${local.data}/metrics --storage.tsdb.retention.time=${var.size.retention_days}d\n",
    local.unit])
    "/etc/systemd/system/prometheus-alertmanager.service" = join("", [replace(local.head, "@WHAT@", "Alertmanager"),
      "ExecStart=/usr/bin/prometheus-alertmanager --config.file=/etc/meridian-watch/alertmanager.yml --web.listen-address=127.0.0.1:9093 --cluster.listen-address= --storage.path=${local.data}/alerts\n",
    local.unit])
    "/usr/local/lib/meridian/prepare" = "#!/bin/bash\n# SPDX-License-Identifier: Apache-2.0\n# Folders on the data disk, which survives the host.\nset -euo pipefail\ninstall -d -o prometheus -g prometheus ${local.data}/metrics ${local.data}/alerts\nchown -R prometheus: ${local.data}/metrics ${local.data}/alerts\n"
    }, {
    for rules in fileset(local.from, "rules/*.yml") : "/etc/meridian-watch/${rules}" => file("${local.from}/${rules}")
  })
}
