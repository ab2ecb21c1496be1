# ElastiCache for Valkey in cluster mode, over three zones, encrypted on the wire and at rest.
#
# The user is made switched off and without a password of use, because what Terraform sets it also writes into its state. The operator switches
# it on with the password of the region's secret (README, "Managed Redis"), and Terraform leaves that alone.

locals {
  id             = "${var.name}-redis"
  nodes_of_shard = 3
}

resource "aws_elasticache_subnet_group" "this" {
  region     = var.cloud_region
  name       = "${var.name}-redis"
  subnet_ids = var.subnet_ids
}

# Settings that our function library and the clients count on.
resource "aws_elasticache_parameter_group" "this" {
  region      = var.cloud_region
  name        = "${var.name}-redis"
  family      = "valkey8"
  description = "${var.name}: nothing is thrown away, a cluster answers with the shards it has"

  dynamic "parameter" {
    for_each = { cluster-enabled = "yes", maxmemory-policy = "noeviction", cluster-require-full-coverage = "no" }
    content {
      name  = parameter.key
      value = parameter.value
    }
  }
}

resource "aws_elasticache_user" "meridian" {
  region        = var.cloud_region
  user_id       = "${var.name}-app"
  user_name     = "meridian"
  engine        = "valkey"
  access_string = "off ~* &* +@all"

  authentication_mode {
    type      = "password"
    passwords = ["switched-off-until-the-operator-sets-one"]
  }

  lifecycle {
    ignore_changes = [access_string, authentication_mode]
  }
}

resource "aws_elasticache_user_group" "this" {
  region        = var.cloud_region
  engine        = "valkey"
  user_group_id = "${var.name}-redis"
  user_ids      = [aws_elasticache_user.meridian.user_id]
}

resource "aws_elasticache_replication_group" "this" {
  region                     = var.cloud_region
  replication_group_id       = local.id
  description                = "${var.name}: games, registry, outboxes"
  engine                     = "valkey"
  engine_version             = "8.0"
  node_type                  = var.node_type
  port                       = var.port
  cluster_mode               = "enabled"
  num_node_groups            = var.shards
  replicas_per_node_group    = local.nodes_of_shard - 1
  automatic_failover_enabled = true
  multi_az_enabled           = true
  transit_encryption_enabled = true
  transit_encryption_mode    = "required"
  at_rest_encryption_enabled = "true"
  kms_key_id                 = var.key_arn
  user_group_ids             = [aws_elasticache_user_group.this.user_group_id]
  parameter_group_name       = aws_elasticache_parameter_group.this.name
  subnet_group_name          = aws_elasticache_subnet_group.this.name
  security_group_ids         = [var.group]
  snapshot_retention_limit   = 7
  apply_immediately          = false
  auto_minor_version_upgrade = "true"
}
