# Buckets of a plan, in the plain form that conftest's own guide shows.
package main

import rego.v1

buckets contains change if {
	some change in input.resource_changes
	change.type == "aws_s3_bucket"
	some action in change.change.actions
	action in {"create", "update"}
}

public_acls := {"public-read", "public-read-write", "authenticated-read"}

deny contains msg if {
	some bucket in buckets
	bucket.change.after.acl in public_acls
	msg := sprintf("%s: the ACL %q lets everyone in", [bucket.address, bucket.change.after.acl])
}

has_block(bucket) if {
	some change in input.resource_changes
	change.type == "aws_s3_bucket_public_access_block"
	object.get(change, "module_address", "") == object.get(bucket, "module_address", "")
	change.change.after.block_public_acls == true
}

warn contains msg if {
	some bucket in buckets
	not has_block(bucket)
	msg := sprintf("%s: no public access block beside it", [bucket.address])
}

warn_versioning contains msg if {
	some bucket in buckets
	versioning := object.get(bucket.change.after, "versioning", [])
	count([it | some it in versioning; it.enabled]) == 0
	not versioned(bucket.name)
	msg := concat(" ", [bucket.address, "keeps no versions"])
}

versioned(name) if {
	some change in input.resource_changes
	change.type == "aws_s3_bucket_versioning"
	change.name == name
	change.change.after.versioning_configuration[0].status == "Enabled"
}
