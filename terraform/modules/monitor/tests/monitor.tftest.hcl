run "hosts_find_it_by_name" {
  assert {
    condition     = output.metrics_url == "http://prometheus.north.kit.internal:9090/api/v1/write" && one(aws_route53_record.this.records) == aws_instance.this.private_ip
    error_message = "${output.metrics_url} is ${jsonencode(aws_route53_record.this.records)}"
  }
}

run "a_region_that_outgrew_it_is_refused" {
  command = plan
  variables {
    size = { series = 2000000, retention_days = 15, memory_mib = 16137, volume_gib = 644 }
  }
  expect_failures = [aws_instance.this]
}
