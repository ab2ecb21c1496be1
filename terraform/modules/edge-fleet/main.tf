# The edges of a region: a group of hosts that grows and shrinks, and never cuts a player off while it does.
#
# A host leaves in this order: the group sets it to terminate and stops at the hook; the agent on the host drains its edges, which stop being
# ready, hand their games over and send their players away in paced slices; the agent completes the hook. The balancer meanwhile sends nobody
# new and leaves open connections alone. A new release is an instance refresh: new hosts first, old ones drained after.

locals {
  group = "${var.name}-edge"
  hook  = "drain"
}

module "access" {
  source      = "../access"
  name        = "${var.name}-edge"
  bucket_arn  = var.hosts.bucket.arn
  secret_arns = concat([for file in local.secret_files : var.secrets[file].arn], var.hosts.logs[*].secret.arn)
  key_arn     = var.hosts.key_arn
  statements = {
    LeaveTheGroup = {
      actions   = ["autoscaling:CompleteLifecycleAction"]
      resources = ["arn:aws:autoscaling:${var.cloud_region}:${var.account_id}:autoScalingGroup:*:autoScalingGroupName/${local.group}"]
    }
  }
}

resource "aws_launch_template" "this" {
  region                 = var.cloud_region
  name                   = local.group
  description            = "release ${var.hosts.release}"
  image_id               = var.hosts.image_id
  instance_type          = var.instance_type
  user_data              = module.host.user_data
  update_default_version = true
  vpc_security_group_ids = [var.groups.edge]

  iam_instance_profile {
    name = module.access.profile
  }
  monitoring {
    enabled = true # R33's alarms count minutes
  }
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }
  block_device_mappings {
    device_name = "/dev/xvda"
    ebs {
      volume_size           = 20
      volume_type           = "gp3"
      encrypted             = "true"
      delete_on_termination = "true"
    }
  }
  tag_specifications {
    resource_type = "instance"
    tags          = { Name = local.group, role = "edge" }
  }
}

# One instance type, not a mixture: a warm pool does not go with one, and edges that differ in size fill unevenly.
resource "aws_autoscaling_group" "this" {
  region                    = var.cloud_region
  name                      = local.group
  min_size                  = var.fleet.min_hosts
  max_size                  = var.fleet.max_hosts
  vpc_zone_identifier       = var.subnet_ids
  target_group_arns         = [aws_lb_target_group.this.arn]
  health_check_type         = "ELB"
  health_check_grace_period = 600 # packages are installed in it
  default_instance_warmup   = 120
  wait_for_capacity_timeout = "0" # a new region's hosts wait for their packages
  termination_policies      = ["OldestLaunchTemplate", "OldestInstance"]
  enabled_metrics           = ["GroupInServiceInstances", "GroupDesiredCapacity", "GroupTerminatingInstances"]

  launch_template {
    id      = aws_launch_template.this.id
    version = aws_launch_template.this.latest_version
  }

  initial_lifecycle_hook {
    name                 = local.hook
    lifecycle_transition = "autoscaling:EC2_INSTANCE_TERMINATING"
    heartbeat_timeout    = var.drain.hook_seconds
    default_result       = "CONTINUE"
  }

  warm_pool {
    pool_state                  = "Stopped"
    min_size                    = var.warm_hosts
    max_group_prepared_capacity = var.fleet.max_hosts
  }

  instance_maintenance_policy {
    min_healthy_percentage = 100
    max_healthy_percentage = 110
  }

  instance_refresh {
    strategy = "Rolling"
    preferences {
      min_healthy_percentage       = 100 # make before break
      max_healthy_percentage       = 110
      instance_warmup              = 120
      skip_matching                = true
      auto_rollback                = true
      scale_in_protected_instances = "Wait"
      standby_instances            = "Wait"
      alarm_specification {
        alarms = [aws_cloudwatch_metric_alarm.unhealthy.alarm_name]
      }
    }
  }

  dynamic "tag" {
    for_each = { Name = local.group, role = "edge", region = var.region }
    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = true
    }
  }

  lifecycle {
    ignore_changes = [desired_capacity] # the policies' own

    precondition {
      condition     = var.drain.hook_seconds >= var.drain.seconds
      error_message = "The hook must last at least as long as the drain."
    }
  }
}
