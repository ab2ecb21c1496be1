output "alarms" {
  description = "Names of the alarms."
  value       = concat([for a in aws_cloudwatch_metric_alarm.this : a.alarm_name], [for a in aws_cloudwatch_metric_alarm.host : a.alarm_name], [for a in aws_cloudwatch_metric_alarm.redis : a.alarm_name], [for a in aws_cloudwatch_metric_alarm.redis_promoted : a.alarm_name])
}
