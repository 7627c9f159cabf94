//! What EC2's CloudTrail records lead to, and only what they prove.

use crate::bench::{corpus, findings, implied, record};
use crate::{ADMIN, HIGH_RISK};
use quell_core::event::Event;
use quell_core::normalize::document;
use quell_core::resource::State;
use quell_library::aws::ec2::security_group::TYPE;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn call(name: &str, request: Value, response: Value) -> Event {
    record("ec2", name, request, response, json!({}))
}

fn targets(event: &Event) -> Vec<String> {
    let kind = quell_library::resource(TYPE).unwrap();
    kind.targets(event).into_iter().map(|it| it.id).collect()
}

fn authorized(request: Value, response: Value) -> State {
    implied(TYPE, &call("AuthorizeSecurityGroupIngress", request, response)).unwrap()
}

#[test]
fn a_group_is_found_in_every_spelling() {
    let rule_set = json!({ "securityGroupRuleSet": { "items": [{ "groupId": "sg-1" }] } });
    let modified = json!({ "ModifySecurityGroupRulesRequest": { "GroupId": "sg-1" } });
    for (name, request, response) in [
        ("AuthorizeSecurityGroupIngress", json!({ "groupId": "sg-1" }), Value::Null),
        ("AuthorizeSecurityGroupIngress", json!({ "groupName": "web" }), rule_set),
        ("ModifySecurityGroupRules", modified, Value::Null),
        ("CreateSecurityGroup", json!({ "groupName": "web" }), json!({ "groupId": "sg-1" })),
        ("RevokeSecurityGroupIngress", json!({ "groupId": "sg-1" }), Value::Null),
    ] {
        assert_eq!(targets(&call(name, request, response)), ["sg-1"], "{name}");
    }
}

#[test]
fn nothing_is_found_where_no_group_is_named() {
    let by_name = json!({ "groupName": "web", "ipPermissions": {} });
    for (service, name, request) in [
        ("ec2", "AuthorizeSecurityGroupIngress", Value::Null),
        ("ec2", "AuthorizeSecurityGroupIngress", by_name),
        ("ec2", "RunInstances", json!({ "groupId": "sg-1" })),
        ("rds", "AuthorizeSecurityGroupIngress", json!({ "groupId": "sg-1" })),
    ] {
        let event = record(service, name, request, Value::Null, json!({}));
        assert_eq!(targets(&event), Vec::<String>::new(), "{service} {name}");
    }
}

#[test]
fn a_response_gives_rules_their_ids() {
    let request = json!({ "groupId": "sg-1", "ipPermissions": { "items": [] } });
    let made = |id: &str, group: &str, egress: bool| {
        json!({
            "securityGroupRuleId": id, "groupId": group, "isEgress": egress, "ipProtocol": "tcp",
            "fromPort": 22, "toPort": 22, "cidrIpv4": "208.236.235.254/0", "description": "d",
        })
    };
    let items =
        [made("sgr-1", "sg-1", false), made("sgr-2", "sg-2", false), made("sgr-3", "sg-1", true)];
    let state = authorized(request, json!({ "securityGroupRuleSet": { "items": items } }));
    assert_eq!(
        state.properties,
        json!({ "SecurityGroupIngress": [{
            "RuleId": "sgr-1", "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22,
            "CidrIp": "208.236.235.254/0", "Description": "d",
        }] })
    );
    // An anonymised `0.0.0.0/0` is the world still.
    assert_eq!(findings(ADMIN, &state).len(), 1);
}

