# `main.rego` in Rego v1, for an OPA that reads no v0.
package main

is_bucket(change) if {
	change.type == "aws_s3_bucket"
	change.mode == "managed"
}

deny contains msg if {
	change := input.resource_changes[_]
	is_bucket(change)
	change.change.after.acl == "public-read"
	msg = sprintf("%v is public", [change.address])
}

warn contains msg if {
	change := input.resource_changes[i]
	is_bucket(change)
	not change.change.after.logging[0]
	msg := sprintf("%d: %v has no log", [i, change.address])
}

deny_force contains {"msg": msg, "severity": severity} if {
	change := input.resource_changes[_]
	is_bucket(change)
	change.change.after.force_destroy
	severity := severity_of[change.change.actions[0]]
	msg := sprintf("%v can be destroyed with its objects", [change.address])
}

severity_of := {"create": 3, "update": 2, "no-op": 1}

default count_max := 2

count_max := 5 if {
	input.variables
}

warn_count contains msg if {
	buckets := [it | it := input.resource_changes[_]; is_bucket(it)]
	count(buckets) > count_max
	msg := sprintf("%v buckets, at most %v", [count(buckets), count_max])
}
