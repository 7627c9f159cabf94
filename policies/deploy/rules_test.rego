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

# The plan or the template with one resource more.

added(id, type, after) := {"resource_changes": array.concat(plan.resource_changes, [made(id, type, after)])}

declared(type, properties) := json.patch(template, [{
	"op": "add",
	"path": "/Resources/More",
	"value": {"Type": type, "Properties": properties},
}])

# What the rules say of one statement of a role, in either language.
granted(it) := in_plan | in_template if {
	in_plan := denied(broken("policy", ["policy"], document([it])))
	in_template := denied(rewritten(["Role", "Properties", "Policies", 0, "PolicyDocument", "Statement", 0], it))
}

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

test_a_question_mark_is_a_wildcard if {
	granted(object.union(statement, {"Action": "s3:PutBucketPolic?"})) == {"wildcard_action"}
}

test_a_reference_may_be_a_wildcard if {
	it := object.union(statement, {"Action": {"Fn::Sub": "s3:${Which}"}})
	denied(rewritten(["Role", "Properties", "Policies", 0, "PolicyDocument", "Statement", 0], it)) == {"wildcard_action"}
}

test_an_almost_wild_resource if {
	every resource in [
		"arn:aws:iam::*:*",
		"arn:aws:iam::111122223333:?*",
		"arn:aws:iam*",
		"arn:aws:*:*:111122223333:role/it",
		"arn:*",
		"?",
	] {
		granted({"Effect": "Allow", "Action": "iam:PutRolePolicy", "Resource": resource}) == {"wildcard_resource"}
	}
}

test_resources_by_type_are_fine if {
	every resource in [
		"arn:aws:iam::111122223333:role/*",
		"arn:aws:events:*:111122223333:rule/*",
		"arn:aws:logs:us-east-1:111122223333:log-group:/aws/lambda/quell:*",
		"arn:aws:s3:::quell-checkpoints/*",
	] {
		granted(object.union(statement, {"Resource": resource})) == set()
	}
}

test_negation if {
	not_action := {"Effect": "Allow", "NotAction": "iam:DeleteUser", "Resource": "arn:aws:s3:::it"}
	granted(not_action) == {"negation"}
	not_resource := {"Effect": "Allow", "Action": "s3:PutBucketPolicy", "NotResource": "arn:aws:s3:::it"}
	granted(not_resource) == {"negation"}
	not_principal := object.union(object.remove(trust, ["Principal"]), {"NotPrincipal": trust.Principal})
	denied(broken("role", ["assume_role_policy"], document([not_principal]))) == {"negation"}
	path := ["Role", "Properties", "AssumeRolePolicyDocument", "Statement", 0]
	denied(rewritten(path, not_principal)) == {"negation"}
}

test_a_statement_without_a_list_counts if {
	wide := object.union(statement, {"Action": "*"})
	denied(broken("policy", ["policy"], document(wide))) == {"wildcard_action"}
	denied(rewritten(["Role", "Properties", "Policies", 0, "PolicyDocument", "Statement"], wide)) == {"wildcard_action"}
	everybody := json.patch(trust, [{"op": "replace", "path": ["Principal", "AWS"], "value": "*"}])
	denied(broken("role", ["assume_role_policy"], document(everybody))) == {"trust_everybody"}
}

test_a_wildcard_may_deny if {
	it := {"Effect": "Deny", "Action": "*", "Resource": "*"}
	denied(broken("policy", ["policy"], document([it]))) == set()
}

test_a_branch_of_a_condition_counts if {
	wide := object.union(statement, {"Action": "*"})
	it := {"Fn::If": ["Some", wide, {"Ref": "AWS::NoValue"}]}
	denied(rewritten(["Role", "Properties", "Policies", 0, "PolicyDocument", "Statement", 0], it)) == {"wildcard_action"}
	list := {"Fn::If": ["Some", [statement], {"Fn::If": ["Other", [wide], []]}]}
	denied(rewritten(["Role", "Properties", "Policies", 0, "PolicyDocument", "Statement"], list)) == {"wildcard_action"}
	resource := object.union(statement, {"Resource": {"Fn::If": ["Some", {"Ref": "Key"}, ["*"]]}})
	denied(rewritten(["Role", "Properties", "Policies", 0, "PolicyDocument", "Statement", 0], resource)) == {"wildcard_resource"}
}

