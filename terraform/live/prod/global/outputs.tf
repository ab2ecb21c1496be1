output "global" {
  description = "Names, name servers, links, registries."
  value       = module.global
}
