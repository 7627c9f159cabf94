# Signed checkpoints bind the heads of all chains. They lie where nobody can take them away: the
# function that writes the ledger can neither sign one nor put one here.

resource "aws_s3_bucket" "checkpoints" {
  #checkov:skip=CKV_AWS_144:A checkpoint is a signed hash that anybody may copy anywhere; losing the bucket loses no evidence that the copy lacks
  #checkov:skip=CKV_AWS_18:Every write is a call of one role and is in CloudTrail; access logs would need a second bucket to guard
  #checkov:skip=CKV2_AWS_62:Nobody waits for a checkpoint; its absence is an alarm
  bucket              = local.checkpoints_bucket
  object_lock_enabled = true
  force_destroy       = !var.deletion_protection
}

resource "aws_s3_bucket_versioning" "checkpoints" {
  bucket = aws_s3_bucket.checkpoints.bucket
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_object_lock_configuration" "checkpoints" {
  bucket = aws_s3_bucket_versioning.checkpoints.bucket
  rule {
    default_retention {
      mode = var.checkpoint_lock_mode
      days = var.checkpoint_retention_days
    }
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "checkpoints" {
  bucket = aws_s3_bucket.checkpoints.bucket
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = local.key_arn
    }
    bucket_key_enabled = true
  }
}

resource "aws_s3_bucket_public_access_block" "checkpoints" {
  bucket                  = aws_s3_bucket.checkpoints.bucket
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "checkpoints" {
  bucket = aws_s3_bucket.checkpoints.bucket
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "checkpoints" {
  bucket     = aws_s3_bucket.checkpoints.bucket
  depends_on = [aws_s3_bucket_versioning.checkpoints]
  rule {
    id     = "unfinished-uploads"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

resource "aws_s3_bucket_policy" "checkpoints" {
  bucket     = aws_s3_bucket.checkpoints.bucket
  policy     = data.aws_iam_policy_document.checkpoints.json
  depends_on = [aws_s3_bucket_public_access_block.checkpoints]
}

data "aws_iam_policy_document" "checkpoints" {
  statement {
    sid       = "OnlyTheCheckpointerWrites"
    effect    = "Deny"
    actions   = ["s3:PutObject", "s3:PutObjectRetention"]
    resources = ["arn:${local.partition}:s3:::${local.checkpoints_bucket}/*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "ArnNotEquals"
      variable = "aws:PrincipalArn"
      values   = [local.role_arns.checkpoint]
    }
  }
  statement {
    sid    = "NobodyTakesAway"
    effect = "Deny"
    actions = [
      "s3:BypassGovernanceRetention",
      "s3:DeleteObject",
      "s3:DeleteObjectVersion",
      "s3:PutObjectLegalHold",
    ]
    resources = ["arn:${local.partition}:s3:::${local.checkpoints_bucket}/*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
  }
  dynamic "statement" {
    for_each = var.tls_only ? ["OnlyByTls"] : []
    content {
      sid     = statement.value
      effect  = "Deny"
      actions = ["s3:*"]
      resources = [
        "arn:${local.partition}:s3:::${local.checkpoints_bucket}",
        "arn:${local.partition}:s3:::${local.checkpoints_bucket}/*",
      ]
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
}
