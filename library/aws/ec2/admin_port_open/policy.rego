package quell.aws.ec2.admin_port_open

# One finding per ingress rule (one protocol, one range of ports, one source) that lets the world
# reach one of the ports.
deny contains finding if {
	some rule in input.resource.facts.open_to_world
	ports := reached(rule)
	count(ports) > 0
	others := also_closes(rule, ports)
	finding := object.union(
		{
			"element": rule.element,
			"reason": sprintf("%s administration port %s%s", [rule.how, listed(ports), closing(others)]),
			"evidence": {
				"rule_id": rule.rule_id,
				"source": rule.source,
				"protocol": rule.protocol,
				"ports": ports,
				"also_closes": others,
			},
		},
		rule.caution,
	)
}

# A rule that nobody understands may be open: that is unknown, never fine.
deny contains finding if {
	problem := input.resource.facts.not_understood
	problem != null
	finding := {
		"element": "SecurityGroupIngress",
		"reason": "an ingress rule could not be understood",
		"indeterminate": problem,
	}
}

wanted := sort({port | some port in input.params.ports})

# The wanted ports that the world reaches by a rule, ascending: its open ranges are disjoint.
reached(rule) := [port |
	some port in wanted
	some open in rule.ports
	open.from <= port
	port <= open.to
]

closing(others) := "" if {
	count(others) == 0
} else := sprintf("; the fix closes %s too", [listed(others)])

# The ports of the rule between the reached ones: what a fix closes besides.
also_closes(rule, ports) := [span(edge + 1, edges[i + 1] - 1) |
	edges := array.concat(array.concat([rule.range.from - 1], ports), [rule.range.to + 1])
	some i, edge in edges
	edge + 1 < edges[i + 1]
]

span(from, to) := sprintf("%v", [from]) if {
	from == to
} else := sprintf("%v-%v", [from, to])

# At most six of them in a sentence; the evidence has them all.
listed(items) := joined(items) if {
	count(items) <= 6
} else := sprintf("%s and %v more", [joined(array.slice(items, 0, 5)), count(items) - 5])

joined(items) := concat(", ", [sprintf("%v", [it]) | some it in items])
