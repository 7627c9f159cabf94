# A spoke: what a watched account has. Roles, once; rules, in every region.
#
# The roles trust the hub's function and the people who are named, nobody else, and demand an
# external id. The rules lie on the default bus, where CloudTrail's events arrive, and forward to the
# hub's bus. What the rules match and what the roles may do is generated from the enabled policies
# (`generated.tf`).

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.name

  forward_role_arn = "arn:${local.partition}:iam::${local.account}:role/${var.prefix}-forward"
  # Where events of global services (IAM) come, one region of each partition.
  global_region = {
    aws        = "us-east-1"
    aws-cn     = "cn-north-1"
    aws-us-gov = "us-gov-west-1"
  }[local.partition]
}
