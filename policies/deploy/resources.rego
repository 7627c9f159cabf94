# What a deployment would make, in one shape for both languages.
#
# The input is a Terraform plan (`terraform show -json`) or a CloudFormation template as JSON with
# long intrinsic functions. The rules beside this file judge these sets and know neither language.
#
# A value that only the apply will know is `"(known after apply)"`: that it is set can be judged,
# what it will be cannot, and no rule takes it for a pass where the content matters.
package quell.deploy.resources

unknown := "(known after apply)"

# Terraform

planned contains resource if {
	some change in input.resource_changes
	change.mode == "managed"
	change.change.actions != ["delete"]
	resource := {"id": change.address, "type": change.type, "now": attributes(change.change)}
}

# What the apply would delete, or replace by another.
deleted contains {"id": change.address, "type": change.type, "was": change.change.before} if {
	some change in input.resource_changes
	change.mode == "managed"
	"delete" in change.change.actions
}

attributes(change) := object.union(change.after, later) if {
	later := {name: unknown | some name, value in change.after_unknown; value == true}
}

# CloudFormation

declared contains resource if {
	some id, it in input.Resources
	resource := {"id": id, "type": it.Type, "now": object.get(it, "Properties", {})}
}

# A parameter stands for its default; anything else that is computed is unknown.
resolved(value) := default_of(value.Ref) if {
	is_object(value)
	input.Parameters[value.Ref]
} else := value.Ref if {
	is_object(value)
	value.Ref
} else := value["Fn::Sub"] if {
	is_object(value)
	is_string(value["Fn::Sub"])
} else := unknown if {
	is_object(value)
	count(value) == 1
	some name, _ in value
	startswith(name, "Fn::")
} else := value

default_of(name) := object.get(input.Parameters[name], "Default", unknown)

# What stands in a list, or alone without one, or in a branch of `Fn::If`: both branches count.
items(value) := {it |
	walk(value, [path, it])
	every step in path { is_around(step) }
	not is_array(it)
	not is_choice(it)
	not names_condition(path)
	it != {"Ref": "AWS::NoValue"}
}

is_around(step) if is_number(step)

is_around("Fn::If")

is_choice(value) if {
	is_object(value)
	value["Fn::If"]
}

names_condition(path) if array.slice(path, count(path) - 2, count(path)) == ["Fn::If", 0]

texts(value) := {resolved(it) | some it in items(value)}

number(value) := value if is_number(value)

number(value) := to_number(value) if {
	is_string(value)
	regex.match(`^-?[0-9]+$`, value)
}

is_set(value) := false if {
	value in {null, "", false}
} else := true

# Templates write it as a text, too. What is not known is not on.
is_on(value) := resolved(value) in {true, "true"}

# Queues

queues contains queue if {
	some it in planned
	it.type == "aws_sqs_queue"
	redrive := object.get(it.now, "redrive_policy", null)
	queue := {
		"id": it.id,
		"encrypted": encrypted_queue(it.now, "kms_master_key_id", "sqs_managed_sse_enabled"),
		"retention_s": number(object.get(it.now, "message_retention_seconds", 0)),
		"visibility_s": number(object.get(it.now, "visibility_timeout_seconds", 0)),
		"redrives": is_redrive(redrive),
		"dead_letters": object.get(it.now, "name", "") in dead_letters,
	}
}

queues contains queue if {
	some it in declared
	it.type == "AWS::SQS::Queue"
	queue := {
		"id": it.id,
		"encrypted": encrypted_queue(it.now, "KmsMasterKeyId", "SqsManagedSseEnabled"),
		"retention_s": number(resolved(object.get(it.now, "MessageRetentionPeriod", 345600))),
		"visibility_s": number(resolved(object.get(it.now, "VisibilityTimeout", 30))),
		"redrives": is_redrive(object.get(it.now, "RedrivePolicy", null)),
		"dead_letters": it.id in dead_letters,
	}
}

encrypted_queue(now, key, managed) := true if {
	is_set(object.get(now, key, null))
} else := is_on(object.get(now, managed, false))

