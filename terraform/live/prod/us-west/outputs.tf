output "region" {
  description = "What the global root and people need of this region."
  value       = module.region
}
