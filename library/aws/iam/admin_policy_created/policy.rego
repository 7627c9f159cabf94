package quell.aws.iam.admin_policy_created

facts := input.resource.facts

place(it) := sprintf("the inline policy %s", [it.policy]) if {
	it.policy
} else := "the default version"

path := object.get(input.resource.properties, "Path", "")

default only_aws := null

# IAM keeps these paths to AWS for roles alone: anyone may make a user or policy under them.
only_aws := "AWS made this role, and only AWS can change it" if {
	input.resource.type == "AWS::IAM::Role"
	startswith(path, "/aws-reserved/")
}

only_aws := "AWS made this role, and only AWS can change it" if {
	input.resource.type == "AWS::IAM::Role"
	startswith(path, "/aws-service-role/")
}

deny contains {
	"element": it.element,
	"reason": sprintf("statement %s of %s makes an administrator: %s", [it.statement, place(it), it.reason]),
	"notify_only": only_aws,
} if {
	some it in facts.admin
}

# What cannot be understood must not pass for harmless.
deny contains {
	"element": name,
	"reason": sprintf("%s holds no statements that can be read", [name]),
	"indeterminate": name,
} if {
	some name in facts.unreadable
}