is_redrive(policy) := true if {
	is_string(policy)
	json.is_valid(policy)
	json.unmarshal(policy).deadLetterTargetArn
} else := true if {
	is_object(policy)
	policy.deadLetterTargetArn
} else := false

# The queues that others hand on to: names in a plan, logical ids in a template.

dead_letters contains name if {
	some it in planned
	it.type == "aws_sqs_queue"
	is_redrive(it.now.redrive_policy)
	name := regex.replace(json.unmarshal(it.now.redrive_policy).deadLetterTargetArn, `^.*:`, "")
}

dead_letters contains it.now.RedrivePolicy.deadLetterTargetArn["Fn::GetAtt"][0] if {
	some it in declared
	it.type == "AWS::SQS::Queue"
}

# After how many receives a queue gives a message up, and what the function believes, as written:
# a number, or the name of a template's parameter.

gives_up contains {"id": it.id, "receives": as_written(policy.maxReceiveCount)} if {
	some it in planned
	it.type == "aws_sqs_queue"
	is_redrive(it.now.redrive_policy)
	policy := json.unmarshal(it.now.redrive_policy)
}

gives_up contains {"id": it.id, "receives": as_written(it.now.RedrivePolicy.maxReceiveCount)} if {
	some it in declared
	it.type == "AWS::SQS::Queue"
}

configurations contains {"id": it.id, "receives": {as_written(receives)}} if {
	some it in planned
	it.type == "aws_ssm_parameter"
	json.is_valid(it.now.value)
	receives := json.unmarshal(it.now.value).limits.delivery_attempts_max
}

configurations contains {"id": it.id, "receives": receives} if {
	some it in declared
	it.type == "AWS::SSM::Parameter"
	receives := {found[1] |
		walk(it.now.Value, [_, text])
		is_string(text)
		some found in regex.find_all_string_submatch_n(`delivery_attempts_max: (\S+)`, text, -1)
	}
}

as_written(value) := sprintf("${%s}", [value.Ref]) if is_object(value)

as_written(value) := sprintf("%v", [value]) if not is_object(value)

# Functions

functions contains function if {
	some it in planned
	it.type == "aws_lambda_function"
	function := {
		"id": it.id,
		"timeout_s": number(object.get(it.now, "timeout", 3)),
		"concurrency": number(object.get(it.now, "reserved_concurrent_executions", -1)),
		"dead_letters": count(object.get(it.now, "dead_letter_config", [])) == 1,
	}
}

functions contains function if {
	some it in declared
	it.type == "AWS::Lambda::Function"
	function := {
		"id": it.id,
		"timeout_s": number(resolved(object.get(it.now, "Timeout", 3))),
		"concurrency": number(resolved(object.get(it.now, "ReservedConcurrentExecutions", -1))),
		"dead_letters": is_set(object.get(it.now, ["DeadLetterConfig", "TargetArn"], null)),
	}
}

# Tables

tables contains table if {
	some it in planned
	it.type == "aws_dynamodb_table"
	table := {
		"id": it.id,
		"name": it.now.name,
		"encrypted": is_on(object.get(it.now, ["server_side_encryption", 0, "enabled"], false)),
		"restorable": is_on(object.get(it.now, ["point_in_time_recovery", 0, "enabled"], false)),
		"expires": is_set(object.get(it.now, ["ttl", 0, "enabled"], false)),
	}
}

tables contains table if {
	some it in declared
	it.type == "AWS::DynamoDB::Table"
	restorable := ["PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled"]
	table := {
		"id": it.id,
		"name": resolved(it.now.TableName),
		"encrypted": is_on(object.get(it.now, ["SSESpecification", "SSEEnabled"], false)),
		"restorable": is_on(object.get(it.now, restorable, false)),
		"expires": object.get(it.now, ["TimeToLiveSpecification", "Enabled"], false) != false,
	}
}

# Buckets

buckets contains bucket if {
	some it in planned
	it.type == "aws_s3_bucket"
	name := it.now.bucket
	bucket := {
		"id": it.id,
		"locked": is_on(object.get(it.now, "object_lock_enabled", false)),
		"lock": default_lock(beside(name, "aws_s3_bucket_object_lock_configuration")),
		"encrypted": count(beside(name, "aws_s3_bucket_server_side_encryption_configuration")) == 1,
	}
}

