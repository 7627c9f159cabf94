//! Laws of every IAM fix, on many states: the element goes, nothing else does, nothing is granted,
//! and undo brings back what was.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use proptest::prelude::*;
use quell_core::action::Plan;
use quell_core::change::element_id;
use quell_core::detect::{Finding, detect};
use quell_core::resource::{ResourceRef, State, Trust};
use quell_library::Library;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

static LIBRARY: LazyLock<Library> = LazyLock::new(|| Library::builtin().unwrap());

const ATTACHABLE: [&str; 5] = [
    "arn:aws:iam::111122223333:policy/admin",
    "arn:aws:iam::111122223333:policy/harmless",
    "arn:aws:iam::111122223333:policy/team/vanished",
    "arn:aws:iam::aws:policy/AdministratorAccess",
    "arn:aws:iam::aws:policy/ReadOnlyAccess",
];

fn statement() -> impl Strategy<Value = Value> {
    let scopes = prop_oneof![
        Just(json!({ "Action": "*" })),
        Just(json!({ "Action": ["s3:GetObject", "*:*"] })),
        Just(json!({ "Action": "s3:*" })),
        Just(json!({ "NotAction": "s3:*" })),
        Just(json!({ "NotAction": ["iam:*", "organizations:*"] })),
    ];
    let resources = prop_oneof![
        3 => Just(json!({ "Resource": "*" })),
        1 => Just(json!({ "Resource": ["arn:aws:s3:::one/*"] })),
        1 => Just(json!({ "NotResource": "arn:aws:s3:::one" })),
    ];
    let conditions = prop_oneof![
        3 => Just(Value::Null),
        1 => Just(json!({ "Bool": { "aws:MultiFactorAuthPresent": "true" } })),
        1 => Just(json!({ "StringEquals": { "aws:PrincipalAccount": "111122223333" } })),
    ];
    let sid = proptest::option::of("[A-Z][a-z]{1,3}");
    (prop::bool::weighted(0.8), scopes, resources, conditions, sid).prop_map(
        |(allows, scope, resource, condition, sid)| {
            let mut statement = json!({ "Effect": if allows { "Allow" } else { "Deny" } });
            let fields = statement.as_object_mut().unwrap();
            for part in [scope, resource] {
                fields.extend(part.as_object().unwrap().clone());
            }
            if !condition.is_null() {
                fields.insert("Condition".to_owned(), condition);
            }
            fields.extend(sid.map(|it| ("Sid".to_owned(), json!(it))));
            statement
        },
    )
}

/// A document without equal statements: they would go together, and one would come back.
fn document() -> impl Strategy<Value = Value> {
    (proptest::collection::vec(statement(), 1..6), any::<bool>()).prop_map(|(list, dated)| {
        let mut seen = BTreeSet::new();
        let list: Vec<_> = list.into_iter().filter(|it| seen.insert(element_id(it))).collect();
        let version = if dated { "2012-10-17" } else { "2008-10-17" };
        json!({ "Version": version, "Statement": list })
    })
}

fn state(kind: &str, id: &str, properties: Value) -> State {
    let mut state = State {
        resource: ResourceRef {
            kind: kind.to_owned(),
            id: id.to_owned(),
            account: "111122223333".to_owned(),
            region: "us-east-1".to_owned(),
        },
        tags: BTreeMap::new(),
        properties,
        facts: Value::Null,
        unknown: BTreeSet::new(),
        observed: "2026-11-20T10:00:00Z".parse().unwrap(),
    };
    state.facts = facts(&state);
    state
}

fn facts(state: &State) -> Value {
    let kind = quell_library::resource(&state.resource.kind).unwrap();
    kind.facts(state, &Trust::default())
}

fn managed() -> impl Strategy<Value = State> {
    (document(), 1..=5_u8).prop_map(|(document, versions)| {
        let versions: Vec<String> = (1..=versions).map(|it| format!("v{it}")).collect();
        let properties = json!({
            "DefaultVersionId": versions.last(),
            "Path": "/",
            "PolicyDocument": document,
            "PolicyName": "p",
            "Versions": versions,
        });
        state("AWS::IAM::ManagedPolicy", "arn:aws:iam::111122223333:policy/p", properties)
    })
}

fn principal() -> impl Strategy<Value = State> {
    let kinds = proptest::sample::select(vec!["Group", "Role", "User"]);
    let policies = proptest::collection::btree_map("[a-z]{1,3}", document(), 0..4);
    let attached = proptest::sample::subsequence(ATTACHABLE.to_vec(), 0..=ATTACHABLE.len());
    (kinds, policies, attached).prop_map(|(kind, policies, attached)| {
        let all = json!({ "Effect": "Allow", "Action": "*", "Resource": "*" });
        let some = json!({ "Effect": "Allow", "Action": "s3:*", "Resource": "*" });
        let properties = json!({
            "Arn": format!("arn:aws:iam::111122223333:{}/x", kind.to_lowercase()),
            "AttachedPolicyDocuments": {
                ATTACHABLE[0]: { "Statement": [some, all] },
                ATTACHABLE[1]: { "Statement": [some] },
            },
            "ManagedPolicyArns": attached,
            "Path": "/",
            "Policies": policies,
        });
        state(&format!("AWS::IAM::{kind}"), "x", properties)
    })
}

