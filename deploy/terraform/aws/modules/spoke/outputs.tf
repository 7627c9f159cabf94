output "role_arns" {
  description = "The account's roles, by purpose."
  value       = { for purpose, it in aws_iam_role.quell : purpose => it.arn }
}

output "rule_arns" {
  description = "The rules of this region, by name."
  value       = { for name, it in aws_cloudwatch_event_rule.forward : name => it.arn }
}

output "forward_role_arn" {
  description = "What the rules forward with, for the calls for the account's other regions; null without `roles`."
  value       = one(aws_iam_role.forward[*].arn)
  depends_on  = [aws_iam_role_policy.forward]
}
