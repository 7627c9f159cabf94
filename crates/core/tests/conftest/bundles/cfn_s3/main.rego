# Templates: intrinsic functions stand where values will be.
package cloudformation.s3

import rego.v1

buckets[id] := resource.Properties if {
	some id, resource in input.Resources
	resource.Type == "AWS::S3::Bucket"
	is_object(resource.Properties)
}

settings := ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"]

truthy(it) if it == true

truthy(it) if {
	is_string(it)
	lower(it) == "true"
}

deny_block contains msg if {
	some id, properties in buckets
	off := [it |
		some it in settings
		not truthy(properties.PublicAccessBlockConfiguration[it])
	]
	count(off) > 0
	msg := sprintf("%s: %s", [id, concat(", ", off)])
}

deny_plain contains msg if {
	some id, resource in input.Resources
	resource.Type == "AWS::S3::Bucket"
	not buckets[id].BucketEncryption
	msg := sprintf("%s: no encryption", [id])
}

warn_intrinsic contains msg if {
	some id, properties in buckets
	some key, value in properties
	is_object(value)
	some name in object.keys(value)
	name in {"Ref", "Fn::If", "Fn::Sub", "Fn::GetAtt"}
	msg := sprintf("%s.%s: %s decides later", [id, key, name])
}
