# A role for the hosts of one kind, with what they need and no more: packages of their bucket, the secrets named, operators' sessions, metrics of
# our own namespace, and what the caller adds for its own resources.

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "this" {
  statement {
    sid       = "ListPackages"
    actions   = ["s3:ListBucket"]
    resources = [var.bucket_arn]
    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["packages/*"]
    }
  }
  statement {
    sid       = "ReadPackages"
    actions   = ["s3:GetObject"]
    resources = ["${var.bucket_arn}/packages/*"]
  }
  dynamic "statement" {
    for_each = length(var.secret_arns) > 0 ? { secrets = var.secret_arns } : {}
    content {
      sid       = "ReadOwnSecrets"
      actions   = ["secretsmanager:GetSecretValue"]
      resources = statement.value
    }
  }
  dynamic "statement" {
    for_each = length(var.secret_arns) > 0 ? { key = [var.key_arn] } : {}
    content {
      sid       = "DecryptThem"
      actions   = ["kms:Decrypt"]
      resources = statement.value
    }
  }
  statement {
    sid       = "PutOwnMetrics"
    actions   = ["cloudwatch:PutMetricData"]
    resources = ["*"]
    condition {
      test     = "StringEquals"
      variable = "cloudwatch:namespace"
      values   = [var.metrics_namespace]
    }
  }
  dynamic "statement" {
    for_each = var.statements
    content {
      sid       = statement.key
      actions   = statement.value.actions
      resources = statement.value.resources
    }
  }
}

resource "aws_iam_role" "this" {
  name               = var.name
  assume_role_policy = data.aws_iam_policy_document.assume.json
}

resource "aws_iam_role_policy" "this" {
  name   = "own"
  role   = aws_iam_role.this.name
  policy = data.aws_iam_policy_document.this.json
}

# Operators come in through Session Manager: recorded, no key, no port.
resource "aws_iam_role_policy_attachment" "sessions" {
  role       = aws_iam_role.this.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
}

resource "aws_iam_instance_profile" "this" {
  name = var.name
  role = aws_iam_role.this.name
}
