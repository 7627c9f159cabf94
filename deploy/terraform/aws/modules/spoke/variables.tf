variable "prefix" {
  description = "Beginning of every name; the hub's."
  type        = string
  default     = "quell"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,18}[a-z0-9]$", var.prefix))
    error_message = "2 to 20 lower-case letters, digits and hyphens, a letter first."
  }
}

variable "bus_arn" {
  description = "The hub's bus."
  type        = string
  validation {
    condition     = can(regex("^arn:[a-z-]+:events:[a-z0-9-]+:[0-9]{12}:event-bus/.+$", var.bus_arn))
    error_message = "The ARN of an event bus."
  }
}

variable "function_role_arn" {
  description = "The hub's function role: it reads and fixes here."
  type        = string
  validation {
    condition     = can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/.+$", var.function_role_arn))
    error_message = "The ARN of a role."
  }
}

variable "external_id" {
  description = "What whoever assumes a role here must know; the hub's `accounts` has the same."
  type        = string
  validation {
    condition     = can(regex("^[A-Za-z0-9+=,.@:/_-]{16,128}$", var.external_id))
    error_message = "16 to 128 characters of A-Z a-z 0-9 + = , . @ : / _ -."
  }
}

variable "roles" {
  description = "Whether this call makes the account's roles: true in one region of each account, false in the others."
  type        = bool
  default     = true
}

variable "forward_role_arn" {
  description = "Where `roles` is false: the output of the same name of the call that makes the roles, which is then waited for. Not `depends_on`, with which no plan knows the region."
  type        = string
  default     = null
}

variable "fixes" {
  description = "Whether the write role may fix; false while the account is only watched."
  type        = bool
  default     = true
}

variable "approver_principals" {
  description = "ARNs of the roles of the people who may read and fix by `quell approvals approve`, `findings retry` and `scan`."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for it in var.approver_principals : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[^*]+$", it))])
    error_message = "ARNs of roles, without `*`."
  }
}

variable "undo_principals" {
  description = "ARNs of the roles of the people who may undo, for which they read, too; none means that there is no undo role. Never the function's role."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for it in var.undo_principals : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[^*]+$", it)) && it != var.function_role_arn])
    error_message = "ARNs of roles, without `*`, and not the function's."
  }
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of every role that is made here. Named `<prefix>-…`, it is out of the roles' own reach."
  type        = string
  default     = null
}
