output "key_arn" {
  description = "Key of everything at rest."
  value       = aws_kms_key.this.arn
}

output "bucket" {
  description = "Where packages go: s3://BUCKET/packages/RELEASE/*.deb."
  value       = { name = aws_s3_bucket.artefacts.bucket, arn = aws_s3_bucket.artefacts.arn }
}

output "secrets" {
  description = "Secrets by file name."
  value       = { for file, s in aws_secretsmanager_secret.this : file => { name = s.name, arn = s.arn } }
}

output "topic_address" {
  description = "The same, known before it is made: what hosts are told must not wait for AWS."
  value       = "arn:aws:sns:${var.cloud_region}:${var.account_id}:${var.name}-alarms"
}

output "topic" {
  description = "Where alarms go."
  value       = aws_sns_topic.alarms.arn
}
