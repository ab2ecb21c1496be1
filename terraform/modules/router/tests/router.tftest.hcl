run "two_routers_in_two_zones_with_fixed_names" {
  assert {
    condition     = output.links == ["router-a.north.kit.internal:7300", "router-b.north.kit.internal:7300"]
    error_message = jsonencode(output.links)
  }
  assert {
    condition     = aws_instance.this["a"].private_ip == "10.1.136.10" && aws_instance.this["b"].private_ip == "10.1.137.10"
    error_message = "the addresses that their names stand for"
  }
}

run "the_electable_set_goes_with_the_full_promise" {
  command = plan
  assert {
    condition     = local.config["a"].electable_set == true
    error_message = jsonencode(local.config["a"])
  }
}

run "and_not_with_the_weaker_one" {
  command = plan
  variables {
    redis = { nodes = ["managed:6400"], user = "meridian", durability = "one", replicas = 2 }
  }
  assert {
    condition     = local.config["a"].electable_set == false && local.config["a"].redis_durability == "one"
    error_message = jsonencode(local.config["a"])
  }
}

run "one_router_is_refused" {
  command = plan
  variables {
    subnets = { a = { id = "subnet-a", ipv4 = "10.1.136.0/24" } }
  }
  expect_failures = [var.subnets]
}
