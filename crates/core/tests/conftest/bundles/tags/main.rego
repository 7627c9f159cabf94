package main

import rego.v1

# What can't be tagged has no `tags` at all in the schema of its provider.
taggable contains change if {
	some change in input.resource_changes
	"create" in change.change.actions
	"tags" in object.keys(change.change.after)
}

tags_of(change) := tags if {
	is_object(change.change.after.tags)
	tags := change.change.after.tags
} else := {}

violation contains {"msg": msg, "address": change.address, "missing": gone} if {
	some change in taggable
	gone := {it | some it in data.tags.required; not tags_of(change)[it]}
	count(gone) > 0
	msg := sprintf("%s lacks the tags %s", [change.address, concat(", ", sort(gone))])
}

default allowed := {"dev", "test", "prod"}

warn_environment contains msg if {
	some change in taggable
	some key, value in tags_of(change)
	lower(key) == "environment"
	not lower(value) in allowed
	msg := sprintf("%s: %v is no environment", [change.address, value])
}

warn_blank contains msg if {
	some change in taggable
	blank := [key | some key, value in tags_of(change); trim_space(value) == ""]
	count(blank) != 0
	msg := sprintf("%s: blank tags %v", [change.address, blank])
}
