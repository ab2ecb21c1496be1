# What a region keeps outside its hosts: one key for everything at rest, the bucket with packages, the secrets, the alarms' topic.

data "aws_iam_policy_document" "key" {
  statement {
    sid       = "Administered"
    actions   = ["kms:*"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${var.account_id}:root"]
    }
  }
  statement {
    sid       = "AlarmsGoToTheTopic"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = ["*"]
    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }
  }
}

resource "aws_kms_key" "this" {
  region                  = var.cloud_region
  description             = "${var.name}: secrets, artefacts, disks"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.key.json
}

resource "aws_s3_bucket" "artefacts" {
  region        = var.cloud_region
  bucket        = "${var.name}-artefacts-${var.account_id}"
  force_destroy = false
}

resource "aws_s3_bucket_versioning" "artefacts" {
  region = var.cloud_region
  bucket = aws_s3_bucket.artefacts.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_public_access_block" "artefacts" {
  region                  = var.cloud_region
  bucket                  = aws_s3_bucket.artefacts.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "artefacts" {
  region = var.cloud_region
  bucket = aws_s3_bucket.artefacts.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256" # packages are no secrets, and hosts then need no right to a key for them
    }
  }
}

data "aws_iam_policy_document" "bucket" {
  statement {
    sid       = "EncryptedOnTheWire"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.artefacts.arn, "${aws_s3_bucket.artefacts.arn}/*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "artefacts" {
  region = var.cloud_region
  bucket = aws_s3_bucket.artefacts.id
  policy = data.aws_iam_policy_document.bucket.json
}

resource "aws_secretsmanager_secret" "this" {
  for_each                = var.secret_files
  region                  = var.cloud_region
  name                    = "${var.secret_prefix}/${each.key}"
  description             = each.value
  kms_key_id              = aws_kms_key.this.arn
  recovery_window_in_days = 7
}

resource "aws_sns_topic" "alarms" {
  region            = var.cloud_region
  name              = "${var.name}-alarms"
  kms_master_key_id = aws_kms_key.this.arn
}

resource "aws_sns_topic_subscription" "mail" {
  for_each  = toset(var.alarm_mail)
  region    = var.cloud_region
  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = each.value
}
