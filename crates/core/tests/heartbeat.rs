//! Heartbeats: told apart from other tags, known again when they come back, and missed when not.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use jiff::{SignedDuration, Timestamp};
use quell_core::event::Event;
use quell_core::heartbeat::{self, Beat, HEARTBEAT_WINDOW_S, Heartbeat, Pulse, TAG};
use quell_core::history::History;
use quell_core::normalize;
use quell_core::record::Fact;
use quell_core::resource::ResourceRef;
use serde_json::{Value, json};

fn at(seconds: i64) -> Timestamp {
    let start: Timestamp = "2026-11-02T12:00:00Z".parse().unwrap();
    start.checked_add(SignedDuration::from_secs(seconds)).unwrap()
}

fn rule() -> ResourceRef {
    ResourceRef {
        kind: "AWS::Events::Rule".to_owned(),
        id: "quell-heartbeat".to_owned(),
        account: "111122223333".to_owned(),
        region: "eu-central-1".to_owned(),
    }
}

fn beat(nonce: &str) -> Heartbeat {
    Heartbeat { rule: rule(), nonce: nonce.to_owned() }
}

fn event(operation: &str, request: Value) -> Event {
    let record = json!({
        "eventVersion": "1.11",
        "eventID": "7c1e2b50-4f0d-4a6b-9d11-000000000001",
        "eventTime": "2026-11-02T12:00:01Z",
        "eventSource": "events.amazonaws.com",
        "eventName": operation,
        "awsRegion": "eu-central-1",
        "recipientAccountId": "111122223333",
        "requestID": "request-1",
        "requestParameters": request,
        "userIdentity": { "type": "AssumedRole", "accountId": "111122223333" },
    });
    let mut events = normalize::document(record.to_string().as_bytes()).unwrap();
    events.remove(0).unwrap()
}

fn tagged(tags: Value) -> Event {
    let arn = "arn:aws:events:eu-central-1:111122223333:rule/quell-heartbeat";
    event("TagResource", json!({ "resourceARN": arn, "tags": tags }))
}

#[test]
fn a_heartbeat_is_our_tag_on_a_rule() {
    let ours = json!([{ "key": "team", "value": "x" }, { "key": TAG, "value": "nonce" }]);
    assert_eq!(heartbeat::of(&tagged(ours.clone())), Some(beat("nonce")));
    assert_eq!(heartbeat::of(&tagged(json!([{ "key": "team", "value": "nonce" }]))), None);
    let bus = "arn:aws:events:eu-central-1:111122223333:event-bus/quell";
    let on_a_bus = event("TagResource", json!({ "resourceARN": bus, "tags": ours }));
    assert_eq!(heartbeat::of(&on_a_bus), None);
    assert_eq!(heartbeat::of(&event("TagResource", Value::Null)), None);
    assert_eq!(heartbeat::of(&event("PutRule", json!({ "name": "quell-heartbeat" }))), None);
}

/// The fold over steps, each at its time.
fn pulse(steps: &[(i64, &str, Beat)]) -> Pulse {
    let mut history = History::default();
    for (seconds, nonce, step) in steps {
        let fact = Fact::Heartbeat { heartbeat: beat(nonce), step: step.clone() };
        let line = serde_json::to_string(&fact).unwrap();
        assert_eq!(serde_json::from_str::<Fact>(&line).unwrap(), fact, "as the ledger holds it");
        history.apply(at(*seconds), &fact);
    }
    history.pulse().clone()
}

fn written() -> Beat {
    Beat::Written { request_ids: vec!["request-1".to_owned()] }
}

#[test]
fn what_comes_back_must_be_the_very_call() {
    let pulse = pulse(&[(0, "a", Beat::Sent), (1, "a", written())]);
    assert!(pulse.find(&beat("a"), Some("request-1")).is_some());
    assert!(pulse.find(&beat("a"), Some("request-2")).is_none(), "the tag was copied");
    assert!(pulse.find(&beat("a"), None).is_none());
    assert!(pulse.find(&beat("b"), Some("request-1")).is_none());
    let elsewhere = ResourceRef { region: "us-east-1".to_owned(), ..rule() };
    let elsewhere = Heartbeat { rule: elsewhere, ..beat("a") };
    assert!(pulse.find(&elsewhere, Some("request-1")).is_none());
}

#[test]
fn a_crash_or_a_lost_answer_leaves_the_nonce() {
    let crashed = pulse(&[(0, "a", Beat::Sent)]);
    assert!(crashed.find(&beat("a"), Some("request-9")).is_some());
    let error = "no answer".to_owned();
    let lost = pulse(&[(0, "a", Beat::Sent), (30, "a", Beat::Failed { error })]);
    assert!(lost.find(&beat("a"), Some("request-9")).is_some());
    assert!(lost.overdue(&rule(), at(5_000), 900).is_empty(), "its failure is known already");
}

#[test]
fn what_stays_out_is_overdue_once() {
    let mut steps = vec![(0, "a", Beat::Sent), (1, "a", written()), (300, "b", Beat::Sent)];
    let out = pulse(&steps);
    assert!(out.overdue(&rule(), at(900), 900).is_empty(), "not yet");
    let nonces = |pulse: &Pulse, now: i64| -> Vec<String> {
        let rule = rule();
        let overdue = pulse.overdue(&rule, at(now), 900);
        overdue.into_iter().map(|it| it.heartbeat.nonce.clone()).collect()
    };
    assert_eq!(nonces(&out, 901), ["a"]);
    assert_eq!(nonces(&out, 1_201), ["a", "b"]);
    assert_eq!(out.newest(&rule()), None);

    steps.push((1_202, "a", Beat::Late { waited_s: 1_202 }));
    let event = "event-1".to_owned();
    steps.push((1_203, "b", Beat::Returned { event, after_ms: 903_000 }));
    let heard = pulse(&steps);
    assert_eq!(nonces(&heard, 2_000), Vec::<String>::new());
    assert_eq!(heard.newest(&rule()), Some(at(300)));
    assert!(heard.find(&beat("a"), Some("request-1")).is_some(), "late is better than never");
    let other = ResourceRef { region: "us-east-1".to_owned(), ..rule() };
    assert_eq!(heard.newest(&other), None);
}

#[test]
fn what_is_old_is_forgotten() {
    let late = HEARTBEAT_WINDOW_S + 1;
    let pulse = pulse(&[(0, "a", Beat::Sent), (1, "a", written()), (late, "b", Beat::Sent)]);
    assert!(pulse.find(&beat("a"), Some("request-1")).is_none());
    assert!(pulse.find(&beat("b"), None).is_some());
}
