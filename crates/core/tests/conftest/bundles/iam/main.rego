# Policy documents are JSON in strings.
package main

import rego.v1

documents contains doc if {
	some change in input.resource_changes
	startswith(change.type, "aws_iam_")
	text := change.change.after[key]
	key in ["policy", "assume_role_policy"]
	doc := {"address": change.address, "key": key, "policy": json.unmarshal(text)}
}

list(it) := it if is_array(it)

list(it) := [it] if not is_array(it)

statements contains {"address": doc.address, "key": doc.key, "statement": statement} if {
	some doc in documents
	some statement in list(doc.policy.Statement)
	statement.Effect == "Allow"
}

violation_admin contains {"msg": msg, "details": {"actions": actions}} if {
	some it in statements
	actions := list(it.statement.Action)
	"*" in actions
	some resource in list(it.statement.Resource)
	resource == "*"
	msg := sprintf("%s: may do everything", [it.address])
}

violation_wildcard contains {"msg": msg} if {
	some it in statements
	some action in list(it.statement.Action)
	regex.match(`^[a-z0-9-]+:\*$`, action)
	[service, _] := split(action, ":")
	msg := sprintf("%s: every action of %s", [it.address, upper(service)])
}

principals(statement) := {it |
	some kind
	some it in list(statement.Principal[kind])
}

deny contains msg if {
	some it in statements
	it.key == "assume_role_policy"
	some principal in principals(it.statement)
	not endswith(principal, ".amazonaws.com")
	msg := sprintf("%s: assumed by %s", [it.address, principal])
}

warn_user contains msg if {
	some change in input.resource_changes
	change.type == "aws_iam_user"
	not "no-op" in change.change.actions
	msg := sprintf("%s: a user with keys of its own", [change.address])
}

trusting contains address if some address, _ in {it.address: true | some it in statements; it.key == "assume_role_policy"}

warn_many contains msg if {
	count(trusting) > 2
	msg := sprintf("%d roles in one plan", [count(trusting)])
}
