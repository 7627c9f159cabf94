package quell.aws.cloudtrail.trail_weakened

baseline := input.params.baseline

flags := {"EnableLogFileValidation", "IncludeGlobalServiceEvents", "IsMultiRegionTrail", "KMSKeyId"}

# One finding per flag that is not what the baseline declares.
deny contains finding if {
	some flag in flags
	wanted := baseline[flag]
	not flag in input.resource.unknown
	found := object.get(input.resource.properties, flag, null)
	found != wanted
	finding := object.union(
		{
			"element": flag,
			"reason": sprintf("%s is %v, the baseline is %v", [flag, found, wanted]),
		},
		caution,
	)
}

# One finding for the selectors, whatever they leave out.
deny contains finding if {
	count(holes) > 0
	finding := object.union(
		{
			"element": events.property,
			"reason": sprintf("the trail does not log %s", [concat(", ", holes)]),
		},
		caution,
	)
}

# Selectors that nobody understands may leave anything out: that is unknown, never fine.
deny contains finding if {
	problem := input.resource.facts.not_understood
	problem != null
	finding := {
		"element": "EventSelectors",
		"reason": "the event selectors could not be understood",
		"indeterminate": problem,
	}
}

# Nor is a baseline that says what nobody understands a baseline that everything meets.
deny contains finding if {
	some problem in not_understood
	finding := {
		"element": "baseline",
		"reason": "the baseline could not be understood",
		"indeterminate": problem,
	}
}

not_understood contains sprintf("the baseline's key `%s` is unknown", [key]) if {
	some key in object.keys(baseline)
	not key in (flags | {"ExcludeManagementEventSources", "IncludeManagementEvents", "ReadWriteType"})
}

not_understood contains "the baseline's `ReadWriteType` is none of All, ReadOnly and WriteOnly" if not kinds

events := input.resource.facts.management_events

kinds := ["read", "write"] if {
	object.get(baseline, "ReadWriteType", "All") == "All"
} else := ["read"] if {
	baseline.ReadWriteType == "ReadOnly"
} else := ["write"] if {
	baseline.ReadWriteType == "WriteOnly"
}

holes contains sprintf("%s management events", [kind]) if {
	baseline.IncludeManagementEvents
	some kind in kinds
	events[kind].logged == false
}

holes contains sprintf("%s management events of %s", [kind, service]) if {
	baseline.IncludeManagementEvents
	some kind in kinds
	some service in events[kind].excluded
	not service in object.get(baseline, "ExcludeManagementEventSources", [])
}

caution := {} if {
	not input.resource.facts.foreign
} else := {"notify_only": sprintf("only its owner, account %s, can change it", [input.resource.facts.owner])}