test_ledger_append_only if {
	ledger := "arn:aws:dynamodb:us-east-1:111122223333:table/quell-ledger"
	it := {"Effect": "Allow", "Action": ["dynamodb:PutItem", "dynamodb:DeleteItem"], "Resource": ledger}
	denied(broken("policy", ["policy"], document([it]))) == {"ledger_append_only"}
	sub := object.union(it, {"Resource": {"Fn::Sub": "arn:aws:dynamodb:eu-west-1:111122223333:table/${Prefix}-ledger"}})
	denied(rewritten(["Role", "Properties", "Policies", 0, "PolicyDocument", "Statement", 0], sub)) == {"ledger_append_only"}
}

test_only_reading_and_adding_is_granted_on_the_ledger if {
	ledger := "arn:aws:dynamodb:us-east-1:111122223333:table/quell-ledger"
	every action in [
		"dynamodb:PartiQLDelete",
		"dynamodb:PartiQLUpdate",
		"dynamodb:UpdateTable",
		"dynamodb:BatchWriteItem",
		"DynamoDB:deleteitem",
	] {
		granted({"Effect": "Allow", "Action": action, "Resource": ledger}) == {"ledger_append_only"}
	}
	allowed := ["dynamodb:ConditionCheckItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"]
	granted({"Effect": "Allow", "Action": allowed, "Resource": ledger}) == set()
}

test_what_may_be_the_ledger_counts if {
	it := {"Effect": "Allow", "Action": "dynamodb:DeleteItem"}
	every table in ["quell-*", "*-ledge?", "quell-ledger/index/it", "*"] {
		resource := sprintf("arn:aws:dynamodb:*:111122223333:table/%s", [table])
		granted(object.union(it, {"Resource": resource})) == {"ledger_append_only"}
	}
	referred := object.union(it, {"Resource": {"Fn::GetAtt": ["Ledger", "Arn"]}})
	path := ["Role", "Properties", "Policies", 0, "PolicyDocument", "Statement", 0]
	denied(rewritten(path, referred)) == {"ledger_append_only"}
	state := "arn:aws:dynamodb:us-east-1:111122223333:table/quell-state"
	granted(object.union(it, {"Resource": state})) == set()
}

test_ledger_deleted if {
	every actions in [["delete"], ["delete", "create"], ["create", "delete"]] {
		gone := {
			"address": "ledger",
			"mode": "managed",
			"type": "aws_dynamodb_table",
			"change": {"actions": actions, "before": {"name": "quell-ledger"}, "after": {}, "after_unknown": {}},
		}
		without := [it | some it in plan.resource_changes; it.address != "ledger"]
		"ledger_deleted" in denied({"resource_changes": array.concat(without, [gone])})
	}
}

test_other_tables_may_go if {
	other := {"name": "quell-other"}
	gone := {"actions": ["delete"], "before": other, "after": null, "after_unknown": {}}
	it := object.union(made("more", "aws_dynamodb_table", {}), {"change": gone})
	denied({"resource_changes": array.concat(plan.resource_changes, [it])}) == set()
}

test_attachment if {
	admin := "arn:aws:iam::aws:policy/AdministratorAccess"
	attached := {"role": "quell-function", "policy_arn": admin}
	denied(added("more", "aws_iam_role_policy_attachment", attached)) == {"attachment"}
	denied(broken("role", ["managed_policy_arns"], [admin])) == {"attachment"}
	denied(rewritten(["Role", "Properties", "ManagedPolicyArns"], [admin])) == {"attachment"}
}

test_policies_of_the_same_deployment_are_attached if {
	ours := "arn:aws:iam::111122223333:policy/quell-read-1"
	it := json.patch(broken("role", ["managed_policy_arns"], [ours]), [{
		"op": "add",
		"path": "/resource_changes/10/change/after/arn",
		"value": ours,
	}])
	denied(it) == set()
	later := json.patch(added("more", "aws_iam_role_policy_attachment", {"role": "it"}), [
		{"op": "add", "path": "/resource_changes/12/change/after_unknown/policy_arn", "value": true},
		{"op": "add", "path": "/resource_changes/10/change/after_unknown/arn", "value": true},
	])
	denied(later) == set()
	policy := {"PolicyDocument": {"Statement": [statement]}}
	in_template := json.patch(declared("AWS::IAM::ManagedPolicy", policy), [{
		"op": "add",
		"path": "/Resources/Role/Properties/ManagedPolicyArns",
		"value": [{"Ref": "More"}],
	}])
	denied(in_template) == set()
}

