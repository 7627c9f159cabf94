package main

resources[id] = resource {
	resource := input.Resources[id]
}

has_tags(resource) {
	count(resource.Properties.Tags) > 0
}

deny[msg] {
	resource := resources[id]
	startswith(resource.Type, "AWS::EC2::")
	not has_tags(resource)
	msg := sprintf("%v (%v) has no tags", [id, resource.Type])
}

tag_keys(resource) = keys {
	keys := {key | key := resource.Properties.Tags[_].Key}
}

warn[msg] {
	resource := resources[id]
	keys := tag_keys(resource)
	not keys["Owner"]
	msg := sprintf("%v: nobody owns it: %v", [id, keys])
}
