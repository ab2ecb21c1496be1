run "ten_million_players_need_the_reference_s_order_of_hosts" {
  command = plan
  assert {
    condition     = output.fleet.connections_per_host == 160000
    error_message = "20,000 a core, 16 cores, safety 2: ${output.fleet.connections_per_host}"
  }
  assert {
    condition     = output.fleet.full_hosts == 30 && output.fleet.min_hosts == 8 && output.fleet.max_hosts == 37
    error_message = jsonencode(output.fleet)
  }
  assert {
    condition     = output.balancer.secondary_addresses == 0
    error_message = "160,000 connections fit three addresses of 55,000"
  }
  assert {
    condition     = output.redis.moves_per_second == 112500 && output.redis.shards == 60 && output.redis.groups == 10
    error_message = jsonencode(output.redis)
  }
}

run "prometheus_grows_with_the_region" {
  command = plan
  assert {
    condition     = output.monitor.series == 36 * 16 * 450 + 2 * 280 + 180 * 450 + 80 && output.monitor.memory_mib < 16 * 1024 && output.monitor.volume_gib == 110
    error_message = jsonencode(output.monitor)
  }
}

run "a_small_region_still_stands_in_three_zones" {
  command = plan
  variables {
    capacity_players       = 500
    redis_shards_per_group = 3
  }
  assert {
    condition     = output.fleet.min_hosts == 3 && output.redis.shards == 3 && output.redis.groups == 1
    error_message = jsonencode([output.fleet, output.redis])
  }
}

run "a_host_of_half_a_million_connections_needs_more_balancer_addresses" {
  command = plan
  variables {
    connections_per_core = 62500
  }
  assert {
    condition     = output.fleet.connections_per_host == 500000 && output.balancer.secondary_addresses == 3
    error_message = jsonencode(output.balancer)
  }
}

run "a_host_beyond_the_balancer_s_addresses_is_refused" {
  command = plan
  variables {
    connections_per_core = 250000
  }
  expect_failures = [output.balancer]
}

run "the_hook_outlasts_the_drain" {
  command = plan
  assert {
    condition     = output.drain.hook_seconds > output.drain.seconds && output.drain.seconds == 1800
    error_message = jsonencode(output.drain)
  }
}

run "r33_word_for_word" {
  command = plan
  assert {
    condition = (output.scaling.cpu_high_percent == 70 && output.scaling.cpu_high_minutes == 5 && output.scaling.memory_high_percent == 80 &&
      output.scaling.memory_high_minutes == 3 && output.scaling.connections_high_percent == 80 && output.scaling.response_high_ms == 100 &&
    output.scaling.cpu_low_percent == 30 && output.scaling.low_minutes == 15 && output.scaling.connections_low_percent == 40 && output.scaling.grace_minutes == 30)
    error_message = jsonencode(output.scaling)
  }
}

run "nonsense_is_refused" {
  command = plan
  variables {
    quiet_share            = 0
    redis_shards_per_group = 4
  }
  expect_failures = [var.quiet_share, var.redis_shards_per_group]
}
