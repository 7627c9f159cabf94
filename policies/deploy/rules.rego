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

retention_min := {"queue_s": 345600, "log_days": 30, "lock_days": 30}

denied(rule, id, why) := {"rule": rule, "id": id, "why": why}

deny contains denied("wildcard_action", it.id, sprintf("`%s` is more than one action", [action])) if {
	some it in granting
	some action in it.actions
	not regex.match(`^[a-z0-9-]+:[a-z0-9]+$`, action)
}

deny contains denied("wildcard_resource", it.id, sprintf("`%s` on `%s`", [action, resource])) if {
	some it in granting
	some resource in it.resources
	is_wide(resource)
	some action in it.actions
	not is_resourceless(action, resource)
}

# An ARN names service and type; only a bucket has no type before its name. What is computed from
# other resources of a template, or from an empty parameter, names no more than these.
is_wide(resource) if {
	not resource in {the.unknown, ""}
	not regex.match(`^arn:[^:*?]+:[^:*?]+:[^:]*:[^:]*:[^:/*?]+([:/].*)?$`, literal(resource))
	not regex.match(`^arn:[^:*?]+:s3:::`, literal(resource))
}

# References within a text have no wildcards.
literal(resource) := regex.replace(resource, `\$\{[^}]*\}`, "x")

is_resourceless(action, "*") if action in {lower(it) | some it in resourceless}

# What is not said is granted.
deny contains denied("negation", it.id, sprintf("`%s` grants what nobody lists", [element])) if {
	some it in allowing
	some element in it.elements & {"NotAction", "NotPrincipal", "NotResource"}
}

granting contains it if {
	some it in allowing
	it.use == "role"
}

allowing contains it if {
	some it in the.statements
	it.effect != "Deny"
}

# Reading and adding are all that may be done to the ledger, and to what may be the ledger.
deny contains denied("ledger_append_only", it.id, sprintf("`%s` on the ledger", [action])) if {
	some it in allowing
	some action in it.actions
	startswith(action, "dynamodb:")
	not action in ledger_actions
	some resource in it.resources
	not is_other_table(resource)
}

ledger_actions := {
	"dynamodb:conditioncheckitem",
	"dynamodb:getitem",
	"dynamodb:putitem",
	"dynamodb:query",
}

is_other_table(resource) if {
	table := `^arn:[^:*?]+:dynamodb:[^:]*:[^:]*:table/([^:/*?]+)(/.*)?$`
	[found] := regex.find_all_string_submatch_n(table, literal(resource), 1)
	not endswith(found[1], "-ledger")
}

deny contains denied("ledger_deleted", it.id, "the records would go with the table") if {
	some it in the.deleted
	it.type == "aws_dynamodb_table"
	endswith(it.was.name, "-ledger")
}

# Roles get what is judged here: documents of the same deployment.
deny contains denied("attachment", it.id, sprintf("`%s` is not of this deployment", [it.policy])) if {
	some it in the.attachments
	not it.policy in the.attachable
}

deny contains denied("only_roles", it.id, sprintf("a `%s` gives rights to others than our roles", [it.type])) if {
	some it in the.planned | the.declared
	regex.match(`^(aws_iam_|AWS::IAM::)`, it.type)
	not it.type in role_types
}

role_types := {
	"aws_iam_role", "aws_iam_policy", "aws_iam_role_policy", "aws_iam_role_policy_attachment",
	"AWS::IAM::Role", "AWS::IAM::ManagedPolicy", "AWS::IAM::Policy", "AWS::IAM::RolePolicy",
}

deny contains denied("only_roles", it.id, "users or groups get the policy") if {
	some it in the.declared
	it.type in {"AWS::IAM::ManagedPolicy", "AWS::IAM::Policy"}
	count(object.get(it.now, "Users", [])) + count(object.get(it.now, "Groups", [])) != 0
}

deny contains denied("trust_external_id", it.id, "people and roles are trusted without external id") if {
	some it in trusting
	some principal in it.principals
	principal.kind == "AWS"
	not ["StringEquals", "sts:ExternalId"] in it.conditions
}

# Events may not take fixes back: only people do, by roles that are named. Whom only the apply will
# know may be the function, and so may anybody of an account.
deny contains denied("undo_trust", it.id, "others than named people could undo") if {
	some it in trusting
	endswith(it.role, "-undo")
	some principal in it.principals
	principal.name != ""
	not is_person(principal.name)
}

is_person(name) if {
	regex.match(`^arn:[^:*?]+:iam::[0-9]{12}:(role|user)/[^*?]+$`, name)
	not endswith(name, "-function")
}

