package main

import rego.v1

list(it) := it if is_array(it)

list(it) := [it] if {
	not is_array(it)
	not is_null(it)
}

deny_ingress contains {"msg": msg, "logical_id": id} if {
	some id, resource in input.Resources
	resource.Type in ["AWS::EC2::SecurityGroup", "AWS::EC2::SecurityGroupIngress"]
	some rule in array.concat(list(object.get(resource.Properties, "SecurityGroupIngress", [])), [resource.Properties])
	rule.CidrIp == "0.0.0.0/0"
	not to_number(rule.FromPort) in {80, 443}
	msg := sprintf("%s: %v to %v", [id, rule.FromPort, rule.ToPort])
}

statement_of contains {"id": id, "statement": statement} if {
	some id, resource in input.Resources
	[_, value] := walk(resource)
	value.Statement
	some statement in list(value.Statement)
}

violation_principal contains {"msg": msg} if {
	some it in statement_of
	it.statement.Effect == "Allow"
	some principal in ["*", {"AWS": "*"}]
	it.statement.Principal == principal
	msg := sprintf("%s: anyone: %v", [it.id, it.statement.Principal])
}

violation_action contains {"msg": msg} if {
	some it in statement_of
	it.statement.Effect == "Allow"
	"*" in list(it.statement.Action)
	msg := sprintf("%s: every action", [it.id])
}

kinds := sort({resource.Type | some resource in input.Resources})

warn_kinds contains sprintf("%d kinds: %v", [count(kinds), kinds]) if count(kinds) > 2

warn_retain contains msg if {
	some id, resource in input.Resources
	resource.Type in {"AWS::RDS::DBInstance", "AWS::DynamoDB::Table"}
	object.get(resource, "DeletionPolicy", "Delete") == "Delete"
	msg := sprintf("%s goes with its stack", [id])
}
