# A region's network: one VPC over three zones, IPv4 and IPv6, and a subnet a tier and zone. Only the public tier has addresses that the world
# can reach; the others get out (Debian's packages, AWS' interfaces) through NAT, and over IPv6 through a gateway that lets nobody in. Players'
# traffic never passes NAT: the balancer hands it to the edges inside.

locals {
  in_region    = { for name, s in var.subnets : name => s if contains(var.tiers, s.tier) && contains(var.zones, s.zone) }
  public       = { for name, s in local.in_region : name => s if s.tier == "public" }
  inner        = { for name, s in local.in_region : name => s if s.tier != "public" }
  inner_routed = { for name, s in local.inner : name => s if var.nat }
}

data "aws_availability_zones" "this" {
  region = var.cloud_region
  state  = "available"
}

resource "aws_vpc" "this" {
  region                           = var.cloud_region
  cidr_block                       = var.network_ipv4
  assign_generated_ipv6_cidr_block = true
  enable_dns_support               = true
  enable_dns_hostnames             = true
  tags                             = { Name = var.name }
}

# What is not given a group of its own can talk to nobody.
resource "aws_default_security_group" "closed" {
  region = var.cloud_region
  vpc_id = aws_vpc.this.id
  tags   = { Name = "${var.name}-closed" }
}

resource "aws_subnet" "this" {
  for_each                        = local.in_region
  region                          = var.cloud_region
  vpc_id                          = aws_vpc.this.id
  availability_zone               = data.aws_availability_zones.this.names[each.value.zone_at]
  cidr_block                      = each.value.ipv4
  ipv6_cidr_block                 = cidrsubnet(aws_vpc.this.ipv6_cidr_block, each.value.ipv6_bits, each.value.ipv6_at)
  assign_ipv6_address_on_creation = true
  map_public_ip_on_launch         = false
  tags                            = { Name = "${var.name}-${each.key}", tier = each.value.tier }
}

resource "aws_internet_gateway" "this" {
  region = var.cloud_region
  vpc_id = aws_vpc.this.id
  tags   = { Name = var.name }
}

resource "aws_egress_only_internet_gateway" "this" {
  region = var.cloud_region
  vpc_id = aws_vpc.this.id
  tags   = { Name = var.name }
}

resource "aws_route_table" "public" {
  region = var.cloud_region
  vpc_id = aws_vpc.this.id
  tags   = { Name = "${var.name}-public" }
}

resource "aws_route" "public" {
  for_each                    = { ipv4 = "0.0.0.0/0", ipv6 = "::/0" }
  region                      = var.cloud_region
  route_table_id              = aws_route_table.public.id
  destination_cidr_block      = each.key == "ipv4" ? each.value : null
  destination_ipv6_cidr_block = each.key == "ipv6" ? each.value : null
  gateway_id                  = aws_internet_gateway.this.id
}

resource "aws_route_table_association" "public" {
  for_each       = local.public
  region         = var.cloud_region
  subnet_id      = aws_subnet.this[each.key].id
  route_table_id = aws_route_table.public.id
}

# One NAT a zone: a lost zone must not take the others' way out along.
resource "aws_eip" "nat" {
  for_each = var.nat ? local.public : {}
  region   = var.cloud_region
  domain   = "vpc"
  tags     = { Name = "${var.name}-nat-${each.value.zone}" }
}

resource "aws_nat_gateway" "this" {
  for_each      = var.nat ? local.public : {}
  region        = var.cloud_region
  allocation_id = aws_eip.nat[each.key].id
  subnet_id     = aws_subnet.this[each.key].id
  tags          = { Name = "${var.name}-${each.value.zone}" }
  depends_on    = [aws_internet_gateway.this]
}

# A table a subnet: the routers' tables alone get routes to other regions.
resource "aws_route_table" "inner" {
  for_each = local.inner
  region   = var.cloud_region
  vpc_id   = aws_vpc.this.id
  tags     = { Name = "${var.name}-${each.key}" }
}

resource "aws_route" "inner_ipv4" {
  for_each               = local.inner_routed
  region                 = var.cloud_region
  route_table_id         = aws_route_table.inner[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this["public-${each.value.zone}"].id
}

resource "aws_route" "inner_ipv6" {
  for_each                    = local.inner
  region                      = var.cloud_region
  route_table_id              = aws_route_table.inner[each.key].id
  destination_ipv6_cidr_block = "::/0"
  egress_only_gateway_id      = aws_egress_only_internet_gateway.this.id
}

resource "aws_route_table_association" "inner" {
  for_each       = local.inner
  region         = var.cloud_region
  subnet_id      = aws_subnet.this[each.key].id
  route_table_id = aws_route_table.inner[each.key].id
}

# Packages come from the bucket without touching NAT.
resource "aws_vpc_endpoint" "s3" {
  region            = var.cloud_region
  vpc_id            = aws_vpc.this.id
  vpc_endpoint_type = "Gateway"
  service_name      = "com.amazonaws.${var.cloud_region}.s3"
  route_table_ids   = concat([aws_route_table.public.id], [for t in aws_route_table.inner : t.id])
  tags              = { Name = "${var.name}-s3" }
}

# Names inside the region: edges find Redis and routers by them, certificates are made out to them.
resource "aws_route53_zone" "private" {
  name    = var.private_zone
  comment = "inside ${var.name}"
  vpc {
    vpc_id     = aws_vpc.this.id
    vpc_region = var.cloud_region
  }
}
