//! Laws of every S3 fix, on generated buckets: surgical, never widening, undoable, deterministic.

use crate::bench::LIBRARY;
use proptest::prelude::*;
use proptest::sample::subsequence;
use quell_core::action::Plan;
use quell_core::change::element_id;
use quell_core::detect::{Finding, detect};
use quell_core::policy::Policy;
use quell_core::resource::{ResourceRef, State, Trust};
use quell_library::aws::s3::block::{self, FLAGS};
use quell_library::aws::s3::bucket;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const POLICIES: [&str; 3] =
    ["aws.s3.acl_public_grant", "aws.s3.bucket_public_block", "aws.s3.policy_public_statement"];

/// Lists whose elements are fixed, and the facts about them.
const LISTS: [(&str, &str); 2] =
    [("/BucketPolicy/Statement", "statements"), ("/AccessControlList/Grants", "grants")];

fn statements() -> Vec<Value> {
    let all = "arn:aws:s3:::laws/*";
    let allow = |sid: &str, principal: Value, condition: Value| {
        let mut it = json!({
            "Sid": sid, "Effect": "Allow", "Principal": principal,
            "Action": "s3:GetObject", "Resource": all,
        });
        if !condition.is_null() {
            it["Condition"] = condition;
        }
        it
    };
    let tls = json!({ "Bool": { "aws:SecureTransport": "true" } });
    let org = json!({ "StringEquals": { "aws:PrincipalOrgID": "o-a1b2c3d4e5" } });
    vec![
        allow("Everyone", json!("*"), Value::Null),
        allow("Everyone", json!({ "AWS": "*" }), Value::Null),
        allow("EveryoneOverTls", json!("*"), tls),
        allow("Organization", json!("*"), org),
        allow("Partner", json!({ "AWS": "arn:aws:iam::444455556666:root" }), Value::Null),
        json!({ "Effect": "Allow", "NotPrincipal": { "AWS": "arn:aws:iam::111122223333:root" },
            "Action": "s3:PutObject", "Resource": all }),
        json!({ "Effect": "Deny", "Principal": "*", "Action": "s3:Delete*", "Resource": all }),
    ]
}

fn grants() -> Vec<Value> {
    let group = |name: &str, permission: &str| {
        let uri = format!("http://acs.amazonaws.com/groups/{name}");
        json!({ "Grantee": { "Type": "Group", "URI": uri }, "Permission": permission })
    };
    let user = |id: &str, permission: &str| {
        let grantee = json!({ "Type": "CanonicalUser", "ID": id });
        json!({ "Grantee": grantee, "Permission": permission })
    };
    vec![
        user("owner", "FULL_CONTROL"),
        group("global/AllUsers", "READ"),
        group("global/AllUsers", "WRITE"),
        group("global/AuthenticatedUsers", "READ"),
        group("s3/LogDelivery", "WRITE"),
        user("partner", "READ"),
    ]
}

fn block() -> impl Strategy<Value = Option<Value>> {
    let flags = any::<[bool; 4]>().prop_map(|on| {
        let at = |flag: &str| FLAGS.iter().position(|it| *it == flag);
        block::property(|flag| on.get(at(flag)?).copied())
    });
    prop::option::of(flags)
}

prop_compose! {
    fn bucket_state()(
        statements in subsequence(statements(), 0..=7).prop_shuffle(),
        grants in subsequence(grants(), 0..=6).prop_shuffle(),
        own_block in block(),
        account_block in block(),
        ownership in prop::option::of(prop::sample::select(vec![
            "BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter",
        ])),
    ) -> State {
        let mut properties = json!({
            "AccessControlList": { "Owner": { "ID": "owner" }, "Grants": grants },
        });
        if !statements.is_empty() {
            properties["BucketPolicy"] =
                json!({ "Version": "2012-10-17", "Id": "laws", "Statement": statements });
        }
        for (name, it) in [
            (block::PROPERTY, own_block),
            ("AccountPublicAccessBlockConfiguration", account_block),
            ("OwnershipControls",
                ownership.map(|it| json!({ "Rules": [{ "ObjectOwnership": it }] }))),
        ] {
            if let Some(it) = it {
                properties[name] = it;
            }
        }
        judged(State {
            resource: ResourceRef {
                kind: bucket::TYPE.to_owned(),
                id: "laws".to_owned(),
                account: "111122223333".to_owned(),
                region: "eu-central-1".to_owned(),
            },
            tags: BTreeMap::new(),
            properties,
            facts: Value::Null,
            unknown: BTreeSet::new(),
            observed: jiff::Timestamp::UNIX_EPOCH,
        })
    }
}

