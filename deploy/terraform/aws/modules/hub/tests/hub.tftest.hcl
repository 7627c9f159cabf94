# Plans only, by the real provider, without a call: what needs an account is given.

provider "aws" {
  region                      = "eu-west-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}

override_data {
  target = data.aws_caller_identity.current
  values = { account_id = "111122223333" }
}

variables {
  accounts     = { "111122223333" = "an-external-id-0", "444455556666" = "an-external-id-1" }
  function_zip = "main.tf"
}

run "defaults" {
  command = plan
  assert {
    condition     = aws_sqs_queue.events.visibility_timeout_seconds == 6 * aws_lambda_function.quell.timeout
    error_message = "a message must stay invisible six times as long as the function may run"
  }
  assert {
    condition     = jsondecode(aws_sqs_queue.events.redrive_policy).deadLetterTargetArn == "arn:aws:sqs:eu-west-1:111122223333:quell-dead-letters"
    error_message = "what can't be processed goes to the dead letters"
  }
  assert {
    condition     = jsondecode(aws_sqs_queue.events.redrive_policy).maxReceiveCount == local.configuration.limits.delivery_attempts_max
    error_message = "the function records the reason at the very receive after which the queue gives up"
  }
  assert {
    condition     = local.configuration.store.dynamodb.lease_time_s > aws_lambda_function.quell.timeout
    error_message = "a lease outlives the function that took it"
  }
  assert {
    condition     = aws_lambda_event_source_mapping.queue.scaling_config[0].maximum_concurrency < aws_lambda_function.quell.reserved_concurrent_executions
    error_message = "a storm leaves a run to the schedules"
  }
  assert {
    condition     = [for it in jsondecode(data.aws_iam_policy_document.events_queue.json).Statement : it.Condition.ArnEquals["aws:SourceArn"] if it.Effect == "Allow"] == ["arn:aws:events:eu-west-1:111122223333:rule/quell/quell-receive"]
    error_message = "the queue admits our rule only"
  }
  assert {
    condition     = toset(jsondecode(data.aws_iam_policy_document.bus.json).Statement[0].Condition.ArnEquals["aws:PrincipalArn"]) == toset(["arn:aws:iam::111122223333:role/quell-forward", "arn:aws:iam::444455556666:role/quell-forward"])
    error_message = "the bus admits the forwarders of the listed accounts only"
  }
  assert {
    condition     = aws_cloudwatch_event_rule.receive.event_pattern == jsonencode({ account = ["111122223333", "444455556666"], source = [{ prefix = "aws." }] })
    error_message = "the queue gets what AWS sends, and nothing that somebody put into a bus"
  }
  assert {
    condition     = 0 < aws_lambda_function.quell.reserved_concurrent_executions && aws_lambda_event_source_mapping.queue.function_response_types == toset(["ReportBatchItemFailures"])
    error_message = "the function may run, and answers for each message"
  }
  assert {
    condition     = alltrue([for it in [aws_dynamodb_table.ledger, aws_dynamodb_table.state] : it.deletion_protection_enabled && it.point_in_time_recovery[0].enabled])
    error_message = "tables are protected and can be restored"
  }
  assert {
    condition     = aws_s3_bucket.checkpoints.object_lock_enabled && aws_s3_bucket_object_lock_configuration.checkpoints.rule[0].default_retention[0].mode == "COMPLIANCE"
    error_message = "checkpoints can't be taken away"
  }
  assert {
    condition     = jsondecode(jsonencode(local.configuration.guardrails.modes)).default == "observe"
    error_message = "a fresh deployment only observes"
  }
  assert {
    condition     = !strcontains(data.aws_iam_policy_document.watched_accounts.json, "-undo")
    error_message = "the function can't undo"
  }
}

run "boundary_and_no_key" {
  command = plan
  variables {
    create_kms_key           = false
    permissions_boundary_arn = "arn:aws:iam::111122223333:policy/boundary"
  }
  assert {
    condition     = aws_iam_role.function.permissions_boundary == var.permissions_boundary_arn && aws_iam_role.checkpoint.permissions_boundary == var.permissions_boundary_arn
    error_message = "every role has the boundary"
  }
  assert {
    condition     = aws_sqs_queue.events.sqs_managed_sse_enabled && aws_sns_topic.alerts.kms_master_key_id != "alias/aws/sns"
    error_message = "without a key of our own AWS' keys encrypt, but the topic's, which CloudWatch may not use"
  }
}

run "modes_by_scopes_of_different_types" {
  command = plan
  variables {
    mode_rules = [
      { mode = "approve", scope = { accounts = ["444455556666"] } },
      { mode = "enforce", scope = { tags = { stage = "test" }, policies = ["aws.s3.*"] } },
    ]
    guardrails = { fleet_changes_max = 25 }
  }
  assert {
    condition     = jsonencode(local.configuration.guardrails.modes.rules) == jsonencode(var.mode_rules)
    error_message = "modes by scope are what was given"
  }
  assert {
    condition     = local.configuration.guardrails.fleet_changes_max == 25
    error_message = "further guardrails stand beside the modes"
  }
}

run "refuses_modes_among_guardrails" {
  command = plan
  variables { guardrails = { modes = { default = "enforce" } } }
  expect_failures = [var.guardrails]
}

run "refuses_rules_without_scope" {
  command = plan
  variables { mode_rules = [{ mode = "enforce" }] }
  expect_failures = [var.mode_rules]
}

run "thirty_five_accounts" {
  command = plan
  variables {
    accounts = { for it in range(35) : format("%012d", it) => "00000000-0000-0000-0000-000000000000" }
  }
  assert {
    condition     = length(aws_cloudwatch_event_rule.receive.event_pattern) <= 2048
    error_message = "EventBridge takes no longer pattern"
  }
  assert {
    condition     = length(data.aws_iam_policy_document.bus.json) <= 10240
    error_message = "EventBridge takes no longer policy"
  }
}

run "refuses_more_accounts" {
  command = plan
  variables {
    accounts = { for it in range(36) : format("%012d", it) => "00000000-0000-0000-0000-000000000000" }
  }
  expect_failures = [var.accounts]
}

run "refuses_a_configuration_that_ssm_would_not_keep" {
  command = plan
  variables {
    accounts = { for it in range(35) : format("%012d", it) => "00000000-0000-0000-0000-000000000000" }
    undo     = true
  }
  expect_failures = [aws_ssm_parameter.configuration]
}

run "refuses_bad_values" {
  command = plan
  variables {
    accounts                  = { "1" = "short" }
    mode                      = "fix-everything"
    mode_rules                = [{ mode = "fix-everything", scope = {} }]
    reserved_concurrency      = 0
    checkpoint_lock_mode      = "NONE"
    log_retention_days        = 7
    message_retention_days    = 30
    checkpoint_retention_days = 0
    notification_https_urls   = ["http://example.com"]
    secret_arns               = ["arn:aws:secretsmanager:eu-west-1:111122223333:secret:*"]
  }
  expect_failures = [
    var.accounts, var.mode, var.mode_rules, var.reserved_concurrency, var.checkpoint_lock_mode, var.log_retention_days,
    var.message_retention_days, var.checkpoint_retention_days, var.notification_https_urls, var.secret_arns,
  ]
}

run "private_policies" {
  command = plan
  variables {
    policy_folders = ["mine"]
  }
  assert {
    condition     = jsonencode(local.configuration.policies.folders) == "[\"mine\"]"
    error_message = "the function reads the policies that its package brings"
  }
}