deny contains denied("trust_everybody", it.id, "everybody is trusted") if {
	some it in trusting
	some principal in it.principals
	contains(principal.name, "*")
}

deny contains denied("trust_federated", it.id, "another identity provider vouches") if {
	some it in trusting
	some principal in it.principals
	not principal.kind in {"AWS", "Service"}
}

deny contains denied("open_to_everybody", it.id, "everybody is admitted") if {
	some it in allowing
	it.use == "resource"
	some principal in it.principals
	contains(principal.name, "*")
}

# Lambda is no confused deputy: it takes execution roles of a function's own account only.
deny contains denied("trust_service", it.id, "a service is trusted for every account's sake") if {
	some it in allowing
	some principal in it.principals
	principal.kind == "Service"
	not [it.use, principal.name] == ["trust", "lambda.amazonaws.com"]
	count(it.conditions & says_for_whom) == 0
}

# CloudWatch Logs says it by the log group.
says_for_whom := {[operator, key] |
	some operator in {"ArnEquals", "ArnLike", "StringEquals"}
	some key in {"aws:SourceAccount", "aws:SourceArn", "kms:EncryptionContext:aws:logs:arn"}
}

trusting contains it if {
	some it in allowing
	it.use == "trust"
}

# `modules/ingress` has a URL that asks for nothing. This version cannot enable it, so there is no
# exception here: it comes with the function that verifies a chat service's signature.

deny contains denied("open_to_everybody", it.id, "whoever knows the URL may call") if {
	some it in the.urls
	it.asks_for != "AWS_IAM"
}

deny contains denied("open_to_everybody", it.id, "everybody is admitted") if {
	some it in the.doors
	it.admits in {"*", the.unknown}
}

deny contains denied("trust_service", it.id, "a service may call for every account's sake") if {
	some it in the.doors
	endswith(it.admits, ".amazonaws.com")
	count(it.sources) == 0
}

deny contains denied("encryption", it.id, "is not encrypted") if {
	some it in (((the.queues | the.tables) | the.buckets) | the.log_groups) | the.topics
	it.encrypted != true
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

deny contains denied("dead_letters", it.id, "does not hand on what cannot be processed") if {
	some it in the.queues
	not it.redrives
	not it.dead_letters
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

# GOVERNANCE is for emulators, where something must be deleted again: an administrator lifts it.
is_locked(bucket) if {
	bucket.locked
	bucket.lock.mode == "COMPLIANCE"
	retention_min.lock_days <= bucket.lock.days
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
	"aws_iam_role_policy", "aws_iam_role_policy_attachment", "aws_sqs_queue_policy",
	"aws_sns_topic_policy", "aws_s3_bucket_policy", "aws_cloudwatch_event_bus_policy",
	"aws_cloudwatch_event_permission", "aws_kms_key", "aws_lambda_permission",
	"aws_lambda_function_url", "AWS::SQS::Queue", "AWS::Lambda::Function", "AWS::DynamoDB::Table",
	"AWS::S3::Bucket", "AWS::Logs::LogGroup", "AWS::SNS::Topic", "AWS::IAM::Role",
	"AWS::IAM::ManagedPolicy", "AWS::IAM::Policy", "AWS::IAM::RolePolicy", "AWS::SQS::QueuePolicy",
	"AWS::SNS::TopicPolicy", "AWS::S3::BucketPolicy", "AWS::Events::EventBusPolicy",
	"AWS::KMS::Key", "AWS::Lambda::Permission", "AWS::Lambda::Url",
}

judged_ids := {it.id |
	sets := [
		the.queues, the.functions, the.tables, the.buckets, the.log_groups, the.topics, the.documents,
		the.attachments, the.doors, the.urls,
	]
	some it in union({each | some each in sets})
}

deny contains denied("unreadable", id, "a policy without a statement that is written out") if {
	some id in the.empty
}

deny contains denied("unreadable", it.id, sprintf("`%s` is no element of a statement", [element])) if {
	some it in the.statements
	some element in it.elements - statement_elements
}

statement_elements := {
	"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource",
	"Condition",
}

deny contains denied("nothing", "input", "is neither a plan nor a template with resources") if {
	count(the.planned) + count(the.declared) == 0
}

# Only what names a key of the same plan may be known later: a key's ARN is not known before it is.
deny contains denied("unjudged", id, "only the apply will know what it allows") if {
	some id in the.unjudged
	not regex.match(`(^|\.)aws_iam_role_policy\.(data_key(\[[^\]]*\])?|signing_key)$`, id)
}

unjudged := the.unjudged
