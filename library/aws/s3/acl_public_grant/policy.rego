package quell.aws.s3.acl_public_grant

facts := input.resource.facts

default unknown := null

unknown := concat(", ", facts.undecided) if facts.acl_neutral == "unknown"

default where := ""

where := "; it has no effect while public ACLs are ignored or ACLs are disabled" if {
	facts.acl_neutral == "yes"
}

everyone(group) := "everyone with an AWS account" if {
	endswith(group, "/AuthenticatedUsers")
} else := "everyone"

deny contains {
	"element": grant.id,
	"reason": sprintf("the bucket's ACL grants %s to %s%s", [
		grant.permission,
		everyone(grant.group),
		where,
	]),
	"latent": facts.acl_neutral == "yes",
	"indeterminate": unknown,
	"evidence": {"group": grant.group, "permission": grant.permission},
} if {
	some grant in facts.grants
	grant.public
}
