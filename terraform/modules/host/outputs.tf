output "user_data" {
  description = "Compressed cloud-init document, base64."
  value       = base64gzip("#cloud-config\n${jsonencode(local.document)}\n")
}

output "files" {
  description = "What will be written, by path."
  value       = local.files
}
