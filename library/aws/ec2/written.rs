//! Security groups as infrastructure code: every rule inline.

use super::security_group::{INGRESS, TYPE};
use crate::aws::written::tags;
use quell_core::plan::Language;
use quell_core::resource::{Declarations, State};
use serde_json::{Map, Value, json};

/// A rule's members in Terraform.
const MEMBERS: [(&str, &str); 4] = [
    ("IpProtocol", "protocol"),
    ("FromPort", "from_port"),
    ("ToPort", "to_port"),
    ("Description", "description"),
];

/// A rule's sources in Terraform, each a list of them.
const SOURCES: [(&str, &str); 3] = [
    ("CidrIp", "cidr_blocks"),
    ("CidrIpv6", "ipv6_cidr_blocks"),
    ("SourceSecurityGroupId", "security_groups"),
];

/// A group.
pub fn group(state: &State, language: Language) -> Declarations {
    let rules = state.properties.get(INGRESS).and_then(Value::as_array);
    let rules: Vec<&Value> = rules.into_iter().flatten().collect();
    if rules.iter().any(|it| it.get("SourcePrefixListId").is_some()) {
        return Err("what is in a prefix list is not the group's to say".to_owned());
    }
    let id = &state.resource.id;
    let tags = tags(state, language);
    match language {
        Language::Terraform => {
            let rules: Vec<Value> = rules.into_iter().map(in_terraform).collect();
            let group = json!({ "id": id, "tags": tags, "ingress": rules });
            Ok(vec![("aws_security_group", group)])
        }
        Language::CloudFormation => {
            let rules: Vec<Value> = rules.into_iter().map(in_template).collect();
            let group = json!({ "GroupId": id, "Tags": tags, INGRESS: rules });
            Ok(vec![(TYPE, group)])
        }
    }
}

fn in_terraform(rule: &Value) -> Value {
    let members =
        MEMBERS.iter().filter_map(|(name, it)| Some(((*it).to_owned(), rule.get(name)?.clone())));
    let sources = SOURCES.iter().map(|(name, it)| {
        let source: Vec<&Value> = rule.get(name).into_iter().collect();
        ((*it).to_owned(), json!(source))
    });
    Value::Object(members.chain(sources).collect::<Map<_, _>>())
}

/// A rule that is only written has no id.
fn in_template(rule: &Value) -> Value {
    let fields = rule.as_object().into_iter().flatten().filter(|(name, _)| *name != "RuleId");
    fields.map(|(name, it)| (name.clone(), it.clone())).collect()
}
