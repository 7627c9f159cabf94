# Each rule refuses a plan and a template that are broken in one place, and passes the sound one.
package quell.deploy_test

import data.quell.deploy

# A plan that is as it should be, in one of everything.
plan := {"resource_changes": [
	made("queue", "aws_sqs_queue", {
		"kms_master_key_id": "key",
		"message_retention_seconds": 1209600,
		"visibility_timeout_seconds": 720,
		"redrive_policy": `{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:111122223333:dead", "maxReceiveCount": 5}`,
	}),
	made("function", "aws_lambda_function", {
		"timeout": 120,
		"reserved_concurrent_executions": 10,
		"dead_letter_config": [{"target_arn": "arn:aws:sqs:us-east-1:111122223333:dead"}],
	}),
	made("ledger", "aws_dynamodb_table", {
		"name": "quell-ledger",
		"server_side_encryption": [{"enabled": true}],
		"point_in_time_recovery": [{"enabled": true}],
		"ttl": [],
	}),
	made("bucket", "aws_s3_bucket", {"bucket": "checkpoints", "object_lock_enabled": true}),
	made("lock", "aws_s3_bucket_object_lock_configuration", {
		"bucket": "checkpoints",
		"rule": [{"default_retention": [{"days": 400, "mode": "COMPLIANCE"}]}],
	}),
	made("sse", "aws_s3_bucket_server_side_encryption_configuration", {"bucket": "checkpoints"}),
	made("logs", "aws_cloudwatch_log_group", {"retention_in_days": 365, "kms_key_id": "key"}),
	made("topic", "aws_sns_topic", {"kms_master_key_id": "key"}),
	made("role", "aws_iam_role", {"assume_role_policy": document([trust])}),
	made("service_role", "aws_iam_role", {"assume_role_policy": document([service_trust])}),
	made("policy", "aws_iam_policy", {"policy": document([statement])}),
	made("configuration", "aws_ssm_parameter", {"value": `{"limits": {"delivery_attempts_max": 5}}`}),
]}

made(id, type, after) := {
	"address": id,
	"mode": "managed",
	"type": type,
	"change": {"actions": ["create"], "after": after, "after_unknown": {}},
}

document(statements) := json.marshal({"Version": "2012-10-17", "Statement": statements})

statement := {
	"Effect": "Allow",
	"Action": ["s3:PutBucketPolicy"],
	"Resource": "arn:aws:s3:::*",
}

trust := {
	"Effect": "Allow",
	"Action": "sts:AssumeRole",
	"Principal": {"AWS": "arn:aws:iam::111122223333:role/quell-function"},
	"Condition": {"StringEquals": {"sts:ExternalId": "an-external-id-0"}},
}

service_trust := {
	"Effect": "Allow",
	"Action": "sts:AssumeRole",
	"Principal": {"Service": "events.amazonaws.com"},
	"Condition": {"StringEquals": {"aws:SourceAccount": "111122223333"}},
}

# The same as a template, where it is written differently.
template := {
	"Parameters": {"Concurrency": {"Type": "Number", "Default": 10}},
	"Resources": {
		"Queue": {"Type": "AWS::SQS::Queue", "Properties": {
			"KmsMasterKeyId": {"Ref": "Key"},
			"MessageRetentionPeriod": 1209600,
			"VisibilityTimeout": 720,
			"RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 5},
		}},
		"Function": {"Type": "AWS::Lambda::Function", "Properties": {
			"Timeout": 120,
			"ReservedConcurrentExecutions": {"Ref": "Concurrency"},
			"DeadLetterConfig": {"TargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}},
		}},
		"Ledger": {"Type": "AWS::DynamoDB::Table", "Properties": {
			"TableName": {"Fn::Sub": "${Prefix}-ledger"},
			"SSESpecification": {"SSEEnabled": true},
			"PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": true},
		}},
		"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {
			"ObjectLockEnabled": true,
			"ObjectLockConfiguration": {"Rule": {"DefaultRetention": {"Days": 400, "Mode": "COMPLIANCE"}}},
			"BucketEncryption": {"ServerSideEncryptionConfiguration": []},
		}},
		"Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {
			"RetentionInDays": 365,
			"KmsKeyId": {"Fn::GetAtt": ["Key", "Arn"]},
		}},
		"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"KmsMasterKeyId": {"Ref": "Key"}}},
		"Role": {"Type": "AWS::IAM::Role", "Properties": {
			"AssumeRolePolicyDocument": {"Statement": [trust]},
			"Policies": [{"PolicyName": "it", "PolicyDocument": {"Statement": [statement]}}],
		}},
		"Configuration": {"Type": "AWS::SSM::Parameter", "Properties": {
			"Value": {"Fn::Sub": ["limits:\n  delivery_attempts_max: 5\n", {}]},
		}},
	},
}

denied(input_) := {it.rule | some it in deploy.deny with input as input_}

# The plan with another value at a path of one resource.
broken(id, path, value) := {"resource_changes": [changed |
	some it in plan.resource_changes
	changed := replaced(it, id, path, value)
]}

