variable "prefix" {
  description = "Beginning of every name, in the hub and in the watched accounts alike."
  type        = string
  default     = "quell"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,18}[a-z0-9]$", var.prefix))
    error_message = "2 to 20 lower-case letters, digits and hyphens, a letter first."
  }
}

# What is watched, and what may be done.

variable "accounts" {
  description = "The watched accounts: account id to the external id that its roles demand."
  type        = map(string)
  validation {
    condition     = 0 < length(var.accounts) && alltrue([for it in keys(var.accounts) : can(regex("^[0-9]{12}$", it))])
    error_message = "At least one account; account ids have twelve digits."
  }
  validation {
    condition     = length(var.accounts) <= 35
    error_message = "At most 35 accounts: their roles must fit into the configuration, and SSM keeps 8 KB. Deploy a further hub, with another prefix, for more."
  }
  validation {
    condition     = alltrue([for it in values(var.accounts) : can(regex("^[A-Za-z0-9+=,.@:/_-]{16,128}$", it))])
    error_message = "An external id has 16 to 128 characters of A-Z a-z 0-9 + = , . @ : / _ -."
  }
}

variable "regions" {
  description = "Regions that have spokes: what scans go through, and where heartbeats must come back from. By default the hub's."
  type        = list(string)
  default     = []
}

variable "deployers" {
  description = "ARNs of whoever deploys Quell, such as a pipeline's role; may end in `*`. Anybody else who changes it raises an alarm."
  type        = list(string)
  default     = []
}

variable "mode" {
  description = "What is done about a finding where no rule of `mode_rules` says otherwise."
  type        = string
  default     = "observe"
  validation {
    condition     = contains(["observe", "notify", "approve", "enforce"], var.mode)
    error_message = "One of observe, notify, approve, enforce."
  }
}

variable "mode_rules" {
  description = "Modes by scope, a list of `{ mode, scope }`, the last that covers a finding wins; scopes as in docs/reference/config.md."
  # No narrower type: scopes have keys of different types, and a list of objects takes only one.
  type    = any
  default = []
  validation {
    condition = try(alltrue([
      for it in var.mode_rules :
      toset(keys(it)) == toset(["mode", "scope"]) && can(keys(it.scope)) &&
      contains(["observe", "notify", "approve", "enforce"], it.mode)
    ]), false)
    error_message = "Each rule has a `mode`, one of observe, notify, approve, enforce, and a `scope`, an object."
  }
}

variable "policies" {
  description = "Ids of the enabled policies; may hold `*`."
  type        = list(string)
  default     = ["*"]
  validation {
    condition     = 0 < length(var.policies)
    error_message = "With no policy enabled there is nothing to deploy."
  }
}

variable "policy_folders" {
  description = "Folders of the package with private policies, such as `mine`."
  type        = list(string)
  default     = []
}

variable "guardrails" {
  description = "Further settings of `guardrails` (budgets, windows, exemptions), as docs/reference/config.md has them."
  type        = any
  default     = {}
  validation {
    condition     = try(!contains(keys(var.guardrails), "modes"), false)
    error_message = "An object without `modes`: these are set by the variables `mode` and `mode_rules`."
  }
}

variable "undo" {
  description = "Whether the watched accounts have an undo role (`undo_principals` of the spoke)."
  type        = bool
  default     = false
}

variable "secret_arns" {
  description = "Secrets Manager secrets and SSM parameters that the configuration refers to; the function may read these and no others."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for it in var.secret_arns : can(regex("^arn:[a-z-]+:(secretsmanager|ssm):[^*]+$", it))])
    error_message = "ARNs of Secrets Manager secrets or SSM parameters, without `*`."
  }
}

variable "secret_kms_key_arns" {
  description = "KMS keys of yours that these secrets are encrypted with; the function may decrypt with them."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for it in var.secret_kms_key_arns : can(regex("^arn:[a-z-]+:kms:[^*]+:key/[^*]+$", it))])
    error_message = "ARNs of KMS keys, without `*`."
  }
}

# The function.

variable "function_zip" {
  description = "Path of the zip that `cargo xtask dist` builds: the `bootstrap` for provided.al2023."
  type        = string
}

variable "function_memory_mb" {
  description = "Memory of both functions, in MB; CPU grows with it."
  type        = number
  default     = 256
  validation {
    condition     = 128 <= var.function_memory_mb && var.function_memory_mb <= 10240
    error_message = "128 to 10,240 MB."
  }
}

variable "function_timeout_s" {
  description = "Longest run of a function, in seconds; messages stay invisible six times as long."
  type        = number
  default     = 120
  validation {
    condition     = 30 <= var.function_timeout_s && var.function_timeout_s <= 900
    error_message = "30 to 900 seconds."
  }
}

