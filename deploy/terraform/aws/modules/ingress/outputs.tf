output "url" {
  description = "What the chat service is told to call; null while it is off."
  value       = one(aws_lambda_function_url.interactions[*].function_url)
}
