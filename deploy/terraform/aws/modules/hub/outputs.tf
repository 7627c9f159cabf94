output "function_role_arn" {
  description = "The role that the read and write roles of the watched accounts trust."
  value       = local.role_arns.function
  depends_on  = [aws_iam_role.function]
}

output "bus_arn" {
  description = "Where the rules of the watched accounts forward to."
  value       = local.bus_arn
  depends_on  = [aws_cloudwatch_event_bus_policy.hub]
}

output "queue_url" {
  description = "Where events wait."
  value       = aws_sqs_queue.events.url
}

output "dead_letters_url" {
  description = "Where what could not be processed is kept."
  value       = aws_sqs_queue.dead_letters.url
}

output "store" {
  description = "What `quell --store` takes, for findings, approvals and audits."
  value       = "dynamodb://${var.prefix}?region=${local.region}"
}

output "checkpoints" {
  description = "Where signed checkpoints lie."
  value       = "s3://${aws_s3_bucket.checkpoints.bucket}/checkpoints"
}

output "alerts_topic_arn" {
  description = "Where alarms are published."
  value       = aws_sns_topic.alerts.arn
}

output "function_name" {
  description = "The function's name."
  value       = aws_lambda_function.quell.function_name
}

output "checkpoint_function_name" {
  description = "The checkpoint function's name."
  value       = aws_lambda_function.checkpoint.function_name
}