test_inline_policies_are_judged if {
	inline := {"name": "it", "policy": document([object.union(statement, {"Action": "*"})])}
	denied(broken("role", ["inline_policy"], [inline])) == {"wildcard_action"}
	sound := {"name": "it", "policy": document([statement])}
	denied(broken("role", ["inline_policy"], [sound])) == set()
	denied(broken("role", ["inline_policy"], [{"name": "it"}])) == {"unjudged"}
}

test_only_roles if {
	every type in ["aws_iam_user_policy", "aws_iam_group_policy", "aws_iam_user_policy_attachment"] {
		denied(added("more", type, {"policy": document([statement])})) == {"only_roles"}
	}
	denied(declared("AWS::IAM::UserPolicy", {"PolicyDocument": {"Statement": [statement]}})) == {"only_roles"}
	people := {"PolicyDocument": {"Statement": [statement]}, "Users": ["mallory"]}
	denied(declared("AWS::IAM::Policy", people)) == {"only_roles"}
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
	every name in ["arn:aws:iam::111122223333:root", "111122223333"] {
		denied(json.patch(undo, [{"op": "replace", "path": principal, "value": {"AWS": name}}])) == {"undo_trust"}
	}
}

test_trust_federated if {
	provider := "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"
	it := {"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal": {"Federated": provider}}
	denied(broken("role", ["assume_role_policy"], document([it]))) == {"trust_federated"}
	denied(rewritten(["Role", "Properties", "AssumeRolePolicyDocument", "Statement", 0], it)) == {"trust_federated"}
}

test_open_to_everybody if {
	open := {"Effect": "Allow", "Action": "sqs:SendMessage", "Principal": "*", "Resource": "*"}
	every type in [
		"aws_sqs_queue_policy",
		"aws_cloudwatch_event_bus_policy",
		"aws_s3_bucket_policy",
		"aws_sns_topic_policy",
		"aws_kms_key",
	] {
		denied(added("more", type, {"policy": document([open])})) == {"open_to_everybody"}
	}
	by_aws := object.union(open, {"Principal": {"AWS": ["*"]}})
	denied(added("more", "aws_sqs_queue_policy", {"policy": document([by_aws])})) == {"open_to_everybody"}
	denied(declared("AWS::SQS::QueuePolicy", {"PolicyDocument": {"Statement": [open]}})) == {"open_to_everybody"}
	denied(declared("AWS::Events::EventBus", {"Policy": {"Statement": [open]}})) == {"open_to_everybody"}
	denied(declared("AWS::Events::EventBusPolicy", {"Statement": open})) == {"open_to_everybody"}
	refused := object.union(open, {"Effect": "Deny"})
	denied(added("more", "aws_sqs_queue_policy", {"policy": document([refused])})) == set()
}

test_a_function_is_open_to_nobody if {
	open := {"principal": "*", "action": "lambda:InvokeFunction"}
	denied(added("more", "aws_lambda_permission", open)) == {"open_to_everybody"}
	denied(declared("AWS::Lambda::Permission", {"Principal": "*"})) == {"open_to_everybody"}
	denied(added("more", "aws_cloudwatch_event_permission", {"principal": "*"})) == {"open_to_everybody"}
	denied(added("more", "aws_lambda_function_url", {"authorization_type": "NONE"})) == {"open_to_everybody"}
	denied(declared("AWS::Lambda::Url", {"AuthType": "NONE"})) == {"open_to_everybody"}
	denied(declared("AWS::Lambda::Url", {"AuthType": "AWS_IAM"})) == set()
}

test_a_service_is_admitted_for_whom_it_says if {
	events := {"principal": "events.amazonaws.com", "source_arn": null}
	denied(added("more", "aws_lambda_permission", events)) == {"trust_service"}
	ours := object.union(events, {"source_arn": "arn:aws:events:us-east-1:111122223333:rule/quell-every-scan"})
	denied(added("more", "aws_lambda_permission", ours)) == set()
	send := {"Action": "sqs:SendMessage", "Resource": "*"}
	any_account := object.union(object.remove(service_trust, ["Condition"]), send)
	denied(added("more", "aws_sqs_queue_policy", {"policy": document([any_account])})) == {"trust_service"}
	ours_alone := object.union(service_trust, send)
	denied(added("more", "aws_sqs_queue_policy", {"policy": document([ours_alone])})) == set()
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
	denied(rewritten(["Ledger", "Properties", "SSESpecification", "SSEEnabled"], "false")) == {"encryption"}
	denied(rewritten(["Ledger", "Properties", "SSESpecification", "SSEEnabled"], "true")) == set()
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
	off := {"PointInTimeRecoveryEnabled": "false"}
	denied(rewritten(["Ledger", "Properties", "PointInTimeRecoverySpecification"], off)) == {"restorable"}
}

