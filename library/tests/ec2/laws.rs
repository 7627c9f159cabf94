//! The laws of revoking a rule, over random groups.

use crate::bench::{ACCOUNT, findings, planned, with_facts};
use crate::{ADMIN, HIGH_RISK};
use proptest::prelude::*;
use quell_core::change::{element_id, same};
use quell_core::resource::{ResourceRef, State};
use quell_library::aws::ec2::security_group::{INGRESS, TYPE};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Two policies ask for different ports and give them different names; all else is the same.
#[test]
fn the_two_policies_judge_alike() {
    let folders = quell_library::folder::builtin().unwrap();
    let rego = |id: &str| folders.iter().find(|it| it.id == id).unwrap().rego.clone();
    let (admin, high_risk) = (rego(ADMIN), rego(HIGH_RISK));
    let renamed = admin.replace(ADMIN, HIGH_RISK).replace("administration port", "high-risk port");
    assert_eq!(renamed, high_risk);
}

const SOURCES: [(&str, &str); 12] = [
    ("CidrIp", "0.0.0.0/0"),
    ("CidrIp", "0.0.0.0/1"),
    ("CidrIp", "128.0.0.0/1"),
    ("CidrIp", "128.0.0.0/2"),
    ("CidrIp", "192.0.0.0/2"),
    ("CidrIp", "10.0.0.0/8"),
    ("CidrIp", "203.0.113.7/32"),
    ("CidrIpv6", "::/0"),
    ("CidrIpv6", "2000::/4"),
    ("CidrIpv6", "3000::/4"),
    ("SourcePrefixListId", "pl-1"),
    ("SourceSecurityGroupId", "sg-2"),
];

fn rule() -> impl Strategy<Value = Value> {
    let protocol = prop::sample::select(vec!["tcp", "tcp", "tcp", "udp", "-1", "icmp", "47"]);
    let ports = prop::sample::select(vec![
        (22, 22),
        (20, 25),
        (0, 65535),
        (3389, 3389),
        (443, 443),
        (5432, 5432),
        (1000, 9999),
    ]);
    let description = prop::option::of(prop::sample::select(vec!["office", "temporary"]));
    (protocol, ports, prop::sample::select(SOURCES.to_vec()), description).prop_map(
        |(protocol, (from, to), (key, source), description)| {
            let (from, to) = if ["tcp", "udp"].contains(&protocol) { (from, to) } else { (-1, -1) };
            let mut rule = json!({
                "IpProtocol": protocol, "FromPort": from, "ToPort": to, key: source,
            });
            if let Some(it) = description {
                rule["Description"] = json!(it);
            }
            rule
        },
    )
}

/// EC2 refuses two rules with the same protocol, ports and source.
fn group() -> impl Strategy<Value = State> {
    let lists = prop::sample::select(vec![
        json!(["0.0.0.0/0"]),
        json!(["0.0.0.0/1", "8.8.8.0/24"]),
        json!(["203.0.113.0/24"]),
        json!([]),
    ]);
    (prop::collection::vec(rule(), 0..9), lists).prop_map(|(rules, list)| {
        let mut known = BTreeSet::new();
        let mut kept = Vec::new();
        for (at, mut rule) in rules.into_iter().enumerate() {
            let mut content = rule.clone();
            content.as_object_mut().unwrap().remove("Description");
            if known.insert(content.to_string()) {
                rule["RuleId"] = json!(format!("sgr-{at}"));
                kept.push(rule);
            }
        }
        with_facts(State {
            resource: ResourceRef {
                kind: TYPE.to_owned(),
                id: "sg-1".to_owned(),
                account: ACCOUNT.to_owned(),
                region: "eu-central-1".to_owned(),
            },
            tags: Default::default(),
            properties: json!({ INGRESS: kept, "PrefixLists": { "pl-1": list } }),
            facts: Value::Null,
            unknown: BTreeSet::new(),
            observed: "2025-03-02T09:14:07Z".parse().unwrap(),
        })
    })
}

