# What wakes somebody up when Prometheus cannot: alarms on what AWS alone sees. What the services say of themselves is Prometheus' business.

locals {
  balancer = { LoadBalancer = var.balancer_arn_suffix }

  alarms = {
    balancer-ports = {
      why       = "the balancer ran out of ports towards a host: more secondary addresses (sizing)"
      namespace = "AWS/NetworkELB", metric = "PortAllocationErrorCount", dimensions = local.balancer
      statistic = "Sum", over = true, threshold = 0, minutes = 1, missing = "notBreaching"
    }
    balancer-resets = {
      why       = "connections reset by the balancer: nothing here should"
      namespace = "AWS/NetworkELB", metric = "TCP_ELB_Reset_Count", dimensions = local.balancer
      statistic = "Sum", over = true, threshold = 1000, minutes = 5, missing = "notBreaching"
    }
    fleet-small = {
      why       = "fewer edge hosts in service than the least"
      namespace = "AWS/AutoScaling", metric = "GroupInServiceInstances", dimensions = { AutoScalingGroupName = var.group }
      statistic = "Minimum", over = false, threshold = var.min_hosts, minutes = 10, missing = "breaching"
    }
    fleet-full = {
      why       = "the fleet is as large as it may be: the region is about to refuse players"
      namespace = "AWS/AutoScaling", metric = "GroupDesiredCapacity", dimensions = { AutoScalingGroupName = var.group }
      statistic = "Maximum", over = true, threshold = var.max_hosts - 1, minutes = 5, missing = "notBreaching"
    }
    agents-silent = {
      why       = "no edge host reports its connections: scaling is blind"
      namespace = "Meridian", metric = "ConnectionsPercent", dimensions = { AutoScalingGroupName = var.group }
      statistic = "SampleCount", over = false, threshold = 1, minutes = 5, missing = "breaching"
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each            = local.alarms
  region              = var.cloud_region
  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.why
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  comparison_operator = each.value.over ? "GreaterThanThreshold" : "LessThanThreshold"
  threshold           = each.value.threshold
  period              = 60
  evaluation_periods  = each.value.minutes
  treat_missing_data  = each.value.missing
  alarm_actions       = [var.topic]
  ok_actions          = [var.topic]
}

# Routers and Redis hosts are few and each one counts.
resource "aws_cloudwatch_metric_alarm" "host" {
  for_each            = var.instances
  region              = var.cloud_region
  alarm_name          = "${var.name}-host-${each.key}"
  alarm_description   = "the machine below ${each.key} failed; AWS tries to recover it"
  namespace           = "AWS/EC2"
  metric_name         = "StatusCheckFailed"
  dimensions          = { InstanceId = each.value }
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 60
  evaluation_periods  = 2
  treat_missing_data  = "breaching"
  alarm_actions       = [var.topic]
}
