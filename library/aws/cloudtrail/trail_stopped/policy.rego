package quell.aws.cloudtrail.trail_stopped

deny contains finding if {
	input.resource.properties.IsLogging == false
	finding := object.union(
		{
			"element": "IsLogging",
			"reason": sprintf("the trail %s is stopped", [name]),
		},
		caution,
	)
}

name := split(input.resource.id, "/")[1]

caution := {} if {
	not input.resource.facts.foreign
} else := {"notify_only": sprintf("only its owner, account %s, can start it", [input.resource.facts.owner])}