/// With facts that fit the properties.
fn judged(mut state: State) -> State {
    let kind = quell_library::resource(&state.resource.kind).unwrap();
    state.facts = kind.facts(&state, &Trust::default());
    state
}

fn findings(policy: &Policy, state: &State) -> Vec<Finding> {
    let detection = detect(&[policy], None, state);
    assert!(detection.errors.is_empty(), "{:?}", detection.errors);
    detection.findings
}

fn plan(policy: &Policy, state: &State, element: &str) -> Option<Plan> {
    let action = LIBRARY.action_of(policy, &state.resource.kind).unwrap();
    action.plan(state, element, &policy.params()).unwrap()
}

fn elements(state: &State, pointer: &str) -> BTreeSet<String> {
    let list = state.properties.pointer(pointer).and_then(Value::as_array);
    list.into_iter().flatten().map(element_id).collect()
}

fn public(state: &State, list: &str) -> BTreeSet<String> {
    let facts = state.facts[list].as_array().unwrap().iter();
    let public = facts.filter(|it| it["public"] == json!(true));
    public.map(|it| it["id"].as_str().unwrap().to_owned()).collect()
}

fn on(state: &State) -> BTreeSet<&'static str> {
    let flags = FLAGS.into_iter();
    flags.filter(|it| state.properties[block::PROPERTY][*it] == json!(true)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_fix_is_surgical_and_undone_exactly(state in bucket_state()) {
        for policy in POLICIES.map(|it| LIBRARY.policy(it).unwrap()) {
            for finding in findings(policy, &state) {
                let plan_now = plan(policy, &state, &finding.element);
                prop_assert_eq!(&plan_now, &plan(policy, &state, &finding.element));
                let Plan { change, approval } = plan_now.unwrap();
                prop_assert!(change.starts_from(&state.properties));

                let mut fixed = state.clone();
                change.apply_to(&mut fixed.properties).unwrap();
                prop_assert!(change.is_done(&fixed.properties));
                let fixed = judged(fixed);
                prop_assert!(findings(policy, &fixed).iter().all(|it| it.key != finding.key));
                prop_assert_eq!(plan(policy, &fixed, &finding.element), None);

                for (list, facts) in LISTS {
                    let gone = &elements(&state, list) - &elements(&fixed, list);
                    prop_assert!(elements(&fixed, list).is_subset(&elements(&state, list)));
                    prop_assert!(gone.is_subset(&public(&state, facts)), "not public: {:?}", gone);
                    // One at a time, unless a person approves more.
                    let only_it = gone.iter().all(|it| *it == finding.element);
                    prop_assert!(approval.is_some() || only_it);
                }
                prop_assert!(on(&state).is_subset(&on(&fixed)));

                let mut undone = fixed;
                change.inverse().apply_to(&mut undone.properties).unwrap();
                prop_assert_eq!(&undone.properties, &state.properties);
            }
        }
    }

    /// A private policy with the same fix may find what is not public.
    #[test]
    fn the_element_that_was_found_goes_itself(state in bucket_state()) {
        let fixes = ["aws.s3.policy_public_statement", "aws.s3.acl_public_grant"];
        for (policy, (list, facts)) in fixes.iter().zip(LISTS) {
            for element in elements(&state, list) {
                let plan = plan(LIBRARY.policy(policy).unwrap(), &state, &element).unwrap();
                let mut fixed = state.clone();
                plan.change.apply_to(&mut fixed.properties).unwrap();
                let mut gone = &elements(&state, list) - &elements(&fixed, list);
                prop_assert!(gone.remove(&element), "`{}` stays", element);
                prop_assert!(gone.is_subset(&public(&state, facts)), "not public: {:?}", gone);
                prop_assert!(plan.approval.is_some() || gone.is_empty());
            }
        }
    }

    #[test]
    fn fixing_all_leaves_nothing_open(mut state in bucket_state()) {
        let all = elements(&state, "/BucketPolicy/Statement");
        let compliant = &all - &public(&state, "statements");
        for policy in POLICIES.map(|it| LIBRARY.policy(it).unwrap()) {
            while let Some(finding) = findings(policy, &state).first() {
                let change = plan(policy, &state, &finding.element).unwrap().change;
                change.apply_to(&mut state.properties).unwrap();
                state = judged(state);
            }
        }
        prop_assert_eq!(elements(&state, "/BucketPolicy/Statement"), compliant);
        prop_assert!(public(&state, "grants").is_empty());
        prop_assert_eq!(on(&state).len(), FLAGS.len());
    }
}