replaced(it, id, path, value) := json.patch(it, [{
	"op": "add",
	"path": array.concat(["change", "after"], path),
	"value": value,
}]) if {
	it.address == id
} else := it

rewritten(path, value) := json.patch(template, [{
	"op": "add",
	"path": array.concat(["Resources"], path),
	"value": value,
}])

test_sound_plan_passes if denied(plan) == set()

test_sound_template_passes if denied(template) == set()

test_nothing_is_no_pass if denied({}) == {"nothing"}

test_wildcard_action if {
	it := object.union(statement, {"Action": ["s3:Put*"]})
	denied(broken("policy", ["policy"], document([it]))) == {"wildcard_action"}
	denied(rewritten(["Role", "Properties", "Policies", 0, "PolicyDocument", "Statement", 0], it)) == {"wildcard_action"}
}

test_wildcard_resource if {
	it := object.union(statement, {"Resource": "*"})
	denied(broken("policy", ["policy"], document([it]))) == {"wildcard_resource"}
	denied(rewritten(["Role", "Properties", "Policies", 0, "PolicyDocument", "Statement", 0], it)) == {"wildcard_resource"}
}

test_a_wildcard_resource_is_fine_where_iam_knows_none if {
	it := {"Effect": "Allow", "Action": "ec2:DescribeSecurityGroups", "Resource": "*"}
	denied(broken("policy", ["policy"], document([it]))) == set()
}

test_a_wildcard_may_deny if {
	it := {"Effect": "Deny", "Action": "*", "Resource": "*"}
	denied(broken("policy", ["policy"], document([it]))) == set()
}

test_a_branch_of_a_condition_counts if {
	wide := object.union(statement, {"Action": "*"})
	it := {"Fn::If": ["Some", wide, {"Ref": "AWS::NoValue"}]}
	denied(rewritten(["Role", "Properties", "Policies", 0, "PolicyDocument", "Statement", 0], it)) == {"wildcard_action"}
}

test_ledger_append_only if {
	ledger := "arn:aws:dynamodb:us-east-1:111122223333:table/quell-ledger"
	it := {"Effect": "Allow", "Action": ["dynamodb:PutItem", "dynamodb:DeleteItem"], "Resource": ledger}
	denied(broken("policy", ["policy"], document([it]))) == {"ledger_append_only"}
	sub := object.union(it, {"Resource": {"Fn::Sub": "arn:aws:dynamodb:eu-west-1:111122223333:table/${Prefix}-ledger"}})
	denied(rewritten(["Role", "Properties", "Policies", 0, "PolicyDocument", "Statement", 0], sub)) == {"ledger_append_only"}
}

test_trust_external_id if {
	it := object.remove(trust, ["Condition"])
	denied(broken("role", ["assume_role_policy"], document([it]))) == {"trust_external_id"}
	denied(rewritten(["Role", "Properties", "AssumeRolePolicyDocument", "Statement", 0], it)) == {"trust_external_id"}
	every operator in ["StringNotEquals", "StringLike", "StringEqualsIfExists", "Null"] {
		other := object.union(it, {"Condition": {operator: {"sts:ExternalId": "an-external-id-0"}}})
		denied(broken("role", ["assume_role_policy"], document([other]))) == {"trust_external_id"}
	}
}

test_undo_trust if {
	undo := json.patch(template, [{
		"op": "add",
		"path": "/Resources/Role/Properties/RoleName",
		"value": {"Fn::Sub": "${Prefix}-undo"},
	}])
	denied(undo) == {"undo_trust"}
	principal := "/Resources/Role/Properties/AssumeRolePolicyDocument/Statement/0/Principal"
	denied(json.patch(undo, [{
		"op": "replace",
		"path": principal,
		"value": {"AWS": "arn:aws:iam::111122223333:role/security-oncall"},
	}])) == set()
	by_parameter := json.patch(undo, [
		{"op": "replace", "path": principal, "value": {"AWS": {"Ref": "FunctionRoleArn"}}},
		{"op": "add", "path": "/Parameters/FunctionRoleArn", "value": {"Type": "String"}},
	])
	denied(by_parameter) == {"undo_trust"}
	denied(broken("role", ["name"], "quell-undo")) == {"undo_trust"}
}

test_trust_everybody if {
	it := json.patch(trust, [{"op": "replace", "path": ["Principal", "AWS"], "value": "*"}])
	denied(broken("role", ["assume_role_policy"], document([it]))) == {"trust_everybody"}
}

test_trust_service if {
	it := object.remove(service_trust, ["Condition"])
	denied(broken("service_role", ["assume_role_policy"], document([it]))) == {"trust_service"}
	other := object.union(it, {"Condition": {"StringNotEquals": {"aws:SourceAccount": "111122223333"}}})
	denied(broken("service_role", ["assume_role_policy"], document([other]))) == {"trust_service"}
}

