package quell.aws.s3.policy_public_statement

facts := input.resource.facts

default unknown := null

unknown := concat(", ", blocks) if {
	facts.policy_neutral == "unknown"
	blocks := [it | some it in facts.undecided; it != "OwnershipControls"]
}

default where := ""

where := "; RestrictPublicBuckets takes its effect away" if facts.policy_neutral == "yes"

# By its name, where it has one.
name(statement) := sprintf("statement `%s`", [statement.sid]) if {
	is_string(statement.sid)
} else := sprintf("statement %d", [statement.index + 1])

deny contains {
	"element": statement.id,
	"reason": sprintf("%s of the bucket's policy is public: %s%s", [
		name(statement),
		statement.reason,
		where,
	]),
	"latent": facts.policy_neutral == "yes",
	"indeterminate": unknown,
	"evidence": {"statement": statement.statement},
} if {
	some statement in facts.statements
	statement.public
}

# Public by itself, but a Deny of the same policy keeps strangers out: that gone, it comes to life.
deny contains {
	"element": statement.id,
	"reason": sprintf("%s of the bucket's policy is public but for a Deny: %s%s", [
		name(statement),
		statement.reason,
		where,
	]),
	"latent": true,
	"evidence": {"statement": statement.statement},
} if {
	some statement in facts.statements
	statement.latent == "public"
}

# A policy that can't be analyzed is not taken for harmless.
deny contains {
	"element": "BucketPolicy",
	"reason": sprintf("the bucket's policy could not be analyzed: %s", [facts.policy_error]),
	"indeterminate": "BucketPolicy",
} if {
	facts.policy_error != null
}
