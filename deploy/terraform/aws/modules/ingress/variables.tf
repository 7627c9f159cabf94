variable "enabled" {
  description = "Whether there is an ingress at all. Not in this version: the function serves no requests by HTTP yet."
  type        = bool
  default     = false
  validation {
    condition     = !var.enabled
    error_message = "This version's function verifies no chat service's signature, so it gets no public URL."
  }
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
