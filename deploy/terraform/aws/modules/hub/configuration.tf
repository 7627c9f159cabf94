# The same YAML that `quell run --config` reads. JSON is YAML, and keeps the order of keys.

locals {
  configuration = {
    aws = merge(
      {
        region  = local.region
        regions = coalescelist(var.regions, [local.region])
        accounts = {
          for account, external_id in var.accounts : account => merge(
            {
              read_role   = "arn:${local.partition}:iam::${account}:role/${var.prefix}-read"
              write_role  = "arn:${local.partition}:iam::${account}:role/${var.prefix}-write"
              external_id = external_id
            },
            var.undo ? { undo_role = "arn:${local.partition}:iam::${account}:role/${var.prefix}-undo" } : {},
          )
        }
      },
      var.endpoint_url == null ? {} : { endpoint_url = var.endpoint_url },
    )
    policies = {
      enabled = var.policies
      folders = var.policy_folders
      # What is ours is told by its name, or by its ARN where it bears none of ours; who deploys it
      # may change it.
      params = {
        "aws.self.tamper" = {
          name_prefixes = [var.prefix]
          arns          = compact([local.key_arn, aws_kms_key.signing.arn, "arn:${local.partition}:s3:::${local.checkpoints_bucket}"])
          deployers     = var.deployers
        }
      }
    }
    heartbeat  = { rule = "${var.prefix}-heartbeat" }
    guardrails = merge(var.guardrails, { modes = { default = var.mode, rules = var.mode_rules } })
    # What fails that often is recorded with its reason, and goes to the dead letters: the queue's
    # `maxReceiveCount` is the same variable.
    limits = { delivery_attempts_max = var.receives_max }
    store = {
      dynamodb = {
        name   = var.prefix
        region = local.region
        # A lease outlives the function that took it.
        lease_time_s              = 2 * var.function_timeout_s
        checkpoints               = "s3://${local.checkpoints_bucket}/checkpoints"
        checkpoint_retention_days = var.checkpoint_retention_days
        checkpoint_lock           = lower(var.checkpoint_lock_mode)
        signer                    = "kms://${aws_kms_key.signing.arn}"
      }
    }
  }
  # What the configuration will have, known before there are keys: all that may grow, and at most
  # 1,024 for the rest.
  configuration_bytes = 1024 + length(jsonencode([
    local.configuration.aws, local.configuration.guardrails, var.policies, var.policy_folders,
    var.deployers,
  ]))
}

resource "aws_ssm_parameter" "configuration" {
  name        = "/${var.prefix}/configuration"
  description = "Quell's configuration, as docs/reference/config.md describes it"
  type        = "SecureString"
  key_id      = local.key_id
  tier        = "Intelligent-Tiering"
  value       = jsonencode(local.configuration)
  lifecycle {
    # Source: "Managing parameter tiers" in the Systems Manager user guide.
    precondition {
      condition     = local.configuration_bytes <= 8192
      error_message = "The configuration has more than the 8 KB that SSM keeps: fewer accounts, or shorter external ids, `mode_rules`, `guardrails`."
    }
  }
}
