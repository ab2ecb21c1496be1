# How a host's log lines get to Elasticsearch: infra/observability/logs as it is. The password is a secret and comes with the others; files/boot puts
# it behind the address, into the one file that the unit reads.

locals {
  ship_from = "${path.module}/../../../infra/observability/logs"

  ship = {
    tools   = flatten([for l in var.logs[*] : ["rsyslog", "rsyslog-elasticsearch"]])
    units   = [for l in var.logs[*] : "meridian-ship.service"]
    secrets = merge({}, [for l in var.logs[*] : { logs-password = l.secret.name }]...)
    files = merge({}, [for l in var.logs[*] : merge({
      "/etc/meridian-ship/rsyslog.conf"           = file("${local.ship_from}/rsyslog.conf")
      "/etc/meridian-ship/ship.conf"              = file("${local.ship_from}/ship.conf")
      "/etc/systemd/system/meridian-ship.service" = file("${local.ship_from}/meridian-ship.service")
      "/etc/meridian-ship/address" = join("", [
        "ELASTICSEARCH=${l.url}\n",
        "ELASTICSEARCH_USER=${l.user}\n",
        "ELASTICSEARCH_CA=${l.authority == "" ? "/etc/ssl/certs/ca-certificates.crt" : "/etc/meridian-ship/authority.pem"}\n",
      ])
    }, { for file, pem in { "/etc/meridian-ship/authority.pem" = l.authority } : file => pem if pem != "" })]...)
  }
}
