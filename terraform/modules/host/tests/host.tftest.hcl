run "a_host_knows_what_to_run_and_where_it_comes_from" {
  command = plan
  assert {
    condition     = strcontains(output.files["/etc/meridian/host.env"], "export RELEASE='1.2.3'\n") && strcontains(output.files["/etc/meridian/host.env"], "export CAPACITY='1000'\n")
    error_message = output.files["/etc/meridian/host.env"]
  }
  assert {
    condition     = output.files["/etc/meridian/secrets.list"] == "kit/north/redis-password redis-password\n"
    error_message = output.files["/etc/meridian/secrets.list"]
  }
}

run "it_fits_user_data" {
  command = plan
  assert {
    condition     = length(output.user_data) < 16384
    error_message = "user data has 16 KiB, this is ${length(output.user_data)} in base64"
  }
}

run "packages_of_somebody_else_are_refused" {
  command = plan
  variables {
    packages = ["nginx"]
    release  = "latest version"
  }
  expect_failures = [var.packages, var.release]
}

run "who_is_watched_writes_to_the_monitor" {
  command = plan
  variables {
    watch = { url = "http://prometheus.north.kit.internal:9090/api/v1/write", region = "north", targets = { "edge-@N@" = { address = "127.0.0.1:@ADMIN_PORT@" } } }
  }
  assert {
    condition     = strcontains(output.files["/etc/meridian-watch/agent.yml"], "url: http://prometheus.north.kit.internal:9090/api/v1/write\n") && strcontains(output.files["/etc/meridian/host.env"], "prometheus.service")
    error_message = output.files["/etc/meridian-watch/agent.yml"]
  }
  assert {
    condition     = jsondecode(output.files["/etc/meridian-watch/targets/edge-@N@.yaml.in"]) == [{ labels = { host = "@HOST@", region = "north" }, targets = ["127.0.0.1:@ADMIN_PORT@"] }]
    error_message = output.files["/etc/meridian-watch/targets/edge-@N@.yaml.in"]
  }
}

run "and_nobody_else_has_an_agent" {
  command = plan
  assert {
    condition     = length([for path in keys(output.files) : path if strcontains(path, "watch") || strcontains(path, "prometheus")]) == 0 && !strcontains(output.files["/etc/meridian/host.env"], "prometheus")
    error_message = jsonencode(keys(output.files))
  }
}

run "targets_of_no_known_job_are_refused" {
  command = plan
  variables {
    watch = { url = "http://p:9090/", region = "north", targets = { "egde" = { address = "127.0.0.1:1" } } }
  }
  expect_failures = [var.watch]
}

run "lines_go_where_they_are_told" {
  command = plan
  variables {
    logs = { url = "https://logs.test:9200", user = "shipper", authority = "", secret = { name = "kit/north/logs-password", arn = "arn:x" } }
  }
  assert {
    condition     = output.files["/etc/meridian-ship/address"] == "ELASTICSEARCH=https://logs.test:9200\nELASTICSEARCH_USER=shipper\nELASTICSEARCH_CA=/etc/ssl/certs/ca-certificates.crt\n"
    error_message = output.files["/etc/meridian-ship/address"]
  }
  assert {
    condition     = strcontains(output.files["/etc/meridian/secrets.list"], "kit/north/logs-password logs-password\n") && strcontains(output.files["/etc/meridian/host.env"], "meridian-ship.service")
    error_message = output.files["/etc/meridian/secrets.list"]
  }
}

run "an_authority_of_ones_own_comes_along" {
  command = plan
  variables {
    logs = { url = "https://logs.test:9200", user = "shipper", authority = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", secret = { name = "s", arn = "arn:x" } }
  }
  assert {
    condition     = strcontains(output.files["/etc/meridian-ship/address"], "\nELASTICSEARCH_CA=/etc/meridian-ship/authority.pem\n") && strcontains(output.files["/etc/meridian-ship/authority.pem"], "MIIB")
    error_message = output.files["/etc/meridian-ship/address"]
  }
}

run "or_nowhere" {
  command = plan
  assert {
    condition     = length([for path in keys(output.files) : path if strcontains(path, "ship")]) == 0 && !strcontains(output.files["/etc/meridian/host.env"], "rsyslog")
    error_message = jsonencode(keys(output.files))
  }
}

run "lines_in_the_clear_are_refused" {
  command = plan
  variables {
    logs = { url = "http://logs.test:9200", user = "ship per", authority = "/etc/ssl/ca.pem", secret = { name = "s", arn = "arn:x" } }
  }
  expect_failures = [var.logs]
}
