# Two roles. What each may do on our own resources is generated from what the binary calls
# (`generated.tf`); what depends on this deployment (watched accounts, named secrets, the key)
# stands here.

# Lambda takes execution roles of a function's own account only, and documents no source condition.
data "aws_iam_policy_document" "lambda" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "function" {
  name                 = "${var.prefix}-function"
  description          = "Quell's function: reads the queue, writes the ledger, enters the watched accounts"
  assume_role_policy   = data.aws_iam_policy_document.lambda.json
  permissions_boundary = var.permissions_boundary_arn
}

resource "aws_iam_role" "checkpoint" {
  name                 = "${var.prefix}-checkpoint"
  description          = "Quell's checkpointer: reads the ledger, signs, puts checkpoints"
  assume_role_policy   = data.aws_iam_policy_document.lambda.json
  permissions_boundary = var.permissions_boundary_arn
}

resource "aws_iam_role_policy" "function" {
  count  = length(local.documents.function)
  name   = "function-${count.index + 1}"
  role   = aws_iam_role.function.id
  policy = local.documents.function[count.index]
}

resource "aws_iam_role_policy" "checkpoint" {
  count  = length(local.documents.checkpoint)
  name   = "checkpoint-${count.index + 1}"
  role   = aws_iam_role.checkpoint.id
  policy = local.documents.checkpoint[count.index]
}

# The undo role is not here, and its trust policy does not name this role: no event can undo.
resource "aws_iam_role_policy" "watched_accounts" {
  name   = "watched-accounts"
  role   = aws_iam_role.function.id
  policy = data.aws_iam_policy_document.watched_accounts.json
}

data "aws_iam_policy_document" "watched_accounts" {
  statement {
    sid     = "EnterTheWatchedAccounts"
    actions = ["sts:AssumeRole"]
    resources = flatten([
      for it in keys(var.accounts) : [
        "arn:${local.partition}:iam::${it}:role/${var.prefix}-read",
        "arn:${local.partition}:iam::${it}:role/${var.prefix}-write",
      ]
    ])
  }
}

resource "aws_iam_role_policy" "secrets" {
  count  = length(var.secret_arns) == 0 ? 0 : 1
  name   = "secrets"
  role   = aws_iam_role.function.id
  policy = data.aws_iam_policy_document.secrets.json
}

data "aws_iam_policy_document" "secrets" {
  statement {
    sid       = "TheNamedSecrets"
    actions   = ["secretsmanager:GetSecretValue", "ssm:GetParameter"]
    resources = length(var.secret_arns) == 0 ? ["arn:${local.partition}:ssm:::parameter/none"] : var.secret_arns
  }
  dynamic "statement" {
    for_each = length(var.secret_kms_key_arns) == 0 ? [] : ["TheirKeys"]
    content {
      sid       = statement.value
      actions   = ["kms:Decrypt"]
      resources = var.secret_kms_key_arns
    }
  }
}

# The key's ARN is known only once it exists, so it has a policy of its own.
resource "aws_iam_role_policy" "data_key" {
  for_each = var.create_kms_key ? {
    function   = aws_iam_role.function.id
    checkpoint = aws_iam_role.checkpoint.id
  } : {}
  name   = "data-key"
  role   = each.value
  policy = data.aws_iam_policy_document.use_data_key.json
}

data "aws_iam_policy_document" "use_data_key" {
  statement {
    sid       = "WhatIsStoredIsEncrypted"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [coalesce(local.key_arn, "arn:${local.partition}:kms:::key/none")]
  }
}

resource "aws_iam_role_policy" "signing_key" {
  name   = "signing-key"
  role   = aws_iam_role.checkpoint.id
  policy = data.aws_iam_policy_document.sign.json
}

data "aws_iam_policy_document" "sign" {
  statement {
    sid       = "SignCheckpoints"
    actions   = ["kms:GetPublicKey", "kms:Sign"]
    resources = [aws_kms_key.signing.arn]
  }
}
