run "a_host_may_take_as_long_as_its_drain" {
  assert {
    condition     = one(aws_autoscaling_group.this.initial_lifecycle_hook).heartbeat_timeout == 2100 && output.hook_seconds == 2100
    error_message = "the hook is the sizing module's"
  }
  assert {
    condition     = local.config.drain_deadline_ms == 1800000 && local.config.max_connections == 15000
    error_message = jsonencode(local.config)
  }
  assert {
    condition     = length(output.addresses_ipv4) == 3 && output.addresses_ipv6.a == "2001:db8::100"
    error_message = jsonencode(output.addresses_ipv6)
  }
}

run "a_hook_shorter_than_the_drain_is_refused" {
  command = plan
  variables {
    drain = { seconds = 1800, hook_seconds = 600, deregister_seconds = 1800 }
  }
  expect_failures = [aws_autoscaling_group.this]
}

run "headers_from_anywhere_are_refused" {
  command = plan
  variables {
    balancer_networks = ["0.0.0.0/0"]
  }
  expect_failures = [var.balancer_networks]
}

run "settings_of_the_environment_win" {
  command = plan
  variables {
    settings = { log_level = "debug", max_connections = 5000 }
  }
  assert {
    condition     = local.config.log_level == "debug" && local.config.max_connections == 5000 && local.config.region == "north"
    error_message = jsonencode(local.config)
  }
}

run "geo_agents_find_what_they_ask_for" {
  command = plan
  assert {
    condition     = local.config.echo_enabled
    error_message = jsonencode(local.config)
  }
}

run "pages_of_every_region_may_come" {
  command = plan
  assert {
    condition     = local.config.origins == tolist(["https://play.test", "https://north.play.test", "https://south.play.test"]) && local.config.regions[1] == "south https://south.play.test"
    error_message = jsonencode(local.config)
  }
}

run "guests_need_a_key_and_nobody_else_gets_it" {
  command = plan
  variables {
    token = { issuer = "https://login.test", audience = "kit", guests = false }
  }
  assert {
    condition     = !contains(local.secret_files, "guest-keys") && local.config.guest_keys == ""
    error_message = jsonencode(local.secret_files)
  }
}
