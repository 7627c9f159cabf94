# Rego v0, as bundles were written before OPA 1.0.
package main

is_bucket(change) {
	change.type == "aws_s3_bucket"
	change.mode == "managed"
}

deny[msg] {
	change := input.resource_changes[_]
	is_bucket(change)
	change.change.after.acl == "public-read"
	msg = sprintf("%v is public", [change.address])
}

warn[msg] {
	change := input.resource_changes[i]
	is_bucket(change)
	not change.change.after.logging[0]
	msg := sprintf("%d: %v has no log", [i, change.address])
}

deny_force[{"msg": msg, "severity": severity}] {
	change := input.resource_changes[_]
	is_bucket(change)
	change.change.after.force_destroy
	severity := severity_of[change.change.actions[0]]
	msg := sprintf("%v can be destroyed with its objects", [change.address])
}

severity_of = {"create": 3, "update": 2, "no-op": 1}

default count_max = 2

count_max = 5 {
	input.variables
}

warn_count[msg] {
	buckets := [it | it := input.resource_changes[_]; is_bucket(it)]
	count(buckets) > count_max
	msg := sprintf("%v buckets, at most %v", [count(buckets), count_max])
}
