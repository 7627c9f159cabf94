# What every deployment of ours must be. Each rule is one `deny` with its own name; an empty set is
# a pass, and only together with a look at `unjudged`.
package quell.deploy

import data.quell.deploy.resources as the

# Actions that IAM lets nobody narrow to a resource. Source: "Actions, resources, and condition keys
# for AWS services" in the Service Authorization Reference.
resourceless := {
	"cloudtrail:ListTrails",
	"ec2:DescribeSecurityGroupRules",
	"ec2:DescribeSecurityGroups",
	"events:ListEventBuses",
	"events:ListRules",
	"iam:ListGroups",
	"iam:ListPolicies",
	"iam:ListRoles",
	"iam:ListUsers",
	"s3:GetAccountPublicAccessBlock",
	"s3:ListAllMyBuckets",
	"s3:PutAccountPublicAccessBlock",
	"xray:PutTelemetryRecords",
	"xray:PutTraceSegments",
}

retention_min := {"queue_s": 345600, "log_days": 30, "lock_days": 1}

denied(rule, id, why) := {"rule": rule, "id": id, "why": why}

deny contains denied("wildcard_action", it.id, sprintf("`%s` is more than one action", [action])) if {
	some it in allowed
	some action in it.actions
	contains(action, "*")
}

deny contains denied("wildcard_resource", it.id, sprintf("`%s` on every resource", [action])) if {
	some it in allowed
	"*" in it.resources
	some action in it.actions
	not action in resourceless
}

allowed contains it if {
	some it in the.statements
	it.use == "role"
	it.effect == "Allow"
}

deny contains denied("ledger_append_only", it.id, sprintf("`%s` on the ledger", [action])) if {
	some it in allowed
	some resource in it.resources
	endswith(resource, "-ledger")
	some action in it.actions
	action in {"dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem", "dynamodb:DeleteTable"}
}

deny contains denied("trust_external_id", it.id, "people and roles are trusted without external id") if {
	some it in trusting
	some principal in it.principals
	principal.kind == "AWS"
	not ["StringEquals", "sts:ExternalId"] in it.conditions
}

# Events may not take fixes back. Whom only the apply will know may be the function.
deny contains denied("undo_trust", it.id, "the function could undo") if {
	some it in trusting
	endswith(it.role, "-undo")
	some principal in it.principals
	is_function(principal.name)
}

is_function(name) if endswith(name, "-function")

is_function(name) if name == the.unknown

deny contains denied("trust_everybody", it.id, "everybody is trusted") if {
	some it in trusting
	some principal in it.principals
	principal.name == "*"
}

# Lambda is no confused deputy: it takes execution roles of a function's own account only.
deny contains denied("trust_service", it.id, "a service is trusted for every account's sake") if {
	some it in trusting
	some principal in it.principals
	principal.kind == "Service"
	principal.name != "lambda.amazonaws.com"
	count(it.conditions & says_for_whom) == 0
}

says_for_whom := {[operator, key] |
	some operator in {"ArnEquals", "ArnLike", "StringEquals"}
	some key in {"aws:SourceAccount", "aws:SourceArn"}
}

trusting contains it if {
	some it in the.statements
	it.use == "trust"
	it.effect == "Allow"
}

deny contains denied("encryption", it.id, "is not encrypted") if {
	some it in (((the.queues | the.tables) | the.buckets) | the.log_groups) | the.topics
	not it.encrypted
}

deny contains denied("retention", it.id, "messages are kept for less than 4 days") if {
	some it in the.queues
	it.retention_s < retention_min.queue_s
}

deny contains denied("retention", it.id, "logs are kept for less than 30 days, or nobody says how long") if {
	some it in the.log_groups
	it.retention_days < retention_min.log_days
}

deny contains denied("restorable", it.id, "the table has no point-in-time recovery") if {
	some it in the.tables
	not it.restorable
}

deny contains denied("ledger_expires", it.id, "items of the ledger would vanish") if {
	some it in the.tables
	endswith(it.name, "-ledger")
	it.expires
}

deny contains denied("dead_letters", "queues", "no queue hands on what cannot be processed") if {
	count(the.queues) != 0
	not some_redrive
}

some_redrive if {
	some it in the.queues
	it.redrives
}

deny contains denied("dead_letters", it.id, "what fails for good is lost") if {
	some it in the.functions
	not it.dead_letters
}

deny contains denied("visibility", queue.id, "messages come back while they are worked on") if {
	some queue in the.queues
	queue.redrives
	some function in the.functions
	queue.visibility_s < 6 * function.timeout_s
}

# Why a message is given up is recorded at its last receive.
deny contains denied("receives", queue.id, "the function does not know which receive is the last") if {
	some queue in the.gives_up
	some configuration in the.configurations
	not queue.receives in configuration.receives
}

deny contains denied("object_lock", it.id, "what is put there can be taken away") if {
	some it in the.buckets
	not is_locked(it)
}

is_locked(bucket) if {
	bucket.locked
	retention_min.lock_days <= bucket.lock_days
}

deny contains denied("concurrency", it.id, "a function that may not run is switched off") if {
	some it in the.functions
	it.concurrency == 0
}

# A resource that the other rules could not read would slip through all of them.
deny contains denied("unreadable", it.id, sprintf("a `%s` that no rule can judge", [it.type])) if {
	some it in the.planned | the.declared
	it.type in judged_types
	not it.id in judged_ids
}

judged_types := {
	"aws_sqs_queue", "aws_lambda_function", "aws_dynamodb_table", "aws_s3_bucket",
	"aws_cloudwatch_log_group", "aws_sns_topic", "aws_iam_role", "aws_iam_policy",
	"aws_iam_role_policy", "AWS::SQS::Queue", "AWS::Lambda::Function", "AWS::DynamoDB::Table",
	"AWS::S3::Bucket", "AWS::Logs::LogGroup", "AWS::SNS::Topic", "AWS::IAM::Role",
	"AWS::IAM::ManagedPolicy", "AWS::IAM::Policy",
}

judged_ids := {it.id |
	sets := [the.queues, the.functions, the.tables, the.buckets, the.log_groups, the.topics, the.documents]
	some it in union({each | some each in sets})
}

deny contains denied("nothing", "input", "is neither a plan nor a template with resources") if {
	count(the.planned) + count(the.declared) == 0
}

# Only what names a key of the same plan may be known later: a key's ARN is not known before it is.
deny contains denied("unjudged", id, "only the apply will know what it allows") if {
	some id in the.unjudged
	not regex.match(`aws_iam_role_policy\.(data_key|signing_key)`, id)
}

unjudged := the.unjudged
