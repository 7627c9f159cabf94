# A rule with two values is an error of the evaluation, and no pass.
package main

import rego.v1

region := "eu-central-1" if {
	some change in input.resource_changes
	change.type == "aws_s3_bucket"
}

region := "us-east-1" if {
	some change in input.resource_changes
	change.type == "aws_iam_role"
}

deny contains msg if {
	region == "us-east-1"
	msg := "never there"
}

warn contains msg if {
	some change in input.resource_changes
	change.type == "aws_iam_role"
	msg := sprintf("%s is a role", [change.address])
}
