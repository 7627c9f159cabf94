package naming

import rego.v1

names contains {"address": change.address, "name": name} if {
	some change in input.resource_changes
	some key in ["name", "bucket", "function_name"]
	name := change.change.after[key]
	is_string(name)
}

deny_case contains msg if {
	some it in names
	it.name != lower(it.name)
	msg := sprintf("%s: %s is not %s", [it.address, it.name, lower(it.name)])
}

deny_length contains msg if {
	some it in names
	count(it.name) > 24
	msg := sprintf("%s: %s… has %d characters", [it.address, substring(it.name, 0, 8), count(it.name)])
}

warn_words contains msg if {
	some it in names
	words := regex.split(`[-_.]+`, it.name)
	count(words) < 2
	msg := sprintf("%s: %s is one word", [it.address, it.name])
}

warn_digits contains msg if {
	some it in names
	found := regex.find_n(`[0-9]+`, it.name, -1)
	count(found) > 0
	msg := sprintf("%s: %s", [it.address, concat("+", found)])
}

warn_quote contains msg if {
	some it in names
	plain := replace(trim(it.name, "-"), "-", " ")
	plain != it.name
	msg := sprintf("%-10s|%v", [plain, indexof(it.name, "-")])
}

warn_file contains msg if {
	endswith(data.conftest.file.name, ".out.json")
	msg := sprintf("%s: written by an old Terraform?", [data.conftest.file.name])
}
