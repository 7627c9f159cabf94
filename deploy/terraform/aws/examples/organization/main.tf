# An organization: the hub in a security account, spokes in a member account and in the hub's own.
#
# One provider per account and region. A further account is one more provider and one more block per
# region; for many accounts use the StackSet template, deploy/cloudformation/spoke.yaml.

terraform {
  required_version = ">= 1.9"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.60, < 6.0"
    }
  }
}

provider "aws" {
  region = var.region
}

provider "aws" {
  alias  = "hub_global"
  region = "us-east-1"
}

provider "aws" {
  alias  = "member"
  region = var.region
  assume_role {
    role_arn = "arn:aws:iam::${var.member_account}:role/${var.deploy_role}"
  }
}

provider "aws" {
  alias  = "member_global"
  region = "us-east-1"
  assume_role {
    role_arn = "arn:aws:iam::${var.member_account}:role/${var.deploy_role}"
  }
}

data "aws_caller_identity" "hub" {}

locals {
  hub_account = data.aws_caller_identity.hub.account_id
}

module "hub" {
  source = "../../modules/hub"
  prefix = var.prefix
  accounts = {
    (local.hub_account)  = var.external_ids["hub"]
    (var.member_account) = var.external_ids["member"]
  }
  regions      = [var.region, "us-east-1"]
  function_zip = var.function_zip
  mode         = "observe"
  # One account is further along than the others.
  mode_rules = [
    { mode = "approve", scope = { accounts = [var.member_account] } },
  ]
  notification_emails = var.notification_emails
}

# The hub watches its own account, too: who touches it must be seen.
module "spoke_hub" {
  source              = "../../modules/spoke"
  prefix              = var.prefix
  bus_arn             = module.hub.bus_arn
  function_role_arn   = module.hub.function_role_arn
  external_id         = var.external_ids["hub"]
  approver_principals = var.approver_principals
}

module "spoke_hub_global" {
  source            = "../../modules/spoke"
  providers         = { aws = aws.hub_global }
  prefix            = var.prefix
  bus_arn           = module.hub.bus_arn
  function_role_arn = module.hub.function_role_arn
  external_id       = var.external_ids["hub"]
  roles             = false
  forward_role_arn  = module.spoke_hub.forward_role_arn
}

module "spoke_member" {
  source              = "../../modules/spoke"
  providers           = { aws = aws.member }
  prefix              = var.prefix
  bus_arn             = module.hub.bus_arn
  function_role_arn   = module.hub.function_role_arn
  external_id         = var.external_ids["member"]
  approver_principals = var.approver_principals
}

module "spoke_member_global" {
  source            = "../../modules/spoke"
  providers         = { aws = aws.member_global }
  prefix            = var.prefix
  bus_arn           = module.hub.bus_arn
  function_role_arn = module.hub.function_role_arn
  external_id       = var.external_ids["member"]
  roles             = false
  forward_role_arn  = module.spoke_member.forward_role_arn
}
