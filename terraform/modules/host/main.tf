# What a host is told when it is born: a cloud-init document of files and one command. No provider: it only writes text.
#
# JSON and not templates: a document that is data cannot be broken by what is put into it (JSON is YAML). It is compressed, because user data has
# 16 KiB. It holds names of secrets, never secrets.

locals {
  env = merge({
    AWS_DEFAULT_REGION = var.cloud_region
    BUCKET             = var.bucket
    RELEASE            = var.release
    PACKAGES           = join(" ", var.packages)
    TOOLS              = join(" ", concat(var.tools, local.watch.tools, local.ship.tools))
    UNITS              = join(" ", concat(var.units, local.watch.units, local.ship.units, ["meridian-secrets.timer"]))
    OWNER              = var.owner
    PROCESSES          = tostring(var.processes)
    ADMIN_PORT         = tostring(var.admin_port)
    BUS_PORT           = tostring(var.bus_port)
    DATA_DIR           = var.data_dir
    RELOADS            = var.reloads
  }, var.environment)

  files = merge({
    "/etc/meridian/host.env"       = join("", [for k, v in local.env : "export ${k}='${v}'\n"])
    "/etc/meridian/secrets.list"   = join("", [for file, secret in merge(var.secrets, local.ship.secrets) : "${secret} ${file}\n"])
    "/usr/local/lib/meridian/boot" = file("${path.module}/files/boot")

    "/etc/systemd/system/meridian-secrets.service" = <<-UNIT
      [Unit]
      Description=New values of this host's secrets
      [Service]
      Type=oneshot
      ExecStart=/usr/local/lib/meridian/boot --secrets
    UNIT
    "/etc/systemd/system/meridian-secrets.timer"   = <<-UNIT
      [Unit]
      Description=Looks for new values of this host's secrets
      [Timer]
      OnActiveSec=15min
      OnUnitActiveSec=15min
      RandomizedDelaySec=5min
      [Install]
      WantedBy=timers.target
    UNIT
  }, local.watch.files, local.ship.files, var.files)

  document = {
    write_files = [for path, content in local.files : {
      path        = path
      content     = content
      permissions = startswith(path, "/usr/local/lib/meridian/") ? "0755" : "0644"
    }]
    runcmd = [["/usr/local/lib/meridian/boot"]]
  }
}
