run "it_holds_every_rule_and_tells_the_topic" {
  command = plan
  assert {
    condition     = length([for path in keys(output.files) : path if startswith(path, "/etc/meridian-watch/rules/")]) == 5
    error_message = jsonencode(keys(output.files))
  }
  assert {
    condition     = length(regexall("arn:aws:sns:eu-north-1:123456789012:kit-north-alarms", output.files["/etc/meridian-watch/alertmanager.yml"])) == 2
    error_message = output.files["/etc/meridian-watch/alertmanager.yml"]
  }
}

run "it_listens_where_it_is_told" {
  command = plan
  variables {
    listen  = "0.0.0.0:9090"
    options = ["--web.enable-remote-write-receiver"]
  }
  assert {
    condition     = strcontains(output.files["/etc/systemd/system/prometheus.service"], "--web.listen-address=0.0.0.0:9090 ") && strcontains(output.files["/etc/systemd/system/prometheus.service"], "=15d --web.enable-remote-write-receiver\n")
    error_message = output.files["/etc/systemd/system/prometheus.service"]
  }
}

run "a_watchdog_in_the_clear_is_refused" {
  command = plan
  variables {
    watchdog_url = "http://example.com/"
  }
  expect_failures = [var.watchdog_url]
}
