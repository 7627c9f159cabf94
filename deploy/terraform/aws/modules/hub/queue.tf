# Events wait here, and what could not be processed is kept aside.

resource "aws_sqs_queue" "events" {
  name = "${var.prefix}-events"
  # AWS asks for six times the function's time-out: a message must not come back while its batch
  # is still being retried by the poller.
  visibility_timeout_seconds        = 6 * var.function_timeout_s
  message_retention_seconds         = var.message_retention_days * 86400
  receive_wait_time_seconds         = 20
  kms_master_key_id                 = local.key_id
  kms_data_key_reuse_period_seconds = local.key_id == null ? null : 300
  sqs_managed_sse_enabled           = local.key_id == null ? true : null
  redrive_policy = jsonencode({
    deadLetterTargetArn = local.dead_letters_arn
    maxReceiveCount     = var.receives_max
  })
  # The redrive policy names the dead letters by their ARN before Terraform knows of them.
  depends_on = [aws_sqs_queue.dead_letters]
}

resource "aws_sqs_queue" "dead_letters" {
  name = "${var.prefix}-dead-letters"
  # As long as SQS keeps anything: a dead letter's age counts from when it was first sent.
  message_retention_seconds         = 14 * 86400
  kms_master_key_id                 = local.key_id
  kms_data_key_reuse_period_seconds = local.key_id == null ? null : 300
  sqs_managed_sse_enabled           = local.key_id == null ? true : null
}

resource "aws_sqs_queue_redrive_allow_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.id
  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [local.queue_arn]
  })
  depends_on = [aws_sqs_queue.events]
}

resource "aws_sqs_queue_policy" "events" {
  queue_url = aws_sqs_queue.events.id
  policy    = data.aws_iam_policy_document.events_queue.json
}

resource "aws_sqs_queue_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.id
  policy    = data.aws_iam_policy_document.dead_letters_queue.json
}

data "aws_iam_policy_document" "events_queue" {
  statement {
    sid       = "OnlyOurRule"
    actions   = ["sqs:SendMessage"]
    resources = [local.queue_arn]
    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }
    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [local.receive_rule_arn]
    }
  }
  dynamic "statement" {
    for_each = var.tls_only ? ["OnlyByTls"] : []
    content {
      sid       = statement.value
      effect    = "Deny"
      actions   = ["sqs:*"]
      resources = [local.queue_arn]
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

data "aws_iam_policy_document" "dead_letters_queue" {
  statement {
    sid       = "WhatOurRulesCouldNotDeliver"
    actions   = ["sqs:SendMessage"]
    resources = [local.dead_letters_arn]
    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }
    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = concat([local.receive_rule_arn], values(local.schedule_rule_arns))
    }
  }
  dynamic "statement" {
    for_each = var.tls_only ? ["OnlyByTls"] : []
    content {
      sid       = statement.value
      effect    = "Deny"
      actions   = ["sqs:*"]
      resources = [local.dead_letters_arn]
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
