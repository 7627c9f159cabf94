output "queue_url" {
  description = "Where events wait."
  value       = module.hub.queue_url
}

output "dead_letters_url" {
  description = "Where what could not be processed is kept."
  value       = module.hub.dead_letters_url
}

output "store" {
  description = "What `quell --store` takes."
  value       = module.hub.store
}

output "checkpoints" {
  description = "Where signed checkpoints lie."
  value       = module.hub.checkpoints
}

output "alerts_topic_arn" {
  description = "Where alarms are published."
  value       = module.hub.alerts_topic_arn
}

output "function_name" {
  description = "The function's name."
  value       = module.hub.function_name
}

output "checkpoint_function_name" {
  description = "The checkpoint function's name."
  value       = module.hub.checkpoint_function_name
}

output "role_arns" {
  description = "The account's roles, by purpose."
  value       = module.spoke.role_arns
}

output "interactions_url" {
  description = "What a chat service calls; null while the ingress is off."
  value       = module.ingress.url
}