#[test]
fn an_old_record_has_the_request_alone() {
    let permission = json!({
        "ipProtocol": "tcp", "fromPort": "3389", "toPort": "3389", "groups": {},
        "ipRanges": { "items": [
            { "cidrIp": "0.0.0.0/0" }, { "cidrIp": "10.0.0.0/8", "description": "vpn" },
        ] },
        "ipv6Ranges": { "items": [{ "cidrIpv6": "::/0" }] },
        "prefixListIds": { "items": [{ "prefixListId": "pl-1" }] },
    });
    let of_group = json!({
        "ipProtocol": "-1", "groups": { "items": [{ "groupId": "sg-9", "userId": "1" }] },
        "ipRanges": {}, "ipv6Ranges": {}, "prefixListIds": {},
    });
    let request =
        json!({ "groupId": "sg-1", "ipPermissions": { "items": [permission, of_group] } });
    let state = authorized(request, json!({ "_return": true }));
    assert_eq!(state.properties["SecurityGroupIngress"].as_array().unwrap().len(), 5);
    assert_eq!(
        state.unknown,
        ["GroupName", "PrefixLists", "SecurityGroupIngress", "VpcId"].map(str::to_owned).into()
    );
    let found = findings(ADMIN, &state);
    assert_eq!(found.iter().filter(|it| it.indeterminate.is_none()).count(), 2, "{found:?}");
    assert_eq!(found.iter().filter(|it| it.indeterminate.is_some()).count(), 1, "{found:?}");
}

#[test]
fn one_rule_may_stand_in_the_request_itself() {
    let request = json!({
        "groupId": "sg-1", "ipProtocol": "tcp", "fromPort": 22, "toPort": 22,
        "cidrIp": "0.0.0.0/0", "ipPermissions": {},
    });
    assert_eq!(findings(ADMIN, &authorized(request, Value::Null)).len(), 1);
}

/// Neither guessed to be fine nor guessed to be ingress.
#[test]
fn a_modified_rule_proves_nothing() {
    let request = json!({ "ModifySecurityGroupRulesRequest": {
        "GroupId": "sg-1",
        "SecurityGroupRule": { "SecurityGroupRuleId": "sgr-1", "SecurityGroupRule": {
            "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIpv4": "0.0.0.0/0",
        } },
    } });
    let state = implied(TYPE, &call("ModifySecurityGroupRules", request, Value::Null)).unwrap();
    assert!(findings(ADMIN, &state).is_empty());
    assert!(state.unknown.contains("SecurityGroupIngress"));
}

#[test]
fn a_rule_that_nobody_understands_is_never_a_pass() {
    let permission = json!({
        "ipProtocol": "tcp", "fromPort": 22, "toPort": 22,
        "ipRanges": { "items": [{ "cidrIp": "everywhere" }] },
    });
    let request = json!({ "groupId": "sg-1", "ipPermissions": { "items": [permission] } });
    for policy in [ADMIN, HIGH_RISK] {
        let found = findings(policy, &authorized(request.clone(), Value::Null));
        assert!(matches!(&found[..], [it] if it.indeterminate.is_some()), "{found:?}");
    }
}

/// Rules of the same meaning as ours: every recorded ingress event is understood.
#[test]
fn recorded_events_are_judged_as_their_rules_say() {
    let mut seen = BTreeSet::new();
    for (event, line) in corpus("detections/panther_aws_cloudtrail_cases.jsonl") {
        if event["eventName"] != "AuthorizeSecurityGroupIngress"
            || event["eventSource"] != "ec2.amazonaws.com"
        {
            continue;
        }
        // Some rows write times and keys in another form than CloudTrail does.
        let mut event = event.clone();
        event["eventTime"] = json!("2021-01-24T04:55:45Z");
        let Ok(mut parsed) = document(event.to_string().as_bytes()) else { panic!("{line}") };
        let parsed = parsed.remove(0).unwrap();
        let open = implied(TYPE, &parsed).is_some_and(|it| !findings(ADMIN, &it).is_empty());
        let permission = &event["requestParameters"]["ipPermissions"]["items"][0];
        let world = permission["ipRanges"]["items"][0]["cidrIp"] == "0.0.0.0/0";
        assert_eq!(open, world && permission["fromPort"] == 22, "{line}");
        seen.insert(open);
    }
    assert_eq!(seen, [false, true].into(), "the corpus holds neither or only one kind");
}

/// Whatever a record holds, it is a target or none: never a failure.
#[test]
fn no_recorded_event_of_any_service_breaks_it() {
    for name in ["detections/stratus_cloudtrail.jsonl", "events/aws_docs_samples.jsonl"] {
        for (event, _) in corpus(name) {
            for event in document(event.to_string().as_bytes()).into_iter().flatten().flatten() {
                let _ = implied(TYPE, &event);
            }
        }
    }
}
