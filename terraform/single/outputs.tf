output "addresses" {
  description = "Point the players' name here."
  value       = { ipv4 = aws_eip.this.public_ip, ipv6 = aws_instance.this.ipv6_addresses }
}

output "bucket" {
  description = "Where packages go: s3://BUCKET/packages/RELEASE/*.deb."
  value       = module.keeping.bucket.name
}

output "secrets" {
  description = "What has to be filled: file -> name of the secret."
  value       = { for file, s in module.keeping.secrets : file => s.name }
}

output "place" {
  description = "What terraform/secrets must know to make values."
  value       = { name = "single", cloud_region = local.region.cloud_region, private_zone = "", redis = "own" }
}