fn rules(state: &State) -> &[Value] {
    state.properties[INGRESS].as_array().unwrap()
}

proptest! {
    #[test]
    fn one_fix_takes_one_rule_and_undo_brings_it_back(state in group()) {
        for policy in [ADMIN, HIGH_RISK] {
            for finding in findings(policy, &state) {
                let change = planned(&finding, &state).expect("a plan");
                prop_assert!(change.starts_from(&state.properties));
                prop_assert_eq!(planned(&finding, &state).expect("again"), change.clone());
                let mut fixed = state.clone();
                change.apply_to(&mut fixed.properties).unwrap();
                let fixed = with_facts(fixed);
                prop_assert!(change.is_done(&fixed.properties));
                let kept: Vec<_> =
                    rules(&state).iter().filter(|it| element_id(it) != finding.element).collect();
                prop_assert_eq!(kept, rules(&fixed).iter().collect::<Vec<_>>(), "all others stay");
                prop_assert!(findings(policy, &fixed).iter().all(|it| it.key != finding.key));
                prop_assert!(planned(&finding, &fixed).is_none(), "nothing is left to do");
                // EC2 gives the rule another id when it is authorized again.
                let mut undo = change.inverse();
                undo.after["RuleId"] = json!("sgr-new");
                let mut undone = fixed.clone();
                undo.apply_to(&mut undone.properties).unwrap();
                prop_assert!(same(&undone.properties, &state.properties));
                prop_assert!(change.inverse().is_done(&undone.properties));
            }
        }
    }

    #[test]
    fn fixing_all_leaves_no_port_open_and_no_finding(state in group()) {
        for policy in [ADMIN, HIGH_RISK] {
            let mut fixed = state.clone();
            for finding in findings(policy, &state) {
                let change = planned(&finding, &state).expect("a plan");
                change.apply_to(&mut fixed.properties).unwrap();
            }
            let fixed = with_facts(fixed);
            prop_assert!(findings(policy, &fixed).is_empty());
            prop_assert!(rules(&fixed).iter().all(|it| rules(&state).contains(it)), "not widened");
        }
    }

    /// A rule that both policies report is one change, so it is made once.
    #[test]
    fn both_policies_agree_on_a_rule(state in group()) {
        let high_risk = findings(HIGH_RISK, &state);
        for admin in findings(ADMIN, &state) {
            let twin = high_risk.iter().find(|it| it.element == admin.element).expect("a twin");
            prop_assert_eq!(&twin.approval, &admin.approval);
            let ids = [twin, &admin].map(|it| planned(it, &state).expect("a plan").id());
            prop_assert_eq!(&ids[0], &ids[1]);
        }
    }

    #[test]
    fn verdicts_are_deterministic(state in group()) {
        let again = with_facts(state.clone());
        prop_assert_eq!(&again.facts, &state.facts);
        prop_assert_eq!(findings(HIGH_RISK, &again), findings(HIGH_RISK, &state));
    }
}

/// A group of more than three times EC2's default quota of rules, all of them the world only
/// together, is judged within the limits of a policy.
#[test]
fn two_hundred_rules_are_judged() {
    let rules: Vec<Value> = (0..200)
        .map(|at| {
            let half = if at % 2 == 0 { "0.0.0.0/1" } else { "128.0.0.0/1" };
            json!({
                "RuleId": format!("sgr-{at}"), "IpProtocol": "tcp",
                "FromPort": at, "ToPort": at + 9,
                "CidrIp": half,
            })
        })
        .collect();
    let state: State = serde_json::from_value(json!({
        "resource": { "type": TYPE, "id": "sg-1", "account": ACCOUNT, "region": "eu-central-1" },
        "properties": { INGRESS: rules, "PrefixLists": {} },
        "observed": "2025-03-02T09:14:07Z",
    }))
    .unwrap();
    // Ports 13 to 22 as first ports: the ten rules that open port 22.
    assert_eq!(findings(ADMIN, &with_facts(state)).len(), 10);
}