variable "reserved_concurrency" {
  description = "Runs of the function at once, of which the queue gets one less, so that schedules are not shut out by a storm; -1 takes from the account's pool."
  type        = number
  default     = 10
  validation {
    condition     = var.reserved_concurrency == -1 || 3 <= var.reserved_concurrency
    error_message = "At least 3 (the queue needs 2 of them), or -1; 0 would switch the function off."
  }
}

variable "batch_size" {
  description = "Most messages of one invocation."
  type        = number
  default     = 10
  validation {
    condition     = 1 <= var.batch_size && var.batch_size <= 10
    error_message = "1 to 10; more would need a batching window, and a fix should not wait."
  }
}

variable "receives_max" {
  description = "Times that a message is tried before it goes to the dead letters."
  type        = number
  default     = 5
  validation {
    condition     = 2 <= var.receives_max && var.receives_max <= 1000
    error_message = "2 to 1000."
  }
}

variable "log_filter" {
  description = "What is logged, in `tracing`'s words."
  type        = string
  default     = "quell=info,lambda_runtime=info,warn"
}

variable "endpoint_url" {
  description = "Another endpoint than AWS', for an emulator; null in every real account."
  type        = string
  default     = null
}

# Schedules.

variable "scan_schedule" {
  description = "When all resources of the enabled policies are judged: the net under lost events."
  type        = string
  default     = "rate(1 day)"
}

variable "heartbeat_schedule" {
  description = "How often the own path is tried from end to end; the alarm `no-heartbeat` expects one every 15 minutes."
  type        = string
  default     = "rate(15 minutes)"
}

variable "checkpoint_schedule" {
  description = "How often the heads of all ledger chains are signed; the alarm `checkpoint-errors` expects one every 30 minutes."
  type        = string
  default     = "rate(15 minutes)"
}

# Retention and protection.

variable "message_retention_days" {
  description = "How long events are kept in their queue, in days; dead letters are kept 14 days, as long as SQS keeps anything."
  type        = number
  default     = 14
  validation {
    condition     = 1 <= var.message_retention_days && var.message_retention_days <= 14
    error_message = "1 to 14 days, which is as long as SQS keeps anything."
  }
}

variable "log_retention_days" {
  description = "How long logs are kept, in days; the ledger is kept for ever."
  type        = number
  default     = 365
  validation {
    condition     = contains([30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "A retention that CloudWatch Logs knows, 30 days at least."
  }
}

variable "checkpoints_bucket" {
  description = "Name of the bucket for checkpoints; by default the prefix, the account and the region."
  type        = string
  default     = null
}

variable "checkpoint_retention_days" {
  description = "How long nobody can delete a checkpoint, in days."
  type        = number
  default     = 400
  validation {
    condition     = 1 <= var.checkpoint_retention_days
    error_message = "At least one day."
  }
}

variable "checkpoint_lock_mode" {
  description = "COMPLIANCE: nobody, not even root, deletes a checkpoint early. GOVERNANCE: an administrator can."
  type        = string
  default     = "COMPLIANCE"
  validation {
    condition     = contains(["COMPLIANCE", "GOVERNANCE"], var.checkpoint_lock_mode)
    error_message = "COMPLIANCE or GOVERNANCE."
  }
}

variable "deletion_protection" {
  description = "Whether ledger, state and checkpoints survive a `terraform destroy`."
  type        = bool
  default     = true
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of every role that is made here. Named `<prefix>-…`, it is out of the roles' own reach."
  type        = string
  default     = null
}

variable "create_kms_key" {
  description = "Whether queues, tables, logs, topic and bucket get a KMS key of their own; else AWS' keys, and the topic none, since CloudWatch may not use AWS'."
  type        = bool
  default     = true
}

# Whom to tell.

variable "notification_emails" {
  description = "E-mail addresses that alarms are sent to; each must confirm its subscription."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for it in var.notification_emails : can(regex("^[^@\\s]+@[^@\\s]+$", it))])
    error_message = "E-mail addresses."
  }
}

variable "notification_https_urls" {
  description = "HTTPS endpoints that alarms are posted to (PagerDuty, Opsgenie, a webhook)."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for it in var.notification_https_urls : startswith(it, "https://")])
    error_message = "URLs that begin with https://."
  }
}

variable "notification_queue_arns" {
  description = "SQS queues that alarms are sent to; each queue's own policy must admit the topic."
  type        = list(string)
  default     = []
}

variable "tls_only" {
  description = "Whether queues and bucket refuse plain HTTP; false only for an emulator, which speaks nothing else."
  type        = bool
  default     = true
}