default_lock(configurations) := {"mode": lock.mode, "days": in_days(lock.days, lock.years)} if {
	[configuration] := configurations
	retention := object.get(configuration, ["rule", 0, "default_retention", 0], {})
	lock := object.union({"mode": "", "days": null, "years": null}, retention)
} else := {"mode": "", "days": 0}

# A retention is in days or in years; what is left out is null, or 0 in a later plan.
in_days(days, years) := amount(days) + (365 * amount(years))

amount(value) := number(value) if {
	is_set(value)
} else := 0 if {
	not is_set(value)
}

# The resources that say something of the same bucket.
beside(bucket, type) := [it.now | some it in planned; it.type == type; it.now.bucket == bucket]

buckets contains bucket if {
	some it in declared
	it.type == "AWS::S3::Bucket"
	lock := object.get(it.now, ["ObjectLockConfiguration", "Rule", "DefaultRetention"], {})
	bucket := {
		"id": it.id,
		"locked": is_on(object.get(it.now, "ObjectLockEnabled", false)),
		"lock": {
			"mode": resolved(object.get(lock, "Mode", "")),
			"days": in_days(resolved(object.get(lock, "Days", null)), resolved(object.get(lock, "Years", null))),
		},
		"encrypted": is_set(object.get(it.now, "BucketEncryption", null)),
	}
}

# Log groups

log_groups contains group if {
	some it in planned
	it.type == "aws_cloudwatch_log_group"
	group := {
		"id": it.id,
		"retention_days": number(object.get(it.now, "retention_in_days", 0)),
		"encrypted": is_set(object.get(it.now, "kms_key_id", null)),
	}
}

log_groups contains group if {
	some it in declared
	it.type == "AWS::Logs::LogGroup"
	group := {
		"id": it.id,
		"retention_days": number(resolved(object.get(it.now, "RetentionInDays", 0))),
		"encrypted": is_set(object.get(it.now, "KmsKeyId", null)),
	}
}

# Topics

topics contains topic if {
	some it in planned
	it.type == "aws_sns_topic"
	topic := {"id": it.id, "encrypted": is_set(object.get(it.now, "kms_master_key_id", null))}
}

topics contains topic if {
	some it in declared
	it.type == "AWS::SNS::Topic"
	topic := {"id": it.id, "encrypted": is_set(object.get(it.now, "KmsMasterKeyId", null))}
}

# Policies: what roles may do, whom they trust, and whom other resources admit

documents contains document if {
	some it in planned
	it.type in {"aws_iam_policy", "aws_iam_role_policy"}
	document := {"id": it.id, "use": "role", "text": it.now.policy}
}

documents contains document if {
	some it in planned
	it.type == "aws_iam_role"
	is_array(it.now.inline_policy)
	some policy in it.now.inline_policy
	document := {"id": it.id, "use": "role", "text": object.get(policy, "policy", unknown)}
}

documents contains document if {
	some it in planned
	it.type == "aws_iam_role"
	document := {
		"id": it.id,
		"use": "trust",
		"role": object.get(it.now, "name", ""),
		"text": it.now.assume_role_policy,
	}
}

documents contains document if {
	some it in planned
	not startswith(it.type, "aws_iam_")
	is_set(it.now.policy)
	not is_made_by_aws(it)
	document := {"id": it.id, "use": "resource", "text": it.now.policy}
}

# Where the policy is a resource of its own, AWS' default stands here until that is applied.
is_made_by_aws(it) if {
	it.type in {"aws_s3_bucket", "aws_sns_topic", "aws_sqs_queue"}
	it.now.policy == unknown
}

documents contains document if {
	some it in declared
	it.type in {"AWS::IAM::ManagedPolicy", "AWS::IAM::Policy", "AWS::IAM::RolePolicy"}
	document := {"id": it.id, "use": "role", "text": it.now.PolicyDocument}
}

