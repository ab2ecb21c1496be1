run "reads_what_the_footprint_says" {
  command = plan
  assert {
    condition     = output.name == "kit" && output.dns.zone == "play.test" && length(output.regions) == 3
    error_message = jsonencode(output.regions)
  }
  assert {
    condition     = output.regions.north.hostname == "north.play.test" && output.regions.north.private_zone == "north.kit.internal"
    error_message = jsonencode(output.regions.north)
  }
}

run "every_pair_of_regions_is_linked_once" {
  command = plan
  assert {
    condition     = sort(keys(output.links)) == tolist(["north--south", "north--west", "south--west"])
    error_message = jsonencode(output.links)
  }
}

run "networks_lie_in_the_region_and_do_not_overlap" {
  command = plan
  assert {
    condition = (output.regions.north.subnets["public-a"].ipv4 == "10.1.0.0/20" && output.regions.north.subnets["edge-c"].ipv4 == "10.1.96.0/20" &&
    output.regions.north.subnets["redis-a"].ipv4 == "10.1.128.0/24" && output.regions.north.subnets["router-b"].ipv4 == "10.1.137.0/24")
    error_message = jsonencode(output.regions.north.subnets)
  }
  assert {
    condition     = length(distinct([for s in output.regions.north.subnets : s.ipv4])) == 12 && length(distinct([for s in output.regions.north.subnets : s.ipv6_at])) == 12
    error_message = "twelve subnets, all different"
  }
}

run "each_region_knows_who_is_nearest" {
  command = plan
  assert {
    condition     = output.regions.north.nearest == ["north", "west", "south"] && output.regions.west.nearest == ["west", "north", "south"]
    error_message = jsonencode(output.regions.north)
  }
}

run "shares_that_do_not_sum_up_are_refused" {
  command = plan
  variables {
    footprint_file = "./tests/wrong.yaml"
  }
  expect_failures = [output.regions]
}

run "a_missing_file_is_refused" {
  command = plan
  variables {
    footprint_file = "./tests/none.yaml"
  }
  expect_failures = [var.footprint_file]
}
