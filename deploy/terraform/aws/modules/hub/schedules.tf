# What happens without an event: the net under lost events, the heartbeat, the checkpoints.

locals {
  schedules = {
    scan       = { rate = var.scan_schedule, function = "function" }
    heartbeat  = { rate = var.heartbeat_schedule, function = "function" }
    checkpoint = { rate = var.checkpoint_schedule, function = "checkpoint" }
  }
  functions = {
    function   = aws_lambda_function.quell
    checkpoint = aws_lambda_function.checkpoint
  }
  schedule_rule_arns = { for it in keys(local.schedules) : it => "${local.events_arn}:rule/${var.prefix}-every-${it}" }
}

resource "aws_cloudwatch_event_rule" "schedule" {
  for_each            = local.schedules
  name                = "${var.prefix}-every-${each.key}"
  description         = "Quell's ${each.key}"
  schedule_expression = each.value.rate
}

resource "aws_cloudwatch_event_target" "schedule" {
  for_each  = local.schedules
  rule      = aws_cloudwatch_event_rule.schedule[each.key].name
  target_id = "function"
  arn       = local.functions[each.value.function].arn
  input     = jsonencode({ quell = each.key })
  dead_letter_config {
    arn = aws_sqs_queue.dead_letters.arn
  }
}

resource "aws_lambda_permission" "schedule" {
  for_each      = local.schedules
  statement_id  = "schedule-${each.key}"
  action        = "lambda:InvokeFunction"
  function_name = local.functions[each.value.function].function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.schedule[each.key].arn
}
