# One key for what is stored, another that only signs. The signing key's private half never leaves
# KMS, and only the checkpoint role may use it.

locals {
  # Null without a key of our own: the services then use AWS' keys.
  key_arn = one(aws_kms_key.data[*].arn)
  key_id  = one(aws_kms_key.data[*].key_id)
}

resource "aws_kms_key" "data" {
  count                   = var.create_kms_key ? 1 : 0
  description             = "Quell: queues, tables, logs, topic, checkpoints"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.data_key.json
}

resource "aws_kms_alias" "data" {
  count         = var.create_kms_key ? 1 : 0
  name          = "alias/${var.prefix}"
  target_key_id = aws_kms_key.data[0].key_id
}

resource "aws_kms_key" "signing" {
  #checkov:skip=CKV_AWS_7:KMS does not rotate asymmetric keys; checkpoints name the key that signed them
  description              = "Quell: signs checkpoints"
  key_usage                = "SIGN_VERIFY"
  customer_master_key_spec = "ECC_NIST_P256"
  deletion_window_in_days  = 30
  policy                   = data.aws_iam_policy_document.signing_key.json
}

resource "aws_kms_alias" "signing" {
  name          = "alias/${var.prefix}-checkpoint"
  target_key_id = aws_kms_key.signing.key_id
}

data "aws_iam_policy_document" "data_key" {
  #checkov:skip=CKV_AWS_109:A key policy's resource is its own key; without the account as administrator nobody could ever change it
  #checkov:skip=CKV_AWS_111:As above
  #checkov:skip=CKV_AWS_356:As above
  statement {
    sid       = "TheAccountAdministers"
    actions   = ["kms:*"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["arn:${local.partition}:iam::${local.account}:root"]
    }
  }
  statement {
    sid       = "ServicesThatCarryEvents"
    actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"]
    resources = ["*"]
    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com", "cloudwatch.amazonaws.com", "sns.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
  statement {
    sid       = "OurLogs"
    actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
    resources = ["*"]
    principals {
      type        = "Service"
      identifiers = ["logs.${local.region}.${local.dns}"]
    }
    condition {
      test     = "ArnLike"
      variable = "kms:EncryptionContext:aws:logs:arn"
      values   = ["arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/aws/lambda/${var.prefix}*"]
    }
  }
}

data "aws_iam_policy_document" "signing_key" {
  #checkov:skip=CKV_AWS_109:A key policy's resource is its own key; without the account as administrator nobody could ever change it
  #checkov:skip=CKV_AWS_111:As above
  #checkov:skip=CKV_AWS_356:As above
  statement {
    sid       = "TheAccountAdministers"
    actions   = ["kms:*"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["arn:${local.partition}:iam::${local.account}:root"]
    }
  }
  statement {
    sid       = "OnlyTheCheckpointerSigns"
    effect    = "Deny"
    actions   = ["kms:Sign"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["*"]
    }
    condition {
      test     = "ArnNotEquals"
      variable = "aws:PrincipalArn"
      values   = [local.role_arns.checkpoint]
    }
  }
}
