//! What policies are proven against: the dictionary of calls, and the properties of each type.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use quell_core::resource::State;
use quell_library::aws::dictionary::{Call, DICTIONARY, NOT_DELIVERED};
use quell_library::{folder, resource};
use serde_json::Value;
use std::collections::BTreeSet;

/// What EC2 unwraps, and what Lambda adds to a request: no rule tells it.
const NOT_FOLLOWED: [&str; 2] = ["ModifyImageAttribute attributeType", "fullyQualifiedArn"];

#[test]
fn every_call_comes_as_an_event() {
    assert_eq!(DICTIONARY.dated.len(), "2026-11-23".len());
    assert!(1_000 < DICTIONARY.calls().count());
    for call in DICTIONARY.calls() {
        assert_eq!(call.events().len(), 2, "{call:?}");
        assert!(!NOT_DELIVERED.iter().any(|it| call.name.starts_with(it)), "{call:?}");
    }
}

/// Calls that real AWS recorded, with the names in their requests.
#[test]
fn recorded_calls_are_in_it() {
    let rows = testkit::corpus("detections/stratus_cloudtrail.jsonl").unwrap();
    let sources: BTreeSet<&str> = DICTIONARY.calls().map(|it| it.source).collect();
    let mut recorded = 0;
    for row in rows.lines() {
        let row: Value = serde_json::from_str(row).unwrap();
        let text = |name: &str| row.pointer(&format!("/event/{name}")).and_then(Value::as_str);
        let (source, name) = (text("eventSource").unwrap(), text("eventName").unwrap());
        if !sources.contains(source) || NOT_DELIVERED.iter().any(|it| name.starts_with(it)) {
            continue;
        }
        recorded += 1;
        let is_it = |it: &Call<'_>| it.source == source && it.name == name;
        let call = DICTIONARY.calls().find(is_it).unwrap_or_else(|| panic!("{source} {name}"));
        let request = row.pointer("/event/requestParameters").and_then(Value::as_object);
        for parameter in request.into_iter().flat_map(|it| it.keys()) {
            let shown = format!("{name} {parameter}");
            let is_followed = !NOT_FOLLOWED.iter().any(|it| shown.ends_with(it));
            assert_eq!(DICTIONARY.may_hold(call, parameter), is_followed, "{shown}");
        }
    }
    assert!(15 < recorded, "{recorded}");
}

/// A case may have no property that its type is not known to have.
#[test]
fn cases_have_the_properties_of_their_types() {
    for folder in folder::builtin().unwrap() {
        for (name, case) in &folder.cases {
            let state: State = serde_json::from_str(&case.state).unwrap();
            let known = resource(&state.resource.kind).unwrap().meta().properties;
            let seen = state.properties.as_object().unwrap().keys().chain(&state.unknown);
            for it in seen {
                assert!(known.contains(&it.as_str()), "{} {name}: {it}", folder.id);
            }
        }
    }
}
