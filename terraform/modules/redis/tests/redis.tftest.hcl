run "own_hosts_keep_the_full_promise" {
  assert {
    condition     = output.client.durability == "all" && output.client.replicas == 2 && length(output.instances) == 6 && length(output.managed_nodes) == 0
    error_message = jsonencode(output.client)
  }
  assert {
    condition     = output.client.nodes[0] == "redis-g1-a.north.kit.internal:6400"
    error_message = jsonencode(output.client.nodes)
  }
}

run "managed_says_what_it_does_not_keep" {
  variables {
    kind = "managed"
  }
  assert {
    condition     = output.client.durability == "one" && length(output.client.nodes) == 1 && length(output.instances) == 0 && strcontains(output.promise, "can be lost")
    error_message = jsonencode([output.client, output.promise])
  }
  assert {
    condition     = length(output.managed_nodes) == 3 * var.size.shards && contains(output.managed_nodes, "kit-north-redis-0002-003")
    error_message = jsonencode(output.managed_nodes)
  }
}

run "a_third_kind_is_refused" {
  command = plan
  variables {
    kind = "cheap"
  }
  expect_failures = [var.kind]
}
