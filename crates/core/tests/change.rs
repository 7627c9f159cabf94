//! Laws of a change.
#![allow(clippy::unwrap_used, reason = "tests")]

use jiff::Timestamp;
use proptest::prelude::*;
use quell_core::change::{Change, Direction, Facet, canonical, element_id, same};
use quell_core::resource::{ResourceRef, State};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

fn resource() -> ResourceRef {
    ResourceRef {
        kind: "AWS::S3::Bucket".into(),
        id: "b".into(),
        account: "111122223333".into(),
        region: "eu-central-1".into(),
    }
}

fn state(properties: Value) -> State {
    State {
        resource: resource(),
        tags: BTreeMap::new(),
        properties,
        facts: Value::Null,
        unknown: BTreeSet::new(),
        observed: Timestamp::UNIX_EPOCH,
    }
}

fn removal(list: &[Value], at: usize) -> Change {
    let element = list.get(at).unwrap();
    Change {
        action: "a".into(),
        resource: resource(),
        facet: Facet::element("/List", element),
        before: element.clone(),
        after: Value::Null,
        position: Some(at),
        discards: None,
        direction: Direction::Forward,
    }
}

/// Distinct elements, each with an id that the provider assigned.
fn elements() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::btree_set("[a-z]{1,4}", 1..8).prop_map(|names| {
        let names = names.into_iter().enumerate();
        names.map(|(n, it)| json!({ "Name": it, "RuleId": format!("sgr-{n}") })).collect()
    })
}

proptest! {
    #[test]
    fn undo_restores_what_was(list in elements(), pick in any::<prop::sample::Index>()) {
        let before = json!({ "List": list, "Other": 1 });
        let change = removal(&list, pick.index(list.len()));
        prop_assert!(change.starts_from(&before) && !change.is_done(&before));
        let mut after = before.clone();
        change.apply_to(&mut after).unwrap();
        prop_assert!(change.is_done(&after) && !change.starts_from(&after));
        prop_assert_eq!(after.pointer("/List").unwrap().as_array().unwrap().len(), list.len() - 1);
        let undo = change.inverse();
        prop_assert_eq!(&undo.inverse(), &change);
        undo.apply_to(&mut after).unwrap();
        prop_assert_eq!(after, before);
    }

    #[test]
    fn a_fix_reads_what_was_and_where(list in elements(), pick in any::<prop::sample::Index>()) {
        let at = pick.index(list.len());
        let state = state(json!({ "List": list }));
        let facet = Facet::element("/List", list.get(at).unwrap());
        prop_assert_eq!(Change::fix("a", &state, facet, Value::Null), removal(&list, at));
    }

    #[test]
    fn an_assigned_id_is_no_identity(list in elements(), pick in any::<prop::sample::Index>()) {
        let change = removal(&list, pick.index(list.len()));
        let renamed: Vec<Value> = list.iter().map(|it| {
            let mut it = it.clone();
            it["RuleId"] = json!("sgr-new");
            it
        }).collect();
        let renamed = json!({ "List": renamed });
        prop_assert!(change.starts_from(&renamed));
    }

    #[test]
    fn equal_values_have_equal_texts(list in elements()) {
        for it in &list {
            let text = canonical(it);
            let again: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&again, it);
            prop_assert_eq!(element_id(&again), element_id(it));
        }
    }
}

#[test]
fn a_property_comes_and_goes_with_its_parents() {
    let change = Change {
        action: "a".into(),
        resource: resource(),
        facet: Facet::property("/Outer/Block"),
        before: Value::Null,
        after: json!({ "On": true }),
        position: None,
        discards: None,
        direction: Direction::Forward,
    };
    let mut state = json!({});
    change.apply_to(&mut state).unwrap();
    assert_eq!(state, json!({ "Outer": { "Block": { "On": true } } }));
    change.inverse().apply_to(&mut state).unwrap();
    assert!(change.starts_from(&state));
    assert!(change.apply_to(&mut json!({ "Outer": 7 })).is_err());
}

#[test]
fn sameness_ignores_only_what_the_provider_assigns() {
    assert!(same(&json!({ "a": 1, "RuleId": "x" }), &json!({ "a": 1, "RuleId": "y" })));
    assert!(!same(&json!({ "a": 1 }), &json!({ "a": 2 })));
    assert!(!same(&json!({ "a": 1 }), &Value::Null));
}
