run "every_tier_stands_in_every_zone_with_both_families" {
  assert {
    condition     = length(aws_subnet.this) == 12 && length(distinct([for s in aws_subnet.this : s.ipv6_cidr_block])) == 12
    error_message = jsonencode([for s in aws_subnet.this : s.ipv6_cidr_block])
  }
  assert {
    condition     = aws_subnet.this["redis-b"].availability_zone == "eu-north-1b" && aws_subnet.this["redis-b"].cidr_block == "10.1.129.0/24"
    error_message = jsonencode(aws_subnet.this["redis-b"])
  }
  assert {
    condition     = length(aws_nat_gateway.this) == 3 && sort(keys(output.router_tables)) == tolist(["a", "b", "c"])
    error_message = "a NAT and a routers' table a zone"
  }
}

run "only_players_and_names_are_open" {
  command = plan
  assert {
    condition     = sort(keys(aws_vpc_security_group_ingress_rule.open)) == tolist(["dns-tcp-ipv4", "dns-tcp-ipv6", "dns-udp-ipv4", "dns-udp-ipv6", "player-ipv4", "player-ipv6"])
    error_message = jsonencode(keys(aws_vpc_security_group_ingress_rule.open))
  }
  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.peer) == 2
    error_message = "the routers of two other regions"
  }
}

run "without_name_servers_the_players_port_is_the_only_one" {
  command = plan
  variables {
    open_dns_port = false
  }
  assert {
    condition     = alltrue([for r in aws_vpc_security_group_ingress_rule.open : r.from_port == 443 && r.to_port == 443])
    error_message = jsonencode(keys(aws_vpc_security_group_ingress_rule.open))
  }
}

run "one_zone_without_nat_for_one_host" {
  command = plan
  variables {
    tiers = ["public"]
    zones = ["a"]
    nat   = false
  }
  assert {
    condition     = length(aws_subnet.this) == 1 && length(aws_nat_gateway.this) == 0 && length(aws_route_table.inner) == 0
    error_message = jsonencode(keys(aws_subnet.this))
  }
}

run "log_lines_get_out_to_their_port" {
  command = plan
  variables {
    logs_url = "https://logs.test:9200"
  }
  assert {
    condition = sort([for key, r in aws_vpc_security_group_egress_rule.outward : key if r.from_port == 9200]) == tolist([
      "edge-ipv4-9200", "edge-ipv6-9200", "geo-ipv4-9200", "geo-ipv6-9200", "redis-ipv4-9200", "redis-ipv6-9200", "router-ipv4-9200", "router-ipv6-9200"
    ])
    error_message = jsonencode(keys(aws_vpc_security_group_egress_rule.outward))
  }
}

run "a_port_that_is_open_anyway_is_not_opened_twice" {
  command = plan
  variables {
    logs_url = "https://logs.test:443"
  }
  assert {
    condition     = alltrue([for r in aws_vpc_security_group_egress_rule.outward : contains([80, 443], r.from_port)]) && length(aws_vpc_security_group_egress_rule.outward) == 20
    error_message = jsonencode(keys(aws_vpc_security_group_egress_rule.outward))
  }
}
