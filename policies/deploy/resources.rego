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

# Texts of a list that may be one text, of either language.
texts(value) := {resolved(it) | some it in value} if is_array(value)

texts(value) := {resolved(value)} if not is_array(value)

# Both branches of `Fn::If` count.
branches(value) := {value["Fn::If"][1], value["Fn::If"][2]} if {
	is_object(value)
	value["Fn::If"]
} else := {value}

number(value) := value if is_number(value)

number(value) := to_number(value) if {
	is_string(value)
	regex.match(`^-?[0-9]+$`, value)
}

is_set(value) := false if {
	value in {null, "", false}
} else := true

# Queues

queues contains queue if {
	some it in planned
	it.type == "aws_sqs_queue"
	redrive := object.get(it.now, "redrive_policy", null)
	queue := {
		"id": it.id,
		"encrypted": encrypted_queue(it.now, "kms_master_key_id", "sqs_managed_sse_enabled"),
		"retention_s": object.get(it.now, "message_retention_seconds", 0),
		"visibility_s": object.get(it.now, "visibility_timeout_seconds", 0),
		"redrives": is_redrive(redrive),
	}
}

queues contains queue if {
	some it in declared
	it.type == "AWS::SQS::Queue"
	queue := {
		"id": it.id,
		"encrypted": encrypted_queue(it.now, "KmsMasterKeyId", "SqsManagedSseEnabled"),
		"retention_s": object.get(it.now, "MessageRetentionPeriod", 345600),
		"visibility_s": object.get(it.now, "VisibilityTimeout", 30),
		"redrives": is_redrive(object.get(it.now, "RedrivePolicy", null)),
	}
}

encrypted_queue(now, key, managed) := true if {
	is_set(object.get(now, key, null))
} else := object.get(now, managed, false)

is_redrive(policy) := true if {
	is_string(policy)
	policy != unknown
	json.unmarshal(policy).deadLetterTargetArn
} else := true if {
	is_object(policy)
	policy.deadLetterTargetArn
} else := false

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
	it.now.value != unknown
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
		"timeout_s": object.get(it.now, "timeout", 3),
		"concurrency": object.get(it.now, "reserved_concurrent_executions", -1),
		"dead_letters": count(object.get(it.now, "dead_letter_config", [])) == 1,
	}
}

functions contains function if {
	some it in declared
	it.type == "AWS::Lambda::Function"
	function := {
		"id": it.id,
		"timeout_s": object.get(it.now, "Timeout", 3),
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
		"encrypted": object.get(it.now, ["server_side_encryption", 0, "enabled"], false),
		"restorable": object.get(it.now, ["point_in_time_recovery", 0, "enabled"], false),
		"expires": object.get(it.now, ["ttl", 0, "enabled"], false),
	}
}

tables contains table if {
	some it in declared
	it.type == "AWS::DynamoDB::Table"
	table := {
		"id": it.id,
		"name": resolved(it.now.TableName),
		"encrypted": object.get(it.now, ["SSESpecification", "SSEEnabled"], false),
		"restorable": object.get(
			it.now,
			["PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled"],
			false,
		),
		"expires": object.get(it.now, ["TimeToLiveSpecification", "Enabled"], false),
	}
}

# Buckets

buckets contains bucket if {
	some it in planned
	it.type == "aws_s3_bucket"
	name := it.now.bucket
	bucket := {
		"id": it.id,
		"locked": object.get(it.now, "object_lock_enabled", false) == true,
		"lock_days": sum([days |
			some lock in beside(name, "aws_s3_bucket_object_lock_configuration")
			days := object.get(lock, ["rule", 0, "default_retention", 0, "days"], 0)
		]),
		"encrypted": count(beside(name, "aws_s3_bucket_server_side_encryption_configuration")) == 1,
	}
}

# The resources that say something of the same bucket.
beside(bucket, type) := [it.now | some it in planned; it.type == type; it.now.bucket == bucket]

buckets contains bucket if {
	some it in declared
	it.type == "AWS::S3::Bucket"
	rule := ["ObjectLockConfiguration", "Rule", "DefaultRetention", "Days"]
	bucket := {
		"id": it.id,
		"locked": object.get(it.now, "ObjectLockEnabled", false) == true,
		"lock_days": number(resolved(object.get(it.now, rule, 0))),
		"encrypted": is_set(object.get(it.now, "BucketEncryption", null)),
	}
}

# Log groups

log_groups contains group if {
	some it in planned
	it.type == "aws_cloudwatch_log_group"
	group := {
		"id": it.id,
		"retention_days": object.get(it.now, "retention_in_days", 0),
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

# Policies: what roles may do, and whom they trust

documents contains document if {
	some it in planned
	it.type in {"aws_iam_policy", "aws_iam_role_policy"}
	document := {"id": it.id, "use": "role", "text": it.now.policy}
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
	some it in declared
	it.type in {"AWS::IAM::ManagedPolicy", "AWS::IAM::Policy"}
	document := {"id": it.id, "use": "role", "text": it.now.PolicyDocument}
}

documents contains document if {
	some it in declared
	it.type == "AWS::IAM::Role"
	some policy in it.now.Policies
	document := {"id": it.id, "use": "role", "text": policy.PolicyDocument}
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

# Documents that the apply will know. They are no pass: whoever runs the rules names each.
unjudged contains document.id if {
	some document in documents
	document.text == unknown
}

statements contains statement if {
	some document in documents
	document.text != unknown
	some raw in parsed(document.text).Statement
	some it in branches(raw)
	it.Effect
	statement := {
		"id": document.id,
		"use": document.use,
		"role": object.get(document, "role", ""),
		"effect": it.Effect,
		"actions": texts(object.get(it, "Action", [])),
		"resources": texts(object.get(it, "Resource", [])),
		"principals": principals(object.get(it, "Principal", {})),
		"conditions": {[operator, key] |
			some operator, keys in object.get(it, "Condition", {})
			some key, _ in keys
		},
	}
}

parsed(text) := json.unmarshal(text) if is_string(text)

parsed(text) := text if is_object(text)

principals(principal) := {{"kind": "AWS", "name": principal}} if is_string(principal)

principals(principal) := {{"kind": kind, "name": name} |
	some kind, names in principal
	some name in texts(names)
} if {
	is_object(principal)
}
