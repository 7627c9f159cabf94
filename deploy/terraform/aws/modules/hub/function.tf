# One binary, two functions: the second has the only role that may sign and put checkpoints.

locals {
  environment = merge(
    {
      QUELL_CONFIG = "aws-ssm://${aws_ssm_parameter.configuration.name}"
      QUELL_LOG    = var.log_filter
      # Not read: the configuration is, once per environment. Another one makes new environments, or a
      # mode that was lowered would not reach those that are running. (The parameter's own version
      # also rises where only its key is put back, which the provider does not know in the plan.)
      CONFIGURATION_VERSION = sha256(jsonencode(local.configuration))
    },
    var.endpoint_url == null ? {} : { AWS_ENDPOINT_URL = var.endpoint_url },
  )
}

resource "aws_lambda_function" "quell" {
  #checkov:skip=CKV_AWS_117:It calls nothing but AWS APIs; a VPC would add a NAT gateway to fail and no protection
  #checkov:skip=CKV_AWS_272:The zip is built reproducibly with checksums and an SBOM; a signing profile is the operator's choice
  function_name                  = var.prefix
  description                    = "Judges events, fixes what the modes allow"
  role                           = aws_iam_role.function.arn
  runtime                        = "provided.al2023"
  architectures                  = ["x86_64"]
  handler                        = "bootstrap"
  filename                       = var.function_zip
  source_code_hash               = filebase64sha256(var.function_zip)
  memory_size                    = var.function_memory_mb
  timeout                        = var.function_timeout_s
  reserved_concurrent_executions = var.reserved_concurrency
  kms_key_arn                    = local.key_arn
  environment {
    variables = local.environment
  }
  # Where a schedule's tick goes that failed for good; batches go there by the queue's redrive.
  dead_letter_config {
    target_arn = aws_sqs_queue.dead_letters.arn
  }
  tracing_config {
    mode = "Active"
  }
  depends_on = [aws_cloudwatch_log_group.function, aws_iam_role_policy.function]
}

resource "aws_lambda_function" "checkpoint" {
  #checkov:skip=CKV_AWS_117:It calls nothing but AWS APIs; a VPC would add a NAT gateway to fail and no protection
  #checkov:skip=CKV_AWS_272:The zip is built reproducibly with checksums and an SBOM; a signing profile is the operator's choice
  function_name                  = "${var.prefix}-checkpoint"
  description                    = "Signs the heads of the ledger's chains"
  role                           = aws_iam_role.checkpoint.arn
  runtime                        = "provided.al2023"
  architectures                  = ["x86_64"]
  handler                        = "bootstrap"
  filename                       = var.function_zip
  source_code_hash               = filebase64sha256(var.function_zip)
  memory_size                    = var.function_memory_mb
  timeout                        = var.function_timeout_s
  reserved_concurrent_executions = 1
  kms_key_arn                    = local.key_arn
  environment {
    variables = local.environment
  }
  dead_letter_config {
    target_arn = aws_sqs_queue.dead_letters.arn
  }
  tracing_config {
    mode = "Active"
  }
  depends_on = [aws_cloudwatch_log_group.checkpoint, aws_iam_role_policy.checkpoint]
}

resource "aws_lambda_event_source_mapping" "queue" {
  event_source_arn        = aws_sqs_queue.events.arn
  function_name           = aws_lambda_function.quell.arn
  batch_size              = var.batch_size
  function_response_types = ["ReportBatchItemFailures"]
  # Without this the poller would start more than the reservation allows, and each throttled batch
  # would count as a receive. One run is left to the schedules: a storm must not stop the heart.
  dynamic "scaling_config" {
    for_each = var.reserved_concurrency == -1 ? [] : [var.reserved_concurrency - 1]
    content {
      maximum_concurrency = scaling_config.value
    }
  }
  depends_on = [aws_iam_role_policy.function]
}

resource "aws_cloudwatch_log_group" "function" {
  name              = "/aws/lambda/${var.prefix}"
  retention_in_days = var.log_retention_days
  kms_key_id        = local.key_arn
}

resource "aws_cloudwatch_log_group" "checkpoint" {
  name              = "/aws/lambda/${var.prefix}-checkpoint"
  retention_in_days = var.log_retention_days
  kms_key_id        = local.key_arn
}
