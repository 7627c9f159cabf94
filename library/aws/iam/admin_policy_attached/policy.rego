package quell.aws.iam.admin_policy_attached

holder := {
	"AWS::IAM::Group": "everyone in the group",
	"AWS::IAM::Role": "whoever takes the role",
	"AWS::IAM::User": "the user",
}[input.resource.type]

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
	"element": it.arn,
	"reason": sprintf("%s makes an administrator of %s: %s", [it.arn, holder, it.reason]),
	"notify_only": only_aws,
} if {
	some it in input.resource.facts.attached
	it.admin == "yes"
}

deny contains {
	"element": it.arn,
	"reason": sprintf("%s may make an administrator of %s: %s", [it.arn, holder, it.reason]),
	"indeterminate": sprintf("the document of %s", [it.arn]),
} if {
	some it in input.resource.facts.attached
	it.admin == "unknown"
}
