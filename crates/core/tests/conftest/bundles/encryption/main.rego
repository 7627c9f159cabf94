package terraform.encryption

import rego.v1

# Which attribute says it, by type: a table instead of a rule for each.
flags := {
	"aws_ebs_volume": ["encrypted"],
	"aws_db_instance": ["storage_encrypted"],
	"aws_efs_file_system": ["encrypted"],
	"aws_elasticache_replication_group": ["at_rest_encryption_enabled", "transit_encryption_enabled"],
	"aws_kms_key": ["enable_key_rotation"],
	"aws_kinesis_stream": ["encryption_type"],
}

state(after, flag) := "on" if {
	after[flag] == true
} else := "on" if {
	is_string(after[flag])
	after[flag] != "NONE"
} else := "off"

deny contains msg if {
	some change in input.resource_changes
	wanted := flags[change.type]
	not all_on(change.change.after, wanted)
	off := [flag | some flag in wanted; state(change.change.after, flag) == "off"]
	msg := sprintf("%s: %s", [change.address, concat(" and ", off)])
}

all_on(after, wanted) if {
	every flag in wanted {
		state(after, flag) == "on"
	}
}

block_devices contains [change.address, device.volume_size] if {
	some change in input.resource_changes
	change.type == "aws_instance"
	some kind in ["root_block_device", "ebs_block_device"]
	some device in change.change.after[kind]
	not device.encrypted
}

warn contains msg if {
	some [address, size] in block_devices
	msg := sprintf("%s: a plain disk of %v GiB", [address, size])
}
