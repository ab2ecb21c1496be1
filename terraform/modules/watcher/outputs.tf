output "files" {
  description = "What the host gets, by path."
  value       = local.files

  precondition {
    condition     = length(local.parts) == 2
    error_message = "infra/observability/alertmanager.yml has no one line \"receivers:\" any more, after which ours are put."
  }
}

output "tools" {
  description = "Debian packages."
  value       = ["prometheus", "prometheus-alertmanager"]
}

output "units" {
  description = "What to start."
  value       = ["prometheus.service", "prometheus-alertmanager.service"]
}

output "prepare" {
  description = "What a host's `prepare` has to do for them."
  value       = "# Folders of those who watch.\ninstall -d -o prometheus -g prometheus ${local.data}/metrics ${local.data}/alerts\nchown -R prometheus: ${local.data}/metrics ${local.data}/alerts\n"
}

output "statements" {
  description = "What the host's role must be allowed."
  value = {
    TellThePager   = { actions = ["sns:Publish"], resources = [var.topic] }
    EncryptForThat = { actions = ["kms:GenerateDataKey", "kms:Decrypt"], resources = [var.key_arn] }
  }
}

output "data_dir" {
  description = "Where they keep what they know."
  value       = local.data
}
