# Every enabled policy's trigger, and the heartbeat's. Global services speak in one region only.
#
# Deliberately without dead letters: EventBridge tries for 24 hours, and what it cannot deliver even
# then would lie in a queue of each account and region, where nobody looks and which would be one more
# part to guard. A way that is closed is told by the heartbeat, and what was missed on it is found by
# the next scan, which looks at the resources themselves.

locals {
  rules = { for it in jsondecode(file("${path.module}/generated/rules.json")) : it.name => it }
}

resource "aws_cloudwatch_event_rule" "forward" {
  for_each      = { for name, it in local.rules : name => it if !it.global || local.region == local.global_region }
  name          = "${var.prefix}-${each.key}"
  description   = each.value.description
  event_pattern = replace(jsonencode(each.value.pattern), "{prefix}", var.prefix)
  lifecycle {
    # The heartbeat is a tag with a nonce on our own rule: it changes with every beat.
    ignore_changes = [tags["quell:heartbeat"], tags_all["quell:heartbeat"]]
  }
}

resource "aws_cloudwatch_event_target" "hub" {
  for_each  = aws_cloudwatch_event_rule.forward
  rule      = each.value.name
  target_id = "hub"
  arn       = var.bus_arn
  # The role may also be made by the call for another region.
  role_arn   = coalesce(var.forward_role_arn, local.forward_role_arn)
  depends_on = [aws_iam_role_policy.forward]
}
