//! Security groups and ingress rules in CloudTrail records.
//!
//! EC2's records have three shapes. Requests of old operations are lower camel case with every list
//! wrapped in `items`; one rule may also stand in the request itself, unwrapped. Requests of newer
//! operations are wrapped in an object named after the operation and keep EC2's own capitals.
//! Responses since 2021 list the new rules with their ids in `securityGroupRuleSet`; older ones
//! don't. Numbers may be texts. Source: "CloudTrail record contents", and recorded events.

use quell_core::event::Event;
use quell_core::facts::net::exposure::IngressRule;
use serde_json::Value;
use std::collections::BTreeSet;

const AUTHORIZE: &str = "AuthorizeSecurityGroupIngress";
/// The operations whose records name groups.
const OPERATIONS: [&str; 5] = [
    AUTHORIZE,
    "CreateSecurityGroup",
    "ModifySecurityGroupRules",
    "RevokeSecurityGroupIngress",
    "UpdateSecurityGroupRuleDescriptionsIngress",
];

/// The ids of the groups that an event touched, sorted.
pub fn group_ids(event: &Event) -> Vec<String> {
    if event.api.service != "ec2.amazonaws.com"
        || !OPERATIONS.contains(&event.api.operation.as_str())
    {
        return Vec::new();
    }
    let mut found = BTreeSet::new();
    for place in [request(event), event.response()] {
        found.extend(text(place, &["groupId", "GroupId"]));
    }
    found.extend(rule_set(event).iter().filter_map(|it| text(it, &["groupId"])));
    found.into_iter().collect()
}

/// The ingress rules that the event proves to exist in `group`; `None` where it can't tell.
///
/// `ModifySecurityGroupRules` proves none: its record does not say whether a rule is for ingress.
pub fn ingress_rules(event: &Event, group: &str) -> Option<Vec<IngressRule>> {
    if event.api.operation != AUTHORIZE {
        return (event.api.operation == "ModifySecurityGroupRules").then(Vec::new);
    }
    let made: Vec<IngressRule> = rule_set(event)
        .iter()
        .filter(|it| text(it, &["groupId"]).is_none_or(|id| id == group))
        .filter(|it| it.get("isEgress").and_then(Value::as_bool) != Some(true))
        .map(made_rule)
        .collect();
    if !made.is_empty() {
        return Some(made);
    }
    let asked = asked_rules(request(event));
    (!asked.is_empty()).then_some(asked)
}

fn request(event: &Event) -> &Value {
    let request = event.request();
    request.get(format!("{}Request", event.api.operation)).unwrap_or(request)
}

fn rule_set(event: &Event) -> &[Value] {
    event.response().get("securityGroupRuleSet").map_or(&[], items)
}

/// A rule of the response: it has one source and an id.
fn made_rule(rule: &Value) -> IngressRule {
    IngressRule {
        rule_id: text(rule, &["securityGroupRuleId"]),
        cidr_ip: text(rule, &["cidrIpv4", "cidrIp"]),
        cidr_ipv6: text(rule, &["cidrIpv6"]),
        source_prefix_list_id: text(rule, &["prefixListId"]),
        source_security_group_id: rule
            .get("referencedGroupInfo")
            .and_then(|it| text(it, &["groupId"])),
        description: text(rule, &["description"]),
        ..ports(rule)
    }
}

/// The rules of a request: each permission × each of its sources.
fn asked_rules(request: &Value) -> Vec<IngressRule> {
    let permissions = request.get("ipPermissions").map_or(&[][..], items);
    // The old form: one permission is the request itself.
    let alone = text(request, &["ipProtocol"]).map(|_| request);
    let mut rules = Vec::new();
    for permission in permissions.iter().chain(alone) {
        let base = ports(permission);
        let sources = |key: &str| permission.get(key).map_or(&[][..], items);
        let described = |it: &Value| text(it, &["description"]);
        for it in sources("ipRanges").iter().chain(alone) {
            let Some(cidr) = text(it, &["cidrIp"]) else { continue };
            let description = described(it);
            rules.push(IngressRule { cidr_ip: Some(cidr), description, ..base.clone() });
        }
        for it in sources("ipv6Ranges") {
            let (cidr_ipv6, description) = (text(it, &["cidrIpv6"]), described(it));
            rules.push(IngressRule { cidr_ipv6, description, ..base.clone() });
        }
        for it in sources("prefixListIds") {
            let (source_prefix_list_id, description) = (text(it, &["prefixListId"]), described(it));
            rules.push(IngressRule { source_prefix_list_id, description, ..base.clone() });
        }
        for it in sources("groups") {
            let (source_security_group_id, description) = (text(it, &["groupId"]), described(it));
            rules.push(IngressRule { source_security_group_id, description, ..base.clone() });
        }
    }
    rules
}

/// Protocol and ports, with no source yet.
fn ports(rule: &Value) -> IngressRule {
    IngressRule {
        ip_protocol: text(rule, &["ipProtocol"]).unwrap_or_default(),
        from_port: number(rule, "fromPort"),
        to_port: number(rule, "toPort"),
        ..IngressRule::default()
    }
}

/// A list, wrapped in `items` or not; an empty list may be an empty object.
fn items(list: &Value) -> &[Value] {
    list.get("items").unwrap_or(list).as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value, keys: &[&str]) -> Option<String> {
    let found = keys.iter().find_map(|key| value.get(key)).and_then(Value::as_str)?;
    (!found.is_empty()).then(|| found.to_owned())
}

fn number(value: &Value, key: &str) -> Option<i32> {
    match value.get(key)? {
        Value::Number(it) => it.as_i64().and_then(|it| it.try_into().ok()),
        Value::String(it) => it.parse().ok(),
        _ => None,
    }
}
