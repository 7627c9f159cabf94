package lib.net

import rego.v1

# The rules of a group, whichever way they are written.
ingress contains rule if {
	some change in input.resource_changes
	change.type == "aws_security_group"
	some block in change.change.after.ingress
	rule := {
		"address": change.address,
		"from": to_number(block.from_port),
		"to": to_number(block.to_port),
		"cidrs": cidrs(block),
	}
}

ingress contains rule if {
	some change in input.resource_changes
	change.type == "aws_security_group_rule"
	change.change.after.type == "ingress"
	after := change.change.after
	is_number(after.from_port)
	rule := {
		"address": change.address,
		"from": after.from_port,
		"to": after.to_port,
		"cidrs": array.concat([], cidrs(after)),
	}
}

is_world(cidr) if net.cidr_contains(cidr, "0.0.0.0/1")

is_world(cidr) if endswith(cidr, "::/0")

covers(rule, port) if {
	rule.from <= port
	port <= rule.to
}

covers(rule, _) if {
	rule.from == 0
	rule.to == 0
}

is_within(range, cidr) if net.cidr_contains(range, cidr)

# What is not known, or left out, is null or absent.
cidrs(block) := block.cidr_blocks if is_array(block.cidr_blocks)

cidrs(block) := [] if not is_array(block.cidr_blocks)
