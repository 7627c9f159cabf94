# The rules of the watched accounts forward to this bus; one rule moves what arrives to the queue.

resource "aws_cloudwatch_event_bus" "hub" {
  name               = var.prefix
  description        = "What the watched accounts forward to Quell"
  kms_key_identifier = local.key_arn
}

resource "aws_cloudwatch_event_bus_policy" "hub" {
  event_bus_name = aws_cloudwatch_event_bus.hub.name
  policy         = data.aws_iam_policy_document.bus.json
}

# Listed accounts, and in them only the role of our forwarding rules.
data "aws_iam_policy_document" "bus" {
  statement {
    sid       = "OnlyOurForwarders"
    actions   = ["events:PutEvents"]
    resources = [local.bus_arn]
    principals {
      type        = "AWS"
      identifiers = [for it in keys(var.accounts) : "arn:${local.partition}:iam::${it}:root"]
    }
    condition {
      test     = "ArnEquals"
      variable = "aws:PrincipalArn"
      values   = [for it in keys(var.accounts) : "arn:${local.partition}:iam::${it}:role/${var.prefix}-forward"]
    }
  }
}

# Only what AWS itself sends: whoever may put events into a bus may not call their source `aws.…`.
resource "aws_cloudwatch_event_rule" "receive" {
  name           = "${var.prefix}-receive"
  description    = "Events of the watched accounts go to Quell's queue"
  event_bus_name = aws_cloudwatch_event_bus.hub.name
  event_pattern  = jsonencode({ account = keys(var.accounts), source = [{ prefix = "aws." }] })
}

resource "aws_cloudwatch_event_target" "queue" {
  rule           = aws_cloudwatch_event_rule.receive.name
  event_bus_name = aws_cloudwatch_event_bus.hub.name
  target_id      = "queue"
  arn            = aws_sqs_queue.events.arn
  dead_letter_config {
    arn = aws_sqs_queue.dead_letters.arn
  }
  retry_policy {
    maximum_event_age_in_seconds = 86400
    maximum_retry_attempts       = 185
  }
}
