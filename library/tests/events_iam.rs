//! What IAM's events lead to, and what they alone prove: on recorded events of others, and on the
//! forms that they lack.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use quell_core::detect::{Detection, detect};
use quell_core::event::Event;
use quell_core::normalize;
use quell_core::policy::Policy;
use quell_core::resource::Trust;
use quell_library::Library;
use serde_json::{Value, json};
use std::sync::LazyLock;

static LIBRARY: LazyLock<Library> = LazyLock::new(|| Library::builtin().unwrap());

fn event(record: &Value) -> Event {
    let file = json!({ "Records": [record] }).to_string();
    let [event]: [_; 1] = normalize::document(file.as_bytes()).unwrap().try_into().unwrap();
    event.unwrap()
}

fn record(operation: &str, request: Value, response: Value) -> Value {
    json!({
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser",
            "arn": "arn:aws:iam::111122223333:user/mallory",
            "accountId": "111122223333",
        },
        "eventTime": "2026-11-20T10:00:00Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": operation,
        "awsRegion": "us-east-1",
        "requestParameters": request,
        "responseElements": response,
        "eventID": "2f1d5c1e-52b6-4c1d-8f0b-000000000001",
        "eventType": "AwsApiCall",
        "recipientAccountId": "111122223333",
    })
}

fn policies() -> impl Iterator<Item = &'static Policy> {
    LIBRARY.policies().iter().filter(|it| it.id().starts_with("aws.iam."))
}

/// What each triggered IAM policy says about what the event alone proves.
fn judged(event: &Event) -> Vec<(&'static str, String, Detection)> {
    let bytes = event.envelope.text().as_bytes();
    let triggered = policies().filter(|it| it.trigger().matches(bytes).unwrap());
    triggered
        .flat_map(|policy| LIBRARY.targets(policy, event).into_iter().map(move |it| (policy, it)))
        .filter_map(|(policy, target)| {
            let kind = quell_library::resource(&target.kind).unwrap();
            let mut state = kind.implied(event, &target)?;
            state.facts = kind.facts(&state, &Trust::default());
            let detection = detect(&[policy], Some(event), &state);
            assert!(detection.errors.is_empty(), "{:?}", detection.errors);
            Some((policy.id(), target.id, detection))
        })
        .collect()
}

fn violates(event: &Event) -> bool {
    let sure = |it: &Detection| it.findings.iter().any(|it| it.indeterminate.is_none());
    judged(event).iter().any(|(_, _, it)| sure(it))
}

fn corpus(name: &str) -> Vec<Value> {
    let text = testkit::corpus(&format!("detections/{name}")).unwrap();
    text.lines().map(|it| serde_json::from_str(it).unwrap()).collect()
}

