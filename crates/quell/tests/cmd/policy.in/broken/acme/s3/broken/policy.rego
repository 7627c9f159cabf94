package quell.acme.s3.something_else

deny contains finding if {
	input.resource.properties.AccessControlPolicy
	finding := {"element": "x", "reason": "y"}
}
