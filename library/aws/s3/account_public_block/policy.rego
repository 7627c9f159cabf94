package quell.aws.s3.account_public_block

block := object.get(input.resource.properties, "PublicAccessBlockConfiguration", {})

off := [flag | some flag in input.params.flags; not block[flag]]

deny contains {
	"element": "PublicAccessBlockConfiguration",
	"reason": sprintf("%s off in the account's public access block", [concat(", ", off)]),
	"evidence": {"off": off},
} if {
	not "PublicAccessBlockConfiguration" in input.resource.unknown
	count(off) > 0
}