#[test]
fn of_stratus_events_just_the_administrator_fires() {
    let mut fired = Vec::new();
    for row in corpus("stratus_cloudtrail.jsonl") {
        if violates(&event(&row["event"])) {
            fired.push(row["technique"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(fired, ["aws.persistence.iam-create-admin-user"]);
}

#[test]
fn panther_rules_of_the_same_meaning_agree() {
    let rules = ["AWS.IAM.AttachAdminRolePolicy", "AWS.IAM.AttachAdminUserPolicy"];
    let rows: Vec<_> = corpus("panther_aws_cloudtrail_cases.jsonl")
        .into_iter()
        .filter(|it| rules.contains(&it["rule"].as_str().unwrap()))
        .collect();
    assert!(2 < rows.len());
    for row in rows {
        assert_eq!(violates(&event(&row["event"])), row["expect"] == true, "{row:#}");
    }
}

#[test]
fn no_failed_call_proves_anything() {
    let mut failed = record(
        "AttachUserPolicy",
        json!({ "userName": "u", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess" }),
        Value::Null,
    );
    assert!(violates(&event(&failed)));
    failed["errorCode"] = json!("AccessDenied");
    assert!(judged(&event(&failed)).is_empty());
}

const ADMIN: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

#[test]
fn a_created_policy_is_found_by_the_answer_or_by_the_request() {
    let request = json!({ "policyName": "p", "path": "/team/", "policyDocument": ADMIN });
    let arn = "arn:aws:iam::111122223333:policy/team/p";
    for response in [json!({ "policy": { "arn": arn } }), Value::Null] {
        let judged = judged(&event(&record("CreatePolicy", request.clone(), response)));
        let [(policy, id, detection)] = judged.as_slice() else { panic!("{judged:?}") };
        assert_eq!((*policy, id.as_str()), ("aws.iam.admin_policy_created", arn));
        assert_eq!(detection.findings.len(), 1);
    }
}

#[test]
fn a_document_may_be_encoded_and_an_unreadable_one_decides_nothing() {
    let encoded: String = ADMIN.bytes().map(|it| format!("%{it:02X}")).collect();
    let request =
        |document| json!({ "roleName": "r", "policyName": "p", "policyDocument": document });
    for document in [json!(ADMIN), json!(encoded), serde_json::from_str(ADMIN).unwrap()] {
        let event = event(&record("PutRolePolicy", request(document), Value::Null));
        assert!(violates(&event), "{:#}", event.envelope.value());
    }
    for document in [json!("HIDDEN_DUE_TO_SECURITY_REASONS"), json!("%7"), Value::Null] {
        let judged = judged(&event(&record("PutRolePolicy", request(document), Value::Null)));
        let (_, _, detection) = &judged[0];
        assert!(detection.findings.is_empty());
        assert_eq!(detection.indeterminate[0].1, ["Policies"]);
    }
}

/// A document whose statements are none holds what nobody understands, not nothing.
#[test]
fn statements_that_are_none_are_unknown() {
    for document in [r#"{"Statement":["x"]}"#, r#"{"Statement":[]}"#, r#"{"Statement":"x"}"#] {
        let request = json!({ "roleName": "r", "policyName": "p", "policyDocument": document });
        let found = judged(&event(&record("PutRolePolicy", request, Value::Null)));
        let [(_, _, detection)] = found.as_slice() else { panic!("{found:?}") };
        let unknown: Vec<_> = detection.findings.iter().map(|it| &it.indeterminate).collect();
        assert_eq!(unknown, [&Some("p".to_owned())], "{document}");
    }
}

#[test]
fn a_version_that_is_not_in_force_proves_nothing_yet() {
    let arn = "arn:aws:iam::111122223333:policy/p";
    let request = |default: Value| {
        let document = ADMIN;
        json!({ "policyArn": arn, "policyDocument": document, "setAsDefault": default })
    };
    for (default, proven) in [(json!(true), true), (json!(false), false), (Value::Null, false)] {
        let event = event(&record("CreatePolicyVersion", request(default), Value::Null));
        assert_eq!(violates(&event), proven);
        assert_eq!(judged(&event).is_empty(), !proven);
    }
    let request = json!({ "policyArn": arn, "versionId": "v2" });
    let judged = judged(&event(&record("SetDefaultPolicyVersion", request, Value::Null)));
    assert_eq!(judged[0].2.indeterminate[0].1, ["PolicyDocument"]);
}

#[test]
fn attaching_an_own_policy_hangs_on_its_document() {
    let arn = "arn:aws:iam::111122223333:policy/p";
    let request = json!({ "groupName": "g", "policyArn": arn });
    let judged = judged(&event(&record("AttachGroupPolicy", request, Value::Null)));
    let [(policy, id, detection)] = judged.as_slice() else { panic!("{judged:?}") };
    assert_eq!((*policy, id.as_str()), ("aws.iam.admin_policy_attached", "g"));
    assert!(detection.findings[0].indeterminate.as_ref().unwrap().contains(arn));
}

#[test]
fn aws_own_policies_and_odd_requests_lead_nowhere() {
    let aws = json!({ "policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess", "versionId": "v1" });
    for (operation, request) in [
        ("SetDefaultPolicyVersion", aws),
        ("AttachUserPolicy", Value::Null),
        ("PutRolePolicy", json!({ "roleName": "" })),
        ("CreatePolicy", json!({ "omitted": true, "originalSize": 200_000 })),
    ] {
        let event = event(&record(operation, request, Value::Null));
        assert!(policies().all(|it| LIBRARY.targets(it, &event).is_empty()), "{operation}");
    }
}

#[test]
fn each_partition_has_its_home_region() {
    for (region, home) in [
        ("us-east-1", "us-east-1"),
        ("eu-central-1", "us-east-1"),
        ("cn-northwest-1", "cn-north-1"),
        ("us-gov-east-1", "us-gov-west-1"),
    ] {
        let mut record = record("PutUserPolicy", json!({ "userName": "u" }), Value::Null);
        record["awsRegion"] = json!(region);
        let policy = LIBRARY.policy("aws.iam.admin_policy_created").unwrap();
        assert_eq!(LIBRARY.targets(policy, &event(&record))[0].region, home);
    }
}
