package quell.aws.s3.bucket_public_block

block := object.get(input.resource.properties, "PublicAccessBlockConfiguration", {})

account := object.get(input.resource.properties, "AccountPublicAccessBlockConfiguration", {})

off := [flag | some flag in input.params.flags; not block[flag]]

exposed := [flag | some flag in off; not account[flag]]

default account_unknown := null

account_unknown := "AccountPublicAccessBlockConfiguration" if {
	"AccountPublicAccessBlockConfiguration" in input.resource.unknown
}

default where := ""

where := "; the account's block covers it" if count(exposed) == 0

deny contains {
	"element": "PublicAccessBlockConfiguration",
	"reason": sprintf("%s off in the bucket's public access block%s", [concat(", ", off), where]),
	"latent": count(exposed) == 0,
	"indeterminate": account_unknown,
	"evidence": {"off": off, "off_in_account_too": exposed},
} if {
	not "PublicAccessBlockConfiguration" in input.resource.unknown
	count(off) > 0
}
