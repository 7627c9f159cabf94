package main

import rego.v1

deny contains msg if {
	some change in input.resource_changes
	change.type == "aws_s3_bucket"
	msg := sprintf("%s is a bucket", [change.address])
}

deny_lambda contains msg if {
	some change in input.resource_changes
	change.type == "aws_lambda_function"
	msg := change.address
}

violation_role contains {"msg": change.address} if {
	some change in input.resource_changes
	change.type == "aws_iam_role"
}

warn_group contains sprintf("%s is a group", [change.address]) if {
	some change in input.resource_changes
	change.type == "aws_security_group"
}

# All that carry the prefix are excused where a plan has a role.
exception contains rules if {
	some change in input.resource_changes
	change.type == "aws_iam_role"
	rules := ["lambda", "role"]
}

# An empty name excuses the rules without one.
exception contains [""] if {
	input.terraform_version == "0.12.21"
}

exception contains {"group"} if count(input.resource_changes) > 10
