# The hub: where events of all watched accounts arrive, are judged, and are fixed.
#
#   bus ─▶ rule ─▶ queue ─▶ function ─▶ ledger and state tables, roles of the watched accounts
#                    └─▶ dead letters        checkpoint function ─▶ bucket with Object Lock
#
# Every name begins with `prefix`, so every ARN is known before anything exists: policies name
# exact resources, and a plan can be judged (`policies/deploy`) before it is applied.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.name
  dns       = data.aws_partition.current.dns_suffix

  events_arn       = "arn:${local.partition}:events:${local.region}:${local.account}"
  queue_arn        = "arn:${local.partition}:sqs:${local.region}:${local.account}:${var.prefix}-events"
  dead_letters_arn = "arn:${local.partition}:sqs:${local.region}:${local.account}:${var.prefix}-dead-letters"
  bus_arn          = "${local.events_arn}:event-bus/${var.prefix}"
  receive_rule_arn = "${local.events_arn}:rule/${var.prefix}/${var.prefix}-receive"
  alerts_arn       = "arn:${local.partition}:sns:${local.region}:${local.account}:${var.prefix}-alerts"
  role_arns = {
    for it in ["function", "checkpoint"] :
    it => "arn:${local.partition}:iam::${local.account}:role/${var.prefix}-${it}"
  }
  checkpoints_bucket = coalesce(
    var.checkpoints_bucket, "${var.prefix}-checkpoints-${local.account}-${local.region}"
  )
}
