# `main.rego` in Rego v1, for an OPA that reads no v0.
package main

resources[id] := resource if {
	resource := input.Resources[id]
}

has_tags(resource) if {
	count(resource.Properties.Tags) > 0
}

deny contains msg if {
	resource := resources[id]
	startswith(resource.Type, "AWS::EC2::")
	not has_tags(resource)
	msg := sprintf("%v (%v) has no tags", [id, resource.Type])
}

tag_keys(resource) := keys if {
	keys := {key | key := resource.Properties.Tags[_].Key}
}

warn contains msg if {
	resource := resources[id]
	keys := tag_keys(resource)
	not keys["Owner"]
	msg := sprintf("%v: nobody owns it: %v", [id, keys])
}
