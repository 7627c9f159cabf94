variable "prefix" {
  description = "Beginning of every name."
  type        = string
  default     = "quell"
}

variable "retention_days" {
  description = "How long nobody can delete a log file, in days."
  type        = number
  default     = 400
  validation {
    condition     = 1 <= var.retention_days
    error_message = "At least one day."
  }
}

variable "lock_mode" {
  description = "COMPLIANCE: nobody, not even root, deletes a log file early. GOVERNANCE: an administrator can."
  type        = string
  default     = "COMPLIANCE"
  validation {
    condition     = contains(["COMPLIANCE", "GOVERNANCE"], var.lock_mode)
    error_message = "COMPLIANCE or GOVERNANCE."
  }
}

variable "deletion_protection" {
  description = "Whether the bucket with its logs survives a `terraform destroy`."
  type        = bool
  default     = true
}

variable "is_organization_trail" {
  description = "Whether the trail records every account of the organization; only its management account can."
  type        = bool
  default     = false
}

variable "tls_only" {
  description = "Whether the bucket refuses plain HTTP; false only for an emulator, which speaks nothing else."
  type        = bool
  default     = true
}
