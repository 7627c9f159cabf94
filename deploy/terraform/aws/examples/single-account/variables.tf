variable "region" {
  description = "Where the hub is."
  type        = string
  default     = "us-east-1"
}

variable "prefix" {
  description = "Beginning of every name."
  type        = string
  default     = "quell"
}

variable "function_zip" {
  description = "Path of the zip that `cargo xtask dist` builds."
  type        = string
}

variable "external_id" {
  description = "A random text of at least 16 characters, such as `uuidgen` prints."
  type        = string
}

variable "mode" {
  description = "observe, notify, approve or enforce; begin with observe."
  type        = string
  default     = "observe"
}

variable "mode_rules" {
  description = "Modes by scope, a list of `{ mode, scope }`, the last that covers a finding wins; scopes as in docs/reference/config.md."
  type        = any
  default     = []
}

variable "fixes" {
  description = "Whether the write role may fix at all; false while the account is only watched."
  type        = bool
  default     = true
}

variable "policies" {
  description = "Ids of the enabled policies; may hold `*`."
  type        = list(string)
  default     = ["*"]
}

variable "policy_folders" {
  description = "Folders of the package with private policies, such as `mine`."
  type        = list(string)
  default     = []
}

variable "deployers" {
  description = "ARNs of whoever deploys this; anybody else who changes it raises an alarm."
  type        = list(string)
  default     = []
}

variable "guardrails" {
  description = "Further settings of `guardrails`, without `modes`, as docs/reference/config.md has them."
  type        = any
  default     = {}
}

variable "secret_arns" {
  description = "Secrets Manager secrets and SSM parameters that the configuration refers to."
  type        = list(string)
  default     = []
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of every role that is made here. Named `<prefix>-…`, it is out of the roles' own reach."
  type        = string
  default     = null
}

variable "approver_principals" {
  description = "ARNs of the roles of the people who may approve, retry and scan by hand."
  type        = list(string)
  default     = []
}

variable "undo_principals" {
  description = "ARNs of the roles of the people who may undo."
  type        = list(string)
  default     = []
}

variable "notification_emails" {
  description = "Who is told of alarms."
  type        = list(string)
  default     = []
}

variable "notification_queue_arns" {
  description = "Queues that are told of alarms."
  type        = list(string)
  default     = []
}

variable "trail" {
  description = "Whether to make a trail; without one there are no events."
  type        = bool
  default     = false
}

variable "ingress" {
  description = "Whether to make a public URL for signed chat interactions; not in this version."
  type        = bool
  default     = false
}

variable "lock_mode" {
  description = "Object Lock of checkpoints and trail: COMPLIANCE or GOVERNANCE."
  type        = string
  default     = "COMPLIANCE"
}

variable "deletion_protection" {
  description = "Whether ledger, state, checkpoints and trail survive a `terraform destroy`."
  type        = bool
  default     = true
}

variable "endpoint_url" {
  description = "An emulator's endpoint, as the function reaches it; null in every real account."
  type        = string
  default     = null
}
