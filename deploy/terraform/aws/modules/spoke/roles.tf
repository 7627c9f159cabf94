# One role per purpose. Reading and writing trust the hub's function and the people who approve; undo,
# the people who undo and never the function. Whoever undoes looks first, so he reads, too. Each fix
# narrows the write role by a session policy to itself, whoever makes it.

locals {
  trusted = merge(
    var.roles ? {
      read  = distinct(concat([var.function_role_arn], var.approver_principals, var.undo_principals))
      write = distinct(concat([var.function_role_arn], var.approver_principals))
    } : {},
    var.roles && 0 < length(var.undo_principals) ? { undo = var.undo_principals } : {},
  )
  # What each role may do. Heartbeats are the write role's, also where it may not fix.
  granted = {
    read  = { read = local.documents.read }
    write = merge({ heartbeat = local.documents.heartbeat }, var.fixes ? { write = local.documents.write } : {})
    undo  = { undo = local.documents.undo }
  }
  # A managed policy has room for 6,144 characters, so a grant may need several.
  policies = merge(flatten([
    for role in keys(local.trusted) : [
      for grant, documents in local.granted[role] : {
        for index, document in documents : "${grant}-${index + 1}" => { role = role, document = document }
      }
    ]
  ])...)
}

resource "aws_iam_role" "quell" {
  for_each             = local.trusted
  name                 = "${var.prefix}-${each.key}"
  description          = "Quell: ${each.key}"
  assume_role_policy   = data.aws_iam_policy_document.trust[each.key].json
  permissions_boundary = var.permissions_boundary_arn
}

data "aws_iam_policy_document" "trust" {
  for_each = local.trusted
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "AWS"
      identifiers = each.value
    }
    condition {
      test     = "StringEquals"
      variable = "sts:ExternalId"
      values   = [var.external_id]
    }
  }
}

resource "aws_iam_policy" "quell" {
  for_each    = local.policies
  name        = "${var.prefix}-${each.key}"
  description = "What Quell's ${each.value.role} role may do, generated from the enabled policies"
  policy      = each.value.document
}

resource "aws_iam_role_policy_attachment" "quell" {
  for_each   = local.policies
  role       = aws_iam_role.quell[each.value.role].name
  policy_arn = aws_iam_policy.quell[each.key].arn
}

# What the rules of every region forward with.
resource "aws_iam_role" "forward" {
  count                = var.roles ? 1 : 0
  name                 = "${var.prefix}-forward"
  description          = "Quell: forwards events to the hub's bus"
  assume_role_policy   = data.aws_iam_policy_document.forward_trust.json
  permissions_boundary = var.permissions_boundary_arn
}

data "aws_iam_policy_document" "forward_trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${local.partition}:events:*:${local.account}:rule/${var.prefix}-*"]
    }
  }
}

resource "aws_iam_role_policy" "forward" {
  count  = var.roles ? 1 : 0
  name   = "forward"
  role   = aws_iam_role.forward[0].id
  policy = data.aws_iam_policy_document.forward.json
}

data "aws_iam_policy_document" "forward" {
  statement {
    sid       = "OnlyToTheHub"
    actions   = ["events:PutEvents"]
    resources = [var.bus_arn]
  }
}
