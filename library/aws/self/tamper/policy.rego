package quell.aws.self.tamper

resource := input.resource

# A rule of ours that brings no events.
deny contains finding if {
	resource.type == "AWS::Events::Rule"
	ours
	resource.properties.State == "DISABLED"
	finding := {
		"element": "State",
		"reason": sprintf("Quell's rule %s is disabled: its events reach nobody", [resource.id]),
	}
}

# A rule of ours that brings its events nowhere. Where to is known to the deployment alone.
deny contains finding if {
	resource.type == "AWS::Events::Rule"
	ours
	count(resource.properties.Targets) == 0
	finding := {
		"element": "Targets",
		"reason": sprintf("Quell's rule %s delivers to nothing", [resource.id]),
		"notify_only": "where it delivered to is known to the deployment alone",
	}
}

# A call on a part of ours by somebody who does not deploy it.
deny contains finding if {
	resource.type == "Quell::Deployment::Part"
	ours
	not deployed
	finding := {
		"element": resource.properties.Call,
		"reason": sprintf("%s on %s by %s", [resource.properties.Call, resource.id, resource.properties.Caller]),
		"notify_only": "what it was before is known to the deployment alone",
	}
}

ours if {
	some name in resource.facts.names
	some prefix in input.params.name_prefixes
	named(name, prefix)
}

ours if {
	some pattern in input.params.arns
	covers(pattern, resource.facts.arn)
}

named(name, prefix) if name == prefix

named(name, prefix) if startswith(name, sprintf("%s-", [prefix]))

deployed if {
	some pattern in input.params.deployers
	covers(pattern, resource.properties.Caller)
}

covers(pattern, arn) if pattern == arn

covers(pattern, arn) if {
	endswith(pattern, "*")
	startswith(arn, trim_suffix(pattern, "*"))
}
