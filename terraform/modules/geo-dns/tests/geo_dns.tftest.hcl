run "a_name_server_a_region_with_a_fixed_address" {
  assert {
    condition     = sort(keys(output.name_servers.addresses)) == tolist(["ns-north.test", "ns-south.test"])
    error_message = jsonencode(output.name_servers)
  }
  assert {
    condition     = aws_route53_record.delegation["this"].name == "play.test" && aws_route53_record.delegation["this"].type == "NS"
    error_message = "the parent zone delegates ours"
  }
  assert {
    condition     = jsonencode([for r in local.footprint.regions : r.addresses]) == jsonencode([["192.0.2.1", "2001:db8::1"], ["192.0.2.2", "2001:db8::2"]])
    error_message = jsonencode(local.footprint)
  }
}

run "or_route_53_and_never_both" {
  variables {
    kind           = "route53"
    parent_zone_id = ""
  }
  assert {
    condition     = length(aws_instance.this) == 0 && length(aws_eip.this) == 0 && length(aws_route53_record.nearest) == 4 && length(aws_route53_record.region) == 4
    error_message = "two regions, two families, the common name and their own"
  }
  assert {
    condition     = output.names == ["play.test", "north.play.test", "south.play.test"]
    error_message = jsonencode(output.names)
  }
}

run "a_third_way_is_refused" {
  command = plan
  variables {
    kind = "hosts-file"
  }
  expect_failures = [var.kind]
}
