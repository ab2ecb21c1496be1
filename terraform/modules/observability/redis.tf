# Managed Redis, node by node: no host of ours stands beside it, and an exporter elsewhere would need the store's password there and an open way to
# every node, to be told what ElastiCache says anyway. Figures are those of infra/observability/rules/store.yml where there is one.
#
# Failovers are seen by who is primary, and not by ElastiCache's own events: those go to no topic that is encrypted.

locals {
  redis = {
    busy = {
      why    = "its one core is nearly full (sizing plans 60 %), or it says nothing at all: runbooks/alerts/DurableCallsSlow.md, RedisNodeDown.md"
      metric = "EngineCPUUtilization", statistic = "Average", threshold = 80, minutes = 5, missing = "breaching"
    }
    memory = {
      why    = "at 100 % it refuses writes: runbooks/alerts/RedisMemoryHigh.md"
      metric = "DatabaseMemoryUsagePercentage", statistic = "Maximum", threshold = 80, minutes = 5, missing = "notBreaching"
    }
    evictions = {
      why    = "it throws games away: maxmemory-policy is not noeviction any more"
      metric = "Evictions", statistic = "Sum", threshold = 0, minutes = 1, missing = "notBreaching"
    }
    connections = {
      why    = "80 % of the 65,000 that a node takes: runbooks/alerts/RedisConnectionsHigh.md"
      metric = "CurrConnections", statistic = "Maximum", threshold = 52000, minutes = 5, missing = "notBreaching"
    }
    lag = {
      why    = "a replica is more than a second behind, so moves wait for the other one: runbooks/alerts/StorageShort.md"
      metric = "ReplicationLag", statistic = "Maximum", threshold = 1, minutes = 2, missing = "notBreaching" # a primary has none
    }
  }
  redis_alarms = { for pair in setproduct(var.redis_nodes, keys(local.redis)) : "${pair[0]}-${pair[1]}" => merge(local.redis[pair[1]], { node = pair[0] }) }
}

resource "aws_cloudwatch_metric_alarm" "redis" {
  for_each            = local.redis_alarms
  region              = var.cloud_region
  alarm_name          = each.key
  alarm_description   = "Redis node ${each.value.node}: ${each.value.why}"
  namespace           = "AWS/ElastiCache"
  metric_name         = each.value.metric
  dimensions          = { CacheClusterId = each.value.node }
  statistic           = each.value.statistic
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  period              = 60
  evaluation_periods  = each.value.minutes
  treat_missing_data  = each.value.missing
  alarm_actions       = [var.topic]
  ok_actions          = [var.topic]
}

# Says it once and is quiet again by itself: which node is primary does not matter, that it changed does.
resource "aws_cloudwatch_metric_alarm" "redis_promoted" {
  for_each            = var.redis_nodes
  region              = var.cloud_region
  alarm_name          = "${each.key}-promoted"
  alarm_description   = "Redis node ${each.key} became a primary: its shard failed over, and what only the old one had is gone: runbooks/procedures/redis-primary-lost.md"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 2
  datapoints_to_alarm = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.topic]

  metric_query {
    id          = "promoted"
    label       = "became primary"
    expression  = "DIFF(primary)"
    return_data = true
  }
  metric_query {
    id = "primary"
    metric {
      namespace   = "AWS/ElastiCache"
      metric_name = "IsMaster"
      dimensions  = { CacheClusterId = each.key }
      stat        = "Maximum"
      period      = 60
    }
  }
}
