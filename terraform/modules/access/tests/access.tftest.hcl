run "a_role_may_what_it_needs_and_no_more" {
  command = plan
  assert {
    condition     = length(data.aws_iam_policy_document.this.statement) == 6
    error_message = "packages twice, secrets, key, metrics, and what the caller adds"
  }
  assert {
    condition     = alltrue([for s in data.aws_iam_policy_document.this.statement : !contains(s.actions, "*")])
    error_message = "no statement allows everything"
  }
}

run "no_secrets_no_right_to_any" {
  command = plan
  variables {
    secret_arns = []
    statements  = {}
  }
  assert {
    condition     = sort([for s in data.aws_iam_policy_document.this.statement : s.sid]) == tolist(["ListPackages", "PutOwnMetrics", "ReadPackages"])
    error_message = jsonencode(data.aws_iam_policy_document.this.statement)
  }
}

run "starred_actions_are_refused" {
  command = plan
  variables {
    statements = { all = { actions = ["ec2:*"], resources = ["*"] } }
  }
  expect_failures = [var.statements]
}
