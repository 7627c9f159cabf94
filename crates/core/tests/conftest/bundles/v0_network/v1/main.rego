# `main.rego` in Rego v1, for an OPA that reads no v0.
package terraform.network

world := "0.0.0.0/0"

open_rules contains rule if {
	change := input.resource_changes[_]
	change.type == "aws_security_group_rule"
	world in change.change.after.cidr_blocks
	rule := change
}

open_rules contains rule if {
	change := input.resource_changes[_]
	change.type == "aws_security_group"
	change.change.after.ingress[_].cidr_blocks[_] == world
	rule := change
}

violation contains {"msg": msg} if {
	some rule in open_rules
	msg := sprintf("%s: open to the world", [rule.address])
}

public_subnets := {it.address: cidr |
	it := input.resource_changes[_]
	it.type == "aws_subnet"
	cidr := it.change.after.cidr_block
}

warn_subnets contains msg if {
	cidr := public_subnets[address]
	bits := to_number(split(cidr, "/")[1])
	bits < 25
	msg := sprintf("%v has %v bits", [address, bits])
}

grade(n) := "many" if { n > 3 } else := "some" if { n > 1 } else := "few" if { true }

warn_grade contains msg if {
	n := count(input.resource_changes)
	msg := sprintf("%v resources", [grade(n)])
}
