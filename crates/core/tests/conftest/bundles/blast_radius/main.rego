# OPA's own example for Terraform: how much a plan changes.
package terraform.analysis

import rego.v1

blast_radius := 30

weights := {
	"aws_autoscaling_group": {"delete": 100, "create": 10, "modify": 1},
	"aws_instance": {"delete": 10, "create": 1, "modify": 1},
	"aws_security_group": {"delete": 20, "create": 5, "modify": 5},
	"aws_s3_bucket": {"delete": 50.5, "create": 2.5, "modify": 1},
}

resource_types := {"aws_autoscaling_group", "aws_instance", "aws_security_group", "aws_s3_bucket"}

resources[resource_type] := all if {
	some resource_type in resource_types
	all := [name |
		name := input.resource_changes[_]
		name.type == resource_type
	]
}

num_creates[resource_type] := num if {
	some resource_type in resource_types
	creates := [res | res := resources[resource_type][_]; res.change.actions[_] == "create"]
	num := count(creates)
}

num_deletes[resource_type] := num if {
	some resource_type in resource_types
	deletes := [res | res := resources[resource_type][_]; res.change.actions[_] == "delete"]
	num := count(deletes)
}

score := s if {
	all := [x |
		some resource_type, crud in weights
		x := (crud.delete * num_deletes[resource_type]) + (crud.create * num_creates[resource_type])
	]
	s := sum(all)
}

default authz := false

authz if score < blast_radius

deny contains msg if {
	not authz
	msg := sprintf("the score %v is not below %v", [score, blast_radius])
}

warn contains {"msg": "something is deleted", "types": gone} if {
	gone := [kind | some kind; num_deletes[kind] > 0]
	count(gone) > 0
}

warn_score contains sprintf("score %v of %d resources", [score, count(input.resource_changes)]) if score > 0
