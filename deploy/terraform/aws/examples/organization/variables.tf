variable "region" {
  description = "Where the hub is, and which region is watched besides us-east-1; not us-east-1 itself."
  type        = string
  default     = "eu-central-1"
  validation {
    condition     = var.region != "us-east-1"
    error_message = "With the hub in us-east-1, leave the two `_global` spokes out."
  }
}

variable "prefix" {
  description = "Beginning of every name."
  type        = string
  default     = "quell"
}

variable "member_account" {
  description = "The member account's id."
  type        = string
}

variable "deploy_role" {
  description = "The role in the member account that Terraform works with."
  type        = string
  default     = "OrganizationAccountAccessRole"
}

variable "external_ids" {
  description = "A random text of at least 16 characters for each account: hub and member."
  type        = map(string)
}

variable "approver_principals" {
  description = "ARNs of the roles of the people, in whichever account, who may approve, retry and scan by hand."
  type        = list(string)
  default     = []
}

variable "function_zip" {
  description = "Path of the zip that `cargo xtask dist` builds."
  type        = string
}

variable "notification_emails" {
  description = "Who is told of alarms."
  type        = list(string)
  default     = []
}
