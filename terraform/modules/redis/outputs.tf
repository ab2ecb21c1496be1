output "client" {
  description = "How to reach it, and what an acknowledgement means there; the edges' and routers' configuration takes it as it is."
  value       = var.kind == "own" ? module.own["this"].client : module.managed["this"].client
}

output "instances" {
  description = "Instances by name; empty when managed."
  value       = var.kind == "own" ? module.own["this"].instances : {}
}

output "managed_nodes" {
  description = "Nodes that no host of ours stands beside; none when they are own."
  value       = var.kind == "own" ? [] : module.managed["this"].nodes
}

output "promise" {
  description = "What is kept when things fail, in a sentence."
  value = {
    own     = "A move counts when the primary and every electable replica have it; nothing acknowledged is lost to any single fault."
    managed = "A move counts when the primary and one replica have it; no append-only file, no electable set: what only a cut-off pair had can be lost."
  }[var.kind]
}
