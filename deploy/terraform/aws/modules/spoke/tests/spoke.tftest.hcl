# Plans only, by the real provider, without a call: what needs an account is given.

provider "aws" {
  region                      = "us-east-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}

provider "aws" {
  alias                       = "elsewhere"
  region                      = "eu-west-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}

override_data {
  target = data.aws_caller_identity.current
  values = { account_id = "444455556666" }
}

variables {
  bus_arn           = "arn:aws:events:eu-west-1:111122223333:event-bus/quell"
  function_role_arn = "arn:aws:iam::111122223333:role/quell-function"
  external_id       = "an-external-id-1"
}

run "without_people_roles_trust_the_function_alone" {
  command = plan
  assert {
    condition     = toset(keys(aws_iam_role.quell)) == toset(["read", "write"])
    error_message = "without people who may undo there is no undo role"
  }
  assert {
    condition = alltrue([
      for it in data.aws_iam_policy_document.trust :
      jsondecode(it.json).Statement[0].Principal.AWS == var.function_role_arn &&
      jsondecode(it.json).Statement[0].Condition.StringEquals["sts:ExternalId"] == var.external_id
    ])
    error_message = "roles trust the hub's function with the external id"
  }
  assert {
    condition     = contains(keys(aws_cloudwatch_event_rule.forward), "iam") && contains(keys(aws_cloudwatch_event_rule.forward), "heartbeat")
    error_message = "IAM's events come in us-east-1, the heartbeat beats everywhere"
  }
}

run "other_regions_have_rules_only" {
  command   = plan
  providers = { aws = aws.elsewhere }
  variables { roles = false }
  assert {
    condition     = length(aws_iam_role.quell) + length(aws_iam_role.forward) == 0
    error_message = "roles are made in one region"
  }
  assert {
    condition     = !contains(keys(aws_cloudwatch_event_rule.forward), "iam") && contains(keys(aws_cloudwatch_event_rule.forward), "s3")
    error_message = "IAM's events don't come here"
  }
  assert {
    condition     = alltrue([for it in aws_cloudwatch_event_target.hub : it.role_arn == "arn:aws:iam::444455556666:role/quell-forward"])
    error_message = "rules forward by the account's one role"
  }
}

run "undo_is_for_people" {
  command = plan
  variables {
    undo_principals          = ["arn:aws:iam::444455556666:role/security-oncall"]
    permissions_boundary_arn = "arn:aws:iam::444455556666:policy/boundary"
  }
  assert {
    condition     = jsondecode(data.aws_iam_policy_document.trust["undo"].json).Statement[0].Principal.AWS == "arn:aws:iam::444455556666:role/security-oncall"
    error_message = "the undo role trusts the named people only"
  }
  assert {
    condition     = toset(jsondecode(data.aws_iam_policy_document.trust["read"].json).Statement[0].Principal.AWS) == toset([var.function_role_arn, "arn:aws:iam::444455556666:role/security-oncall"])
    error_message = "whoever undoes reads, too"
  }
  assert {
    condition     = jsondecode(data.aws_iam_policy_document.trust["write"].json).Statement[0].Principal.AWS == var.function_role_arn
    error_message = "whoever undoes does not fix"
  }
  assert {
    condition     = alltrue([for it in aws_iam_role.quell : it.permissions_boundary == var.permissions_boundary_arn])
    error_message = "every role has the boundary"
  }
}

run "people_approve_beside_the_function" {
  command = plan
  variables {
    approver_principals = ["arn:aws:iam::111122223333:role/security-lead"]
  }
  assert {
    condition     = toset(keys(aws_iam_role.quell)) == toset(["read", "write"])
    error_message = "whoever approves does not undo"
  }
  assert {
    condition = alltrue([
      for it in data.aws_iam_policy_document.trust :
      toset(jsondecode(it.json).Statement[0].Principal.AWS) == toset([var.function_role_arn, "arn:aws:iam::111122223333:role/security-lead"]) &&
      jsondecode(it.json).Statement[0].Condition.StringEquals["sts:ExternalId"] == var.external_id
    ])
    error_message = "roles trust function and people with the external id"
  }
}

run "the_function_never_undoes" {
  command = plan
  variables { undo_principals = ["arn:aws:iam::111122223333:role/quell-function"] }
  expect_failures = [var.undo_principals]
}

run "refuses_bad_values" {
  command = plan
  variables {
    bus_arn             = "quell"
    function_role_arn   = "quell-function"
    external_id         = "short"
    approver_principals = ["arn:aws:iam::111122223333:role/*"]
  }
  expect_failures = [var.bus_arn, var.function_role_arn, var.external_id, var.approver_principals]
}
