//! What CloudTrail's records about trails lead to, and only what they prove.

use crate::bench::{ACCOUNT, corpus, findings, implied, parse, record};
use crate::{STOPPED, WEAKENED};
use quell_core::event::Event;
use quell_core::normalize::document;
use quell_core::resource::{ResourceRef, State};
use quell_library::aws::cloudtrail::trail::TYPE;
use serde_json::{Value, json};

const ARN: &str = "arn:aws:cloudtrail:eu-central-1:111122223333:trail/audit";

fn call(name: &str, request: Value, response: Value) -> Event {
    record("cloudtrail", name, request, response, json!({}))
}

fn target(event: &Event) -> Option<ResourceRef> {
    let mut found = quell_library::resource(TYPE).unwrap().targets(event);
    assert!(found.len() < 2);
    found.pop()
}

fn state(name: &str, request: Value, response: Value) -> State {
    implied(TYPE, &call(name, request, response)).unwrap()
}

#[test]
fn a_trail_is_found_by_name_and_by_arn() {
    for (name, request, response) in [
        ("StopLogging", json!({ "name": "audit" }), Value::Null),
        ("StopLogging", json!({ "name": ARN }), Value::Null),
        ("DeleteTrail", json!({ "name": "audit" }), Value::Null),
        ("PutEventSelectors", json!({ "trailName": "audit" }), json!({ "trailARN": ARN })),
        ("UpdateTrail", json!({ "name": "audit" }), json!({ "trailARN": ARN, "name": "audit" })),
    ] {
        let found = target(&call(name, request, response)).unwrap();
        assert_eq!(found.id, ARN, "{name}");
        assert_eq!((&*found.account, &*found.region), (ACCOUNT, "eu-central-1"));
    }
}

/// An ARN names the home region; a trail of another account is looked at from ours.
#[test]
fn an_arn_says_where_home_is() {
    let arn = "arn:aws:cloudtrail:us-east-1:999988887777:trail/org";
    let found = target(&call("StopLogging", json!({ "name": arn }), Value::Null)).unwrap();
    assert_eq!((&*found.account, &*found.region), (ACCOUNT, "us-east-1"));
    let state = state("StopLogging", json!({ "name": arn }), Value::Null);
    let found = findings(STOPPED, &state);
    assert!(matches!(&found[..], [it] if it.notify_only.is_some()), "{found:?}");
}

#[test]
fn partitions_are_read_off_the_region() {
    for (region, partition) in [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")] {
        let more = json!({ "awsRegion": region });
        let event =
            record("cloudtrail", "StopLogging", json!({ "name": "audit" }), Value::Null, more);
        let wanted = format!("arn:{partition}:cloudtrail:{region}:{ACCOUNT}:trail/audit");
        assert_eq!(target(&event).unwrap().id, wanted);
    }
}

#[test]
fn nothing_is_found_where_no_trail_is_named() {
    let store = "arn:aws:cloudtrail:us-east-1:111122223333:eventdatastore/abc";
    for (service, request) in [
        ("cloudtrail", Value::Null),
        ("cloudtrail", json!({ "name": "" })),
        ("cloudtrail", json!({ "name": store })),
        ("cloudtrail", json!({ "eventDataStore": store })),
        ("logs", json!({ "name": "audit" })),
    ] {
        let event = record(service, "StopLogging", request, Value::Null, json!({}));
        assert_eq!(target(&event), None);
    }
}

#[test]
fn starting_and_stopping_prove_the_logging() {
    let stopped = state("StopLogging", json!({ "name": "audit" }), Value::Null);
    assert_eq!(findings(STOPPED, &stopped).len(), 1);
    assert!(
        stopped.unknown.contains("IsMultiRegionTrail") && !stopped.unknown.contains("IsLogging")
    );
    let started = state("StartLogging", json!({ "name": "audit" }), Value::Null);
    assert!(findings(STOPPED, &started).is_empty());
}

#[test]
fn an_answered_update_proves_all_flags() {
    let answer = json!({
        "name": "audit", "trailARN": ARN, "s3BucketName": "logs", "isMultiRegionTrail": false,
        "includeGlobalServiceEvents": true, "logFileValidationEnabled": false,
        "isOrganizationTrail": false,
    });
    let state = state("UpdateTrail", json!({ "name": "audit" }), answer);
    let elements: Vec<_> = findings(WEAKENED, &state).into_iter().map(|it| it.element).collect();
    assert_eq!(elements, ["EnableLogFileValidation", "IsMultiRegionTrail"]);
    assert!(!state.unknown.contains("KMSKeyId"), "an answer without a key has none");
    assert!(state.unknown.contains("EventSelectors"));
}

#[test]
fn an_unanswered_update_proves_what_it_asked_for() {
    let asked = json!({ "name": "audit", "isMultiRegionTrail": false });
    let state = state("UpdateTrail", asked, Value::Null);
    assert_eq!(findings(WEAKENED, &state).len(), 1);
    assert!(state.unknown.contains("EnableLogFileValidation"));
    assert!(state.unknown.contains("KMSKeyId"));
}

#[test]
fn put_selectors_replace_the_other_kind() {
    let advanced = json!([{ "name": "d", "fieldSelectors": [
        { "field": "eventCategory", "equals": ["Data"] },
        { "field": "resources.type", "equals": ["AWS::S3::Object"], "notEquals": null },
    ] }]);
    let answer = json!({ "trailARN": ARN, "advancedEventSelectors": advanced });
    let state = state("PutEventSelectors", json!({ "trailName": "audit" }), answer);
    assert!(!state.unknown.contains("EventSelectors"));
    assert_eq!(state.properties["AdvancedEventSelectors"][0]["Name"], "d");
    let found = findings(WEAKENED, &state);
    assert!(matches!(&found[..], [it] if it.element == "AdvancedEventSelectors"), "{found:?}");
}

/// The recorded attack, as the attacker's tool made it.
#[test]
fn the_recorded_event_selectors_attack_is_found() {
    let mut seen = 0;
    for (event, line) in corpus("detections/stratus_cloudtrail.jsonl") {
        if line["technique"] == "aws.defense-evasion.cloudtrail-event-selectors" {
            let state = implied(TYPE, &parse(event.clone())).unwrap();
            assert_eq!(json!(state.resource.id), event["responseElements"]["trailARN"]);
            let found = findings(WEAKENED, &state);
            assert!(matches!(&found[..], [it] if it.element == "EventSelectors"), "{found:?}");
            seen += 1;
        }
    }
    assert!(0 < seen, "the corpus does not hold the technique");
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
