# One account that watches itself, in one region and in us-east-1, where IAM's events come.
#
#   terraform init && terraform apply -var function_zip=…/quell-lambda.zip -var external_id=…

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
  alias  = "global"
  region = "us-east-1"
}

data "aws_caller_identity" "current" {}

module "hub" {
  source                   = "../../modules/hub"
  prefix                   = var.prefix
  accounts                 = { (data.aws_caller_identity.current.account_id) = var.external_id }
  function_zip             = var.function_zip
  mode                     = var.mode
  mode_rules               = var.mode_rules
  policies                 = var.policies
  policy_folders           = var.policy_folders
  regions                  = distinct([var.region, "us-east-1"])
  deployers                = var.deployers
  guardrails               = var.guardrails
  undo                     = 0 < length(var.undo_principals)
  secret_arns              = var.secret_arns
  permissions_boundary_arn = var.permissions_boundary_arn
  notification_emails      = var.notification_emails
  notification_queue_arns  = var.notification_queue_arns
  checkpoint_lock_mode     = var.lock_mode
  deletion_protection      = var.deletion_protection
  endpoint_url             = var.endpoint_url
  tls_only                 = var.endpoint_url == null
}

module "spoke" {
  source                   = "../../modules/spoke"
  prefix                   = var.prefix
  bus_arn                  = module.hub.bus_arn
  function_role_arn        = module.hub.function_role_arn
  external_id              = var.external_id
  fixes                    = var.fixes
  approver_principals      = var.approver_principals
  undo_principals          = var.undo_principals
  permissions_boundary_arn = var.permissions_boundary_arn
}

# A further region is one more such block with a provider of its own.
module "spoke_global" {
  count             = var.region == "us-east-1" ? 0 : 1
  source            = "../../modules/spoke"
  providers         = { aws = aws.global }
  prefix            = var.prefix
  bus_arn           = module.hub.bus_arn
  function_role_arn = module.hub.function_role_arn
  external_id       = var.external_id
  roles             = false
  forward_role_arn  = module.spoke.forward_role_arn
}

module "trail" {
  count               = var.trail ? 1 : 0
  source              = "../../modules/trail"
  prefix              = var.prefix
  lock_mode           = var.lock_mode
  deletion_protection = var.deletion_protection
  tls_only            = var.endpoint_url == null
}

module "ingress" {
  source        = "../../modules/ingress"
  enabled       = var.ingress
  prefix        = var.prefix
  function_name = module.hub.function_name
}
