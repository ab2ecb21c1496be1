variables {
  home_region = "eu-north-1"
  settings    = { account_id = "123456789012", release = "1.0.0", dns = "route53" }
  regions = { for name in ["north", "south", "west"] : name => {
    link        = { vpc_id = "vpc-${name}", router_tables = { a = "rtb-${name}-a", b = "rtb-${name}-b", c = "rtb-${name}-c" } }
    players     = { ipv4 = ["192.0.2.1"], ipv6 = ["2001:db8::1"], balancer = { dns_name = "${name}.elb.test", zone_id = "ZLB", arn_suffix = "net/x/1" } }
    name_server = { subnet_id = "subnet-1", group = "sg-1", bucket = "b", bucket_arn = "arn:aws:s3:::b", key_arn = "arn:aws:kms:::key/k", routers = ["r:7300"], image_id = "ami-1", metrics_url = "http://prometheus.r.internal:9090/api/v1/write", logs = name == "north" ? { url = "https://logs.test:9200", user = "shipper", authority = "", secret = { name = "kit/north/logs-password", arn = "arn:x" } } : null }
  } }
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

run "three_regions_are_three_links_known_to_routers_alone" {
  variables {
    footprint = { name = run.footprint.name, dns = run.footprint.dns, regions = run.footprint.regions, links = run.footprint.links, document = run.footprint.document }
  }
  assert {
    condition     = length(output.links) == 3 && length(aws_route.peer) == 18
    error_message = "a pair each; two ways, three zones"
  }
  assert {
    condition     = aws_route.peer["north--south:south-b"].route_table_id == "rtb-south-b" && aws_route.peer["north--south:south-b"].destination_cidr_block == "10.1.136.0/22"
    error_message = jsonencode(aws_route.peer["north--south:south-b"])
  }
  assert {
    condition     = length(output.registries) == 3
    error_message = jsonencode(output.registries)
  }
}

run "name_servers_of_ours" {
  command = plan
  variables {
    footprint = { name = run.footprint.name, dns = run.footprint.dns, regions = run.footprint.regions, links = run.footprint.links, document = run.footprint.document }
    settings  = { account_id = "123456789012", release = "1.0.0", dns = "gdnsd" }
  }
  assert {
    condition     = output.names == ["play.test", "north.play.test", "south.play.test", "west.play.test"]
    error_message = jsonencode(output.names)
  }
}

run "a_region_that_was_not_applied_is_missed" {
  command = plan
  variables {
    footprint = { name = run.footprint.name, dns = run.footprint.dns, regions = run.footprint.regions, links = run.footprint.links, document = run.footprint.document }
    regions   = {}
  }
  expect_failures = [var.regions]
}