/// Everything that a principal or policy holds, one text each: no fix may add to it.
fn held(properties: &Value) -> BTreeSet<String> {
    let mut held = BTreeSet::new();
    let mut documents = vec![("the policy".to_owned(), &properties["PolicyDocument"])];
    for (name, document) in properties["Policies"].as_object().into_iter().flatten() {
        documents.push((name.clone(), document));
    }
    for (name, document) in documents {
        for statement in document["Statement"].as_array().into_iter().flatten() {
            held.insert(format!("{name}: {} {statement}", document["Version"]));
        }
    }
    let arns = properties["ManagedPolicyArns"].as_array().into_iter().flatten();
    held.extend(arns.map(|it| format!("attached: {it}")));
    held
}

fn check(policy: &str, state: &State) -> Result<(), TestCaseError> {
    let policy = LIBRARY.policy(policy).unwrap();
    let found = |state: &State| -> Vec<Finding> {
        let detection = detect(&[policy], None, state);
        assert!(detection.errors.is_empty(), "{:?}", detection.errors);
        detection.findings.into_iter().filter(|it| it.indeterminate.is_none()).collect()
    };
    let findings = found(state);
    prop_assert_eq!(&findings, &found(state));
    for finding in &findings {
        let action = LIBRARY.action_of(policy, &state.resource.kind).unwrap();
        let plan = |state: &State| action.plan(state, &finding.element, &policy.params()).unwrap();
        let Plan { change, approval } = plan(state).unwrap();
        let again = plan(state).map(|it| it.change);
        prop_assert_eq!(Some(&change), again.as_ref());
        prop_assert!(change.starts_from(&state.properties));

        let mut fixed = state.clone();
        change.apply_to(&mut fixed.properties).unwrap();
        fixed.facts = facts(&fixed);
        prop_assert!(change.is_done(&fixed.properties));
        prop_assert!(plan(&fixed).is_none());
        let left = found(&fixed);
        prop_assert!(left.iter().all(|it| it.key != finding.key));

        let (before, after) = (held(&state.properties), held(&fixed.properties));
        let (inert, kept): (BTreeSet<_>, BTreeSet<_>) =
            after.difference(&before).partition(|it| it.contains("none:null"));
        prop_assert!(kept.is_empty(), "granted {:?}", kept);
        let went = before.difference(&after).count();
        if inert.is_empty() {
            prop_assert_eq!(went, 1);
            prop_assert_eq!(left.len() + 1, findings.len());
        } else {
            // A managed policy is left with nothing: all of its violations went, no more.
            prop_assert_eq!(went, findings.len());
            prop_assert!(approval.is_some());
        }
        prop_assert!(change.discards.is_none() || approval.is_some());

        let undo = change.inverse();
        prop_assert_eq!(&undo.inverse(), &change);
        prop_assert!(undo.starts_from(&fixed.properties));
        undo.apply_to(&mut fixed.properties).unwrap();
        prop_assert_eq!(&fixed.properties, &state.properties);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn managed_policies(state in managed()) {
        check("aws.iam.admin_policy_created", &state)?;
    }

    #[test]
    fn inline_policies(state in principal()) {
        check("aws.iam.admin_policy_created", &state)?;
    }

    #[test]
    fn attached_policies(state in principal()) {
        check("aws.iam.admin_policy_attached", &state)?;
    }
}

/// Equal statements are one violation: they go together.
#[test]
fn a_statement_that_stands_twice_goes_twice() {
    let all = json!({ "Effect": "Allow", "Action": "*", "Resource": "*" });
    let deny = json!({ "Effect": "Deny", "Action": "s3:*", "Resource": "*" });
    let properties = json!({
        "DefaultVersionId": "v1",
        "PolicyDocument": { "Version": "2012-10-17", "Statement": [all, deny, all] },
        "Versions": ["v1"],
    });
    let id = "arn:aws:iam::111122223333:policy/p";
    let mut state = state("AWS::IAM::ManagedPolicy", id, properties);
    let policy = LIBRARY.policy("aws.iam.admin_policy_created").unwrap();
    let findings = detect(&[policy], None, &state).findings;
    assert_eq!(findings.len(), 1);
    let action = LIBRARY.action_of(policy, &state.resource.kind).unwrap();
    let plan = action.plan(&state, &findings[0].element, &Value::Null).unwrap().unwrap();
    plan.change.apply_to(&mut state.properties).unwrap();
    assert_eq!(state.properties["PolicyDocument"]["Statement"], json!([deny]));
}
