variable "enabled" {
  description = "Whether there is an ingress at all."
  type        = bool
  default     = false
}

variable "prefix" {
  description = "Beginning of every name; the hub's."
  type        = string
  default     = "quell"
}

variable "function_name" {
  description = "The hub's function."
  type        = string
}
