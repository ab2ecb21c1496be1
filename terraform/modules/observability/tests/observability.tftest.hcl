run "every_host_that_counts_is_watched" {
  assert {
    condition     = length(output.alarms) == 7 && contains(output.alarms, "kit-north-host-redis-g1-a")
    error_message = jsonencode(output.alarms)
  }
}

run "a_full_fleet_is_told_before_it_refuses" {
  command = plan
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["fleet-full"].threshold == 8 && aws_cloudwatch_metric_alarm.this["fleet-small"].threshold == 3
    error_message = "9 hosts at most, 3 at least"
  }
}
