package terraform.network

import future.keywords.in

world = "0.0.0.0/0"

open_rules[rule] {
	change := input.resource_changes[_]
	change.type == "aws_security_group_rule"
	world in change.change.after.cidr_blocks
	rule := change
}

open_rules[rule] {
	change := input.resource_changes[_]
	change.type == "aws_security_group"
	change.change.after.ingress[_].cidr_blocks[_] == world
	rule := change
}

violation[{"msg": msg}] {
	some rule in open_rules
	msg := sprintf("%s: open to the world", [rule.address])
}

public_subnets = {it.address: cidr |
	it := input.resource_changes[_]
	it.type == "aws_subnet"
	cidr := it.change.after.cidr_block
}

warn_subnets[msg] {
	cidr := public_subnets[address]
	bits := to_number(split(cidr, "/")[1])
	bits < 25
	msg := sprintf("%v has %v bits", [address, bits])
}

grade(n) = "many" { n > 3 } else = "some" { n > 1 } else = "few" { true }

warn_grade[msg] {
	n := count(input.resource_changes)
	msg := sprintf("%v resources", [grade(n)])
}
