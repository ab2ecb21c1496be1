run "secrets_are_made_and_left_empty" {
  assert {
    condition     = sort([for s in output.secrets : s.name]) == tolist(["kit/north/redis-password", "kit/north/tls-key"])
    error_message = jsonencode(output.secrets)
  }
  assert {
    condition     = output.bucket.name == "kit-north-artefacts-123456789012"
    error_message = output.bucket.name
  }
  assert {
    condition     = endswith(output.topic_address, ":123456789012:${aws_sns_topic.alarms.name}")
    error_message = "${output.topic_address} is not ${aws_sns_topic.alarms.name}"
  }
}

run "mail_is_an_address" {
  command = plan
  variables {
    alarm_mail = ["oncall"]
  }
  expect_failures = [var.alarm_mail]
}
