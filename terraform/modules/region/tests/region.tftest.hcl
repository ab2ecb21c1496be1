variables {
  region = "north"
  settings = {
    account_id             = "123456789012"
    release                = "1.0.0"
    token                  = { issuer = "https://login.test", audience = "kit", guests = false }
    redis_shards_per_group = 3
  }
}

run "footprint" {
  command = plan
  variables {
    footprint_file = "../regions/tests/three.yaml"
  }
  module {
    source = "../regions"
  }
}

run "a_region_is_complete_in_itself" {
  variables {
    footprint = { name = run.footprint.name, dns = run.footprint.dns, regions = run.footprint.regions }
  }
  assert {
    condition     = length(output.players.ipv4) == 3 && length(output.players.ipv6) == 3 && length(output.secrets) == 13
    error_message = jsonencode(output.players)
  }
  assert {
    condition     = output.size.fleet.min_hosts == 3 && output.size.redis.groups == 1 && output.size.drain.seconds == 1800
    error_message = jsonencode(output.size)
  }
}

run "managed_redis_and_route_53_need_no_hosts_for_them" {
  command = plan
  variables {
    footprint = { name = run.footprint.name, dns = run.footprint.dns, regions = run.footprint.regions }
    settings  = merge(var.settings, { redis = "managed", dns = "route53" })
  }
  assert {
    condition     = !contains(keys(output.secrets), "redis-key") && output.place.redis == "managed"
    error_message = jsonencode(output.secrets)
  }
  assert {
    condition     = strcontains(output.promise, "can be lost")
    error_message = output.promise
  }
}

run "a_region_that_the_footprint_does_not_know_is_refused" {
  command = plan
  variables {
    region    = "east"
    footprint = { name = run.footprint.name, dns = run.footprint.dns, regions = { north = run.footprint.regions.north } }
  }
  expect_failures = [var.region]
}

run "log_lines_need_one_secret_more" {
  command = plan
  variables {
    footprint = { name = run.footprint.name, dns = run.footprint.dns, regions = run.footprint.regions }
    settings  = merge(var.settings, { logs = { url = "https://logs.test:9200", user = "shipper" } })
  }
  assert {
    condition     = contains(keys(output.secrets), "logs-password") && output.name_server.logs.secret.name == output.secrets["logs-password"]
    error_message = jsonencode(output.secrets)
  }
}

run "nobody_is_no_user" {
  command = plan
  variables {
    footprint = { name = run.footprint.name, dns = run.footprint.dns, regions = run.footprint.regions }
    settings  = merge(var.settings, { logs = { url = "https://logs.test:9200" } })
  }
  expect_failures = [var.settings]
}
