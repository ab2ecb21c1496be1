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

run "a_managed_redis_is_watched_node_by_node" {
  command = plan
  variables {
    redis_nodes = ["kit-north-redis-0001-001", "kit-north-redis-0001-002"]
  }
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.redis) == 10 && length(aws_cloudwatch_metric_alarm.redis_promoted) == 2
    error_message = jsonencode(output.alarms)
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.redis["kit-north-redis-0001-002-memory"].dimensions == tomap({ CacheClusterId = "kit-north-redis-0001-002" })
    error_message = jsonencode(aws_cloudwatch_metric_alarm.redis["kit-north-redis-0001-002-memory"])
  }
}