documents contains document if {
	some it in declared
	it.type == "AWS::IAM::Role"
	some policy in items(object.get(it.now, "Policies", []))
	document := {"id": it.id, "use": "role", "text": object.get(policy, "PolicyDocument", {})}
}

documents contains document if {
	some it in declared
	it.type == "AWS::IAM::Role"
	document := {
		"id": it.id,
		"use": "trust",
		"role": resolved(object.get(it.now, "RoleName", "")),
		"text": it.now.AssumeRolePolicyDocument,
	}
}

documents contains document if {
	some it in declared
	not startswith(it.type, "AWS::IAM::")
	some name in ["KeyPolicy", "Policy", "PolicyDocument", "ResourcePolicy"]
	document := {"id": it.id, "use": "resource", "text": it.now[name]}
}

documents contains {"id": it.id, "use": "resource", "text": it.now} if {
	some it in declared
	it.type == "AWS::Events::EventBusPolicy"
	it.now.Statement
}

# Documents that the apply will know. They are no pass: whoever runs the rules names each.
unjudged contains document.id if {
	some document in documents
	document.text == unknown
}

# Documents in which there is nothing to judge.
empty contains document.id if {
	some document in documents
	document.text != unknown
	count(written(document)) == 0
}

statements contains statement if {
	some document in documents
	some it in written(document)
	statement := {
		"id": document.id,
		"use": document.use,
		"role": object.get(document, "role", ""),
		"elements": object.keys(it),
		"effect": object.get(it, "Effect", unknown),
		# IAM takes them in any case.
		"actions": {lower(action) | some action in texts(object.get(it, "Action", []))},
		"resources": texts(object.get(it, "Resource", [])),
		"principals": principals(object.get(it, "Principal", {})),
		"conditions": {[operator, key] |
			some operator, keys in object.get(it, "Condition", {})
			some key, _ in keys
		},
	}
}

written(document) := {it | some it in items(parsed(document.text).Statement); is_object(it)}

parsed(text) := json.unmarshal(text) if {
	is_string(text)
	json.is_valid(text)
}

parsed(text) := text if is_object(text)

principals(principal) := {{"kind": kind, "name": name} |
	some it in items(principal)
	some kind, names in by_kind(it)
	some name in texts(names)
}

by_kind(principal) := principal if is_object(principal)

by_kind(principal) := {"AWS": principal} if is_string(principal)

# Policies that roles get by their names. One that the apply will know is made by the same plan.

attachments contains {"id": it.id, "policy": it.now.policy_arn} if {
	some it in planned
	it.type == "aws_iam_role_policy_attachment"
}

attachments contains {"id": it.id, "policy": policy} if {
	some it in planned
	it.type == "aws_iam_role"
	is_array(it.now.managed_policy_arns)
	some policy in it.now.managed_policy_arns
}

attachments contains {"id": it.id, "policy": policy} if {
	some it in declared
	some policy in texts(object.get(it.now, "ManagedPolicyArns", []))
}

attachable contains object.get(it.now, "arn", unknown) if {
	some it in planned
	it.type == "aws_iam_policy"
}

attachable contains it.id if {
	some it in declared
	it.type == "AWS::IAM::ManagedPolicy"
}

# Doors: who may call a function or put events, where no document says it

doors contains door if {
	some it in planned
	it.type in {"aws_cloudwatch_event_permission", "aws_lambda_permission"}
	sources := {object.get(it.now, name, null) | some name in ["source_account", "source_arn"]}
	door := {"id": it.id, "admits": it.now.principal, "sources": sources - {null}}
}

doors contains door if {
	some it in declared
	it.type in {"AWS::Events::EventBusPolicy", "AWS::Lambda::Permission"}
	sources := {object.get(it.now, name, null) | some name in ["SourceAccount", "SourceArn"]}
	door := {"id": it.id, "admits": resolved(it.now.Principal), "sources": sources - {null}}
}

urls contains {"id": it.id, "asks_for": it.now.authorization_type} if {
	some it in planned
	it.type == "aws_lambda_function_url"
}

urls contains {"id": it.id, "asks_for": resolved(it.now.AuthType)} if {
	some it in declared
	it.type == "AWS::Lambda::Url"
}
