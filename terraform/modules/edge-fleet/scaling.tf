# R33: out on any of four, in on both of two, a host at a time and after a grace. The figures are the sizing module's.

locals {
  group_dimension = { AutoScalingGroupName = aws_autoscaling_group.this.name }

  out = {
    cpu         = { namespace = "AWS/EC2", metric = "CPUUtilization", threshold = var.scaling.cpu_high_percent, minutes = var.scaling.cpu_high_minutes }
    memory      = { namespace = "Meridian", metric = "MemoryPercent", threshold = var.scaling.memory_high_percent, minutes = var.scaling.memory_high_minutes }
    connections = { namespace = "Meridian", metric = "ConnectionsPercent", threshold = var.scaling.connections_high_percent, minutes = var.scaling.connections_high_minutes }
    response    = { namespace = "Meridian", metric = "ResponseMs", threshold = var.scaling.response_high_ms, minutes = var.scaling.response_high_minutes }
  }
}

resource "aws_autoscaling_policy" "out" {
  region                    = var.cloud_region
  name                      = "${local.group}-out"
  autoscaling_group_name    = aws_autoscaling_group.this.name
  policy_type               = "StepScaling"
  adjustment_type           = "PercentChangeInCapacity"
  min_adjustment_magnitude  = 1
  metric_aggregation_type   = "Average"
  estimated_instance_warmup = 120

  step_adjustment {
    metric_interval_lower_bound = 0
    metric_interval_upper_bound = 10
    scaling_adjustment          = 10
  }
  step_adjustment {
    metric_interval_lower_bound = 10
    scaling_adjustment          = 30
  }
}

resource "aws_cloudwatch_metric_alarm" "out" {
  for_each            = local.out
  region              = var.cloud_region
  alarm_name          = "${local.group}-${each.key}-high"
  alarm_description   = "R33: ${each.value.metric} above ${each.value.threshold} for ${each.value.minutes} min adds hosts"
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = local.group_dimension
  statistic           = "Average"
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  period              = 60
  evaluation_periods  = each.value.minutes
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_autoscaling_policy.out.arn]
}

# Simple and not step scaling, because only a simple policy has a cooldown: R33's grace between two hosts that leave.
resource "aws_autoscaling_policy" "in" {
  region                 = var.cloud_region
  name                   = "${local.group}-in"
  autoscaling_group_name = aws_autoscaling_group.this.name
  policy_type            = "SimpleScaling"
  adjustment_type        = "ChangeInCapacity"
  scaling_adjustment     = -1
  cooldown               = var.scaling.grace_minutes * 60
}

# Both at once: a composite alarm cannot move a group, a formula can.
resource "aws_cloudwatch_metric_alarm" "in" {
  region              = var.cloud_region
  alarm_name          = "${local.group}-idle"
  alarm_description   = "R33: CPU below ${var.scaling.cpu_low_percent} % and connections below ${var.scaling.connections_low_percent} % for ${var.scaling.low_minutes} min drains a host"
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  evaluation_periods  = var.scaling.low_minutes
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_autoscaling_policy.in.arn]

  metric_query {
    id          = "idle"
    label       = "both low"
    expression  = "IF(cpu < ${var.scaling.cpu_low_percent} AND connections < ${var.scaling.connections_low_percent}, 1, 0)"
    return_data = true
  }
  dynamic "metric_query" {
    for_each = { cpu = local.out.cpu, connections = local.out.connections }
    content {
      id = metric_query.key
      metric {
        namespace   = metric_query.value.namespace
        metric_name = metric_query.value.metric
        dimensions  = local.group_dimension
        stat        = "Average"
        period      = 60
      }
    }
  }
}

# Grows ahead of the alarms as players arrive; shrinking is R33's alone.
resource "aws_autoscaling_policy" "track" {
  region                    = var.cloud_region
  name                      = "${local.group}-track-connections"
  autoscaling_group_name    = aws_autoscaling_group.this.name
  policy_type               = "TargetTrackingScaling"
  estimated_instance_warmup = 120

  target_tracking_configuration {
    target_value     = var.scaling.track_connections
    disable_scale_in = true
    customized_metric_specification {
      namespace   = local.out.connections.namespace
      metric_name = local.out.connections.metric
      statistic   = "Average"
      metric_dimension {
        name  = "AutoScalingGroupName"
        value = aws_autoscaling_group.this.name
      }
    }
  }
}

# Rolls an instance refresh back: new hosts that do not become healthy.
resource "aws_cloudwatch_metric_alarm" "unhealthy" {
  region              = var.cloud_region
  alarm_name          = "${local.group}-unhealthy"
  alarm_description   = "Edge hosts that the balancer finds unhealthy"
  namespace           = "AWS/NetworkELB"
  metric_name         = "UnHealthyHostCount"
  dimensions          = { LoadBalancer = aws_lb.this.arn_suffix, TargetGroup = aws_lb_target_group.this.arn_suffix }
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 60
  evaluation_periods  = 15 # a draining host is unhealthy, too, and may be for a while
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topics
}
