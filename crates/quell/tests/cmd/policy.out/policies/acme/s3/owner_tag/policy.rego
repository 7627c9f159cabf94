package quell.acme.s3.owner_tag

# `element` is stable: the same violation has the same name whenever it is seen.
deny contains finding if {
	not input.resource.tags.owner
	finding := {
		"element": "tag:owner",
		"reason": sprintf("%s has no owner tag", [input.resource.id]),
	}
}
