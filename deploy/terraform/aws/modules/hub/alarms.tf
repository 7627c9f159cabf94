# Alarms, one topic, one dashboard. Both lists are generated from the closed list of metrics.

resource "aws_sns_topic" "alerts" {
  name = "${var.prefix}-alerts"
  # Never AWS' own key (`alias/aws/sns`): its policy does not admit CloudWatch, so no alarm would
  # reach anybody.
  kms_master_key_id = local.key_id
}

resource "aws_sns_topic_policy" "alerts" {
  arn    = aws_sns_topic.alerts.arn
  policy = data.aws_iam_policy_document.alerts.json
}

data "aws_iam_policy_document" "alerts" {
  statement {
    sid       = "OnlyOurAlarms"
    actions   = ["sns:Publish"]
    resources = [local.alerts_arn]
    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }
    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${local.partition}:cloudwatch:${local.region}:${local.account}:alarm:${var.prefix}-*"]
    }
  }
}

resource "aws_sns_topic_subscription" "email" {
  for_each  = toset(var.notification_emails)
  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "email"
  endpoint  = each.value
}

resource "aws_sns_topic_subscription" "https" {
  for_each  = toset(var.notification_https_urls)
  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "https"
  endpoint  = each.value
}

resource "aws_sns_topic_subscription" "queue" {
  for_each  = toset(var.notification_queue_arns)
  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "sqs"
  endpoint  = each.value
}

locals {
  alarms = {
    for it in jsondecode(templatefile("${path.module}/generated/alarms.json", { prefix = var.prefix })) : it.AlarmName => it
  }
}

resource "aws_cloudwatch_metric_alarm" "quell" {
  for_each            = local.alarms
  alarm_name          = each.key
  alarm_description   = each.value.AlarmDescription
  namespace           = each.value.Namespace
  metric_name         = each.value.MetricName
  dimensions          = { for it in each.value.Dimensions : it.Name => it.Value }
  statistic           = lookup(each.value, "Statistic", null)
  extended_statistic  = lookup(each.value, "ExtendedStatistic", null)
  period              = each.value.Period
  evaluation_periods  = each.value.EvaluationPeriods
  datapoints_to_alarm = each.value.DatapointsToAlarm
  threshold           = each.value.Threshold
  comparison_operator = each.value.ComparisonOperator
  treat_missing_data  = each.value.TreatMissingData
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]
}

resource "aws_cloudwatch_dashboard" "quell" {
  dashboard_name = var.prefix
  dashboard_body = templatefile("${path.module}/generated/dashboard.json", { region = local.region, prefix = var.prefix })
}
