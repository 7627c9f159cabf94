# The planned values, however deep the modules nest.
package main

import rego.v1

planned contains resource if {
	[path, value] := walk(input.planned_values)
	count(path) > 1
	path[count(path) - 1] == "resources"
	some resource in value
}

types := {kind: n |
	some resource in planned
	kind := resource.type
	n := count([it | some it in planned; it.type == kind])
}

deny contains msg if {
	some kind, n in types
	startswith(kind, "aws_")
	n > 5
	msg := sprintf("%d × %s", [n, kind])
}

depth contains n if {
	[path, _] := walk(input.planned_values)
	n := count([it | some it in path; it == "child_modules"])
}

warn_depth contains msg if {
	max(depth) > 0
	msg := sprintf("modules %d deep; depths %v", [max(depth), depth])
}

warn_version contains msg if {
	version := input.terraform_version
	semver.is_valid(version)
	semver.compare(version, "1.0.0") < 0
	msg := sprintf("Terraform %s", [version])
}

warn_unknown contains msg if {
	some change in input.resource_changes
	unknown := {key | some key, value in change.change.after_unknown; value == true}
	some key in unknown & {"bucket", "policy", "arn"}
	not endswith(key, "n")
	msg := sprintf("%s.%s is not known yet", [change.address, key])
}

violation_json contains {"msg": msg, "n": n} if {
	some change in input.resource_changes
	some key, value in change.change.after
	is_string(value)
	json.is_valid(value)
	document := json.unmarshal(value)
	is_object(document)
	n := count(object.keys(document))
	msg := sprintf("%s.%s holds %s", [change.address, key, json.marshal(object.filter(document, ["Version"]))])
}
