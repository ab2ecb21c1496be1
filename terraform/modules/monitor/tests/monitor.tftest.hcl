run "hosts_find_it_by_name" {
  assert {
    condition     = output.metrics_url == "http://prometheus.north.kit.internal:9090/api/v1/write" && one(aws_route53_record.this.records) == aws_instance.this.private_ip
    error_message = "${output.metrics_url} is ${jsonencode(aws_route53_record.this.records)}"
  }
}

run "it_holds_every_rule_and_tells_the_topic" {
  command = plan
  assert {
    condition     = length([for path in keys(local.files) : path if startswith(path, "/etc/meridian-watch/rules/")]) == 5
    error_message = jsonencode(keys(local.files))
  }
  assert {
    condition     = length(regexall("arn:aws:sns:eu-north-1:123456789012:kit-north-alarms", local.files["/etc/meridian-watch/alertmanager.yml"])) == 2
    error_message = local.files["/etc/meridian-watch/alertmanager.yml"]
  }
}

run "a_region_that_outgrew_it_is_refused" {
  command = plan
  variables {
    size = { series = 2000000, retention_days = 15, memory_mib = 16137, volume_gib = 644 }
  }
  expect_failures = [aws_instance.this]
}

run "a_watchdog_in_the_clear_is_refused" {
  command = plan
  variables {
    watchdog_url = "http://example.com/"
  }
  expect_failures = [var.watchdog_url]
}