test_ledger_expires if {
	denied(broken("ledger", ["ttl"], [{"enabled": true, "attribute_name": "expires"}])) == {"ledger_expires"}
	denied(rewritten(["Ledger", "Properties", "TimeToLiveSpecification"], {"Enabled": true})) == {"ledger_expires"}
}

test_dead_letters if {
	denied(broken("queue", ["redrive_policy"], null)) == {"dead_letters"}
	denied(broken("queue", ["redrive_policy"], "")) == {"dead_letters"}
	denied(broken("function", ["dead_letter_config"], [])) == {"dead_letters"}
	denied(rewritten(["Queue", "Properties", "RedrivePolicy"], null)) == {"dead_letters"}
	denied(rewritten(["Function", "Properties", "DeadLetterConfig"], {})) == {"dead_letters"}
}

test_each_queue_hands_on_or_is_handed_to if {
	queue := {
		"name": "more",
		"kms_master_key_id": "key",
		"message_retention_seconds": 1209600,
		"visibility_timeout_seconds": 30,
	}
	denied(added("more", "aws_sqs_queue", queue)) == {"dead_letters"}
	denied(added("more", "aws_sqs_queue", object.union(queue, {"name": "dead"}))) == set()
	properties := {"KmsMasterKeyId": {"Ref": "Key"}, "MessageRetentionPeriod": "1209600"}
	denied(declared("AWS::SQS::Queue", properties)) == {"dead_letters"}
	handed_to := json.patch(declared("AWS::SQS::Queue", properties), [{
		"op": "replace",
		"path": "/Resources/Queue/Properties/RedrivePolicy/deadLetterTargetArn",
		"value": {"Fn::GetAtt": ["More", "Arn"]},
	}])
	denied(handed_to) == set()
}

test_visibility if {
	denied(broken("queue", ["visibility_timeout_seconds"], 719)) == {"visibility"}
	denied(rewritten(["Queue", "Properties", "VisibilityTimeout"], 30)) == {"visibility"}
	denied(rewritten(["Queue", "Properties", "VisibilityTimeout"], "30")) == {"visibility"}
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
	denied(broken("lock", ["bucket"], "another")) == {"object_lock"}
	every retention in [
		{"days": 1, "mode": "COMPLIANCE"},
		{"days": 400, "mode": "GOVERNANCE"},
		{"days": 0, "years": 0, "mode": "COMPLIANCE"},
	] {
		denied(broken("lock", ["rule"], [{"default_retention": [retention]}])) == {"object_lock"}
	}
	years := {"days": 0, "years": 1, "mode": "COMPLIANCE"}
	denied(broken("lock", ["rule"], [{"default_retention": [years]}])) == set()
	rule := ["Bucket", "Properties", "ObjectLockConfiguration", "Rule", "DefaultRetention"]
	denied(rewritten(rule, {"Days": 400, "Mode": "GOVERNANCE"})) == {"object_lock"}
	denied(rewritten(rule, {"Days": "1", "Mode": "COMPLIANCE"})) == {"object_lock"}
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
	lower_case := {"effect": "Allow", "action": "*", "resource": "*"}
	granted(lower_case) == {"unreadable"}
	every text in ["", "it", `{"statement": []}`, `{"Statement": []}`] {
		denied(broken("policy", ["policy"], text)) == {"unreadable"}
	}
	elsewhere := ["Role", "Properties", "Policies", 0, "PolicyDocument"]
	denied(rewritten(elsewhere, {"Fn::Transform": {"Name": "AWS::Include"}})) == {"unreadable"}
}

# The plan, of which one policy is known later and has another address.
later(address) := json.patch(broken("policy", ["policy"], null), [
	{"op": "add", "path": "/resource_changes/10/change/after_unknown/policy", "value": true},
	{"op": "replace", "path": "/resource_changes/10/address", "value": address},
])

test_unjudged if {
	every address in [
		"policy",
		"module.hub.aws_iam_role_policy.data_key_admin",
		"module.hub.aws_iam_role_policy.signing_key2",
		"module.hub.my_aws_iam_role_policy.signing_key",
	] {
		denied(later(address)) == {"unjudged"}
	}
	every address in [
		"module.hub.aws_iam_role_policy.signing_key",
		`module.hub.aws_iam_role_policy.data_key["function"]`,
	] {
		denied(later(address)) == set()
		deploy.unjudged == {address} with input as later(address)
	}
}