test_lambda_is_trusted_as_it_is if {
	it := {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
	denied(broken("service_role", ["assume_role_policy"], document([it]))) == set()
}

test_encryption if {
	denied(broken("queue", ["kms_master_key_id"], null)) == {"encryption"}
	denied(broken("ledger", ["server_side_encryption"], [])) == {"encryption"}
	denied(broken("sse", ["bucket"], "another")) == {"encryption"}
	denied(broken("logs", ["kms_key_id"], null)) == {"encryption"}
	denied(broken("topic", ["kms_master_key_id"], null)) == {"encryption"}
	denied(rewritten(["Ledger", "Properties", "SSESpecification", "SSEEnabled"], false)) == {"encryption"}
	denied(rewritten(["Topic", "Properties"], {})) == {"encryption"}
}

test_sqs_may_encrypt_by_itself if {
	it := json.patch(broken("queue", ["kms_master_key_id"], null), [{
		"op": "add",
		"path": "/resource_changes/0/change/after/sqs_managed_sse_enabled",
		"value": true,
	}])
	denied(it) == set()
}

test_a_key_that_will_be_known_is_one if {
	it := json.patch(broken("topic", ["kms_master_key_id"], null), [{
		"op": "add",
		"path": "/resource_changes/7/change/after_unknown/kms_master_key_id",
		"value": true,
	}])
	denied(it) == set()
}

test_retention if {
	denied(broken("queue", ["message_retention_seconds"], 3600)) == {"retention"}
	denied(broken("logs", ["retention_in_days"], 0)) == {"retention"}
	denied(rewritten(["Logs", "Properties", "RetentionInDays"], 7)) == {"retention"}
}

test_restorable if {
	denied(broken("ledger", ["point_in_time_recovery"], [{"enabled": false}])) == {"restorable"}
	denied(rewritten(["Ledger", "Properties", "PointInTimeRecoverySpecification"], {})) == {"restorable"}
}

test_ledger_expires if {
	denied(broken("ledger", ["ttl"], [{"enabled": true, "attribute_name": "expires"}])) == {"ledger_expires"}
	denied(rewritten(["Ledger", "Properties", "TimeToLiveSpecification"], {"Enabled": true})) == {"ledger_expires"}
}

test_dead_letters if {
	denied(broken("queue", ["redrive_policy"], null)) == {"dead_letters"}
	denied(broken("function", ["dead_letter_config"], [])) == {"dead_letters"}
	denied(rewritten(["Queue", "Properties", "RedrivePolicy"], null)) == {"dead_letters"}
	denied(rewritten(["Function", "Properties", "DeadLetterConfig"], {})) == {"dead_letters"}
}

test_visibility if {
	denied(broken("queue", ["visibility_timeout_seconds"], 719)) == {"visibility"}
	denied(rewritten(["Queue", "Properties", "VisibilityTimeout"], 30)) == {"visibility"}
}

test_receives if {
	denied(broken("configuration", ["value"], `{"limits": {"delivery_attempts_max": 4}}`)) == {"receives"}
	by_parameter := rewritten(["Queue", "Properties", "RedrivePolicy", "maxReceiveCount"], {"Ref": "ReceivesMax"})
	denied(by_parameter) == {"receives"}
	text := ["Configuration", "Properties", "Value"]
	denied(rewritten(text, {"Fn::Sub": "guardrails: {}"})) == {"receives"}
	denied(json.patch(by_parameter, [{
		"op": "add",
		"path": array.concat(["Resources"], text),
		"value": {"Fn::Sub": "delivery_attempts_max: ${ReceivesMax}"},
	}])) == set()
}

test_object_lock if {
	denied(broken("bucket", ["object_lock_enabled"], false)) == {"object_lock"}
	denied(broken("lock", ["rule"], [])) == {"object_lock"}
	denied(rewritten(["Bucket", "Properties", "ObjectLockConfiguration"], {})) == {"object_lock"}
}

test_concurrency if {
	denied(broken("function", ["reserved_concurrent_executions"], 0)) == {"concurrency"}
	zero := json.patch(template, [{"op": "replace", "path": "/Parameters/Concurrency/Default", "value": 0}])
	denied(zero) == {"concurrency"}
}

test_unreadable if {
	nameless := {"resource_changes": [made("table", "aws_dynamodb_table", {})]}
	denied(nameless) == {"unreadable"}
	denied(rewritten(["Function", "Properties", "ReservedConcurrentExecutions"], {"Ref": "Nobody"})) == {"unreadable"}
}

test_unjudged if {
	it := json.patch(broken("policy", ["policy"], null), [{
		"op": "add",
		"path": "/resource_changes/10/change/after_unknown/policy",
		"value": true,
	}])
	denied(it) == {"unjudged"}
	named := json.patch(it, [{
		"op": "replace",
		"path": "/resource_changes/10/address",
		"value": "module.hub.aws_iam_role_policy.signing_key",
	}])
	denied(named) == set()
	deploy.unjudged == {"module.hub.aws_iam_role_policy.signing_key"} with input as named
}
