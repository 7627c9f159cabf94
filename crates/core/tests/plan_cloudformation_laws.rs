//! Laws of evaluation: what is known without a parameter is so whatever its value.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use quell_core::plan::Plan;
use quell_core::plan::cloudformation::{Options, read};
use serde_json::{Value, json};

const WORDS: [&str; 4] = ["a", "b", "a-b", "0"];

fn word() -> impl Strategy<Value = Value> {
    prop::sample::select(WORDS.to_vec()).prop_map(|it| json!(it))
}

fn parameter() -> impl Strategy<Value = Value> {
    prop::sample::select(vec!["P", "Q", "L", "AWS::Region", "AWS::NoValue", "Other", "None"])
        .prop_map(|it| json!({"Ref": it}))
}

fn text() -> impl Strategy<Value = Value> {
    let variable = prop::sample::select(vec!["P", "Q", "AWS::Region", "Other.Arn", "!P", "V"]);
    let substituted = (word(), variable.clone()).prop_map(
        |(text, name)| json!({"Fn::Sub": format!("{}${{{name}}}", text.as_str().unwrap())}),
    );
    let own = (variable, parameter())
        .prop_map(|(name, it)| json!({"Fn::Sub": [format!("${{{name}}}"), {"V": it}]}));
    let perhaps = word().prop_map(|it| json!({"Fn::If": ["C0", it, {"Ref": "AWS::NoValue"}]}));
    prop_oneof![word(), word(), parameter(), substituted, own, perhaps]
}

fn condition() -> impl Strategy<Value = Value> {
    let equals = (text(), text()).prop_map(|(a, b)| json!({"Fn::Equals": [a, b]}));
    let named = prop::sample::select(vec!["C0", "C1"]).prop_map(|it| json!({"Condition": it}));
    prop_oneof![equals, named].prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|it| json!({"Fn::Not": [it]})),
            prop::collection::vec(inner.clone(), 1..3).prop_map(|it| json!({"Fn::And": it})),
            prop::collection::vec(inner, 1..3).prop_map(|it| json!({"Fn::Or": it})),
        ]
    })
}

fn expression() -> impl Strategy<Value = Value> {
    text().prop_recursive(4, 24, 3, |inner| {
        let list = prop::collection::vec(inner.clone(), 0..4);
        let name = prop::sample::select(vec!["C0", "C1", "C2", "C3"]);
        let key = prop::sample::select(WORDS.to_vec());
        prop_oneof![
            list.clone().prop_map(Value::Array),
            prop::collection::btree_map(key, inner.clone(), 0..3).prop_map(|it| json!(it)),
            (name, inner.clone(), inner.clone())
                .prop_map(|(name, a, b)| json!({"Fn::If": [name, a, b]})),
            list.clone().prop_map(|it| json!({"Fn::Join": ["-", it]})),
            (text(), list.clone()).prop_map(|(index, it)| json!({"Fn::Select": [index, it]})),
            (0..3usize, prop::collection::vec(text(), 1..4))
                .prop_map(|(index, it)| json!({"Fn::Select": [index, it]})),
            (0..3usize, inner.clone()).prop_map(|(index, it)| json!({"Fn::Select": [index, it]})),
            inner.clone().prop_map(|it| json!({"Fn::Split": ["-", it]})),
            inner.clone().prop_map(|it| json!({"Fn::Base64": it})),
            inner.clone().prop_map(|it| json!({"Fn::ToJsonString": it})),
            list.prop_map(|it| json!({"Fn::Length": it})),
            (text(), inner).prop_map(|(key, it)| {
                json!({"Fn::FindInMap": ["M", key, "k", {"DefaultValue": it}]})
            }),
        ]
    })
}

fn template() -> impl Strategy<Value = Value> {
    (condition(), condition(), prop::collection::vec(expression(), 1..4)).prop_map(
        |(c, d, values)| {
            let values: BTreeMap<_, _> = values
                .into_iter()
                .enumerate()
                .map(|(index, it)| (format!("V{index}"), it))
                .collect();
            json!({
                "Parameters": {
                    "P": {"Type": "String"},
                    "Q": {"Type": "String"},
                    "L": {"Type": "CommaDelimitedList"},
                },
                "Mappings": {"M": {"a": {"k": "a"}, "b": {"k": ["a", "b"]}}},
                "Conditions": {
                    "C0": {"Fn::Equals": [{"Ref": "P"}, "a"]},
                    "C1": {"Fn::Not": [{"Fn::Equals": [{"Ref": "AWS::Region"}, {"Ref": "Q"}]}]},
                    "C2": c,
                    "C3": d,
                },
                "Resources": {
                    "Other": {"Type": "X::Y"},
                    "Thing": {"Type": "X::Y", "Condition": "C2", "Properties": values},
                },
            })
        },
    )
}

fn options() -> impl Strategy<Value = Options> {
    let word = || prop::sample::select(WORDS.to_vec());
    (word(), word(), prop::sample::select(vec!["a", "a,b", ""]), word()).prop_map(
        |(p, q, l, region)| {
            let parameters = [("P", p), ("Q", q), ("L", l)];
            let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
            Options {
                parameters: parameters.into(),
                account: None,
                region: Some(region.to_owned()),
            }
        },
    )
}

/// Whether a value could be what is known of it at a pointer.
fn fits(known: &Value, pointer: &str, unknown: &BTreeSet<String>, value: &Value) -> bool {
    if unknown.contains(pointer) {
        return true;
    }
    match (known, value) {
        (Value::Object(members), Value::Object(values)) => {
            let may_be_absent = |it: &String| unknown.contains(&format!("{pointer}/{it}"));
            values.keys().all(|it| members.contains_key(it))
                && members.iter().all(|(key, known)| match values.get(key) {
                    Some(value) => fits(known, &format!("{pointer}/{key}"), unknown, value),
                    None => may_be_absent(key),
                })
        }
        (Value::Array(items), Value::Array(values)) => {
            let items: Vec<_> = items.iter().enumerate().collect();
            fit(&items, pointer, unknown, values)
        }
        _ => known == value,
    }
}

/// The same for lists: an item that is unknown may turn out to be absent.
fn fit(
    items: &[(usize, &Value)],
    pointer: &str,
    unknown: &BTreeSet<String>,
    values: &[Value],
) -> bool {
    let Some(((index, known), items)) = items.split_first() else { return values.is_empty() };
    let pointer_of_item = format!("{pointer}/{index}");
    let is_absent = unknown.contains(&pointer_of_item) && fit(items, pointer, unknown, values);
    is_absent
        || values.split_first().is_some_and(|(value, values)| {
            fits(known, &pointer_of_item, unknown, value) && fit(items, pointer, unknown, values)
        })
}

fn plan(template: &Value, options: &Options) -> Result<Plan, TestCaseError> {
    let text = template.to_string();
    read("t", &text, options).map_err(|it| TestCaseError::fail(format!("{it}\n{text}")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_known_without_parameters_holds_with_any(
        template in template(),
        options in options(),
        knows in prop::collection::btree_set(prop::sample::select(vec!["P", "Q", "L"]), 0..3),
        knows_region in any::<bool>(),
    ) {
        let mut partly = options.clone();
        partly.parameters.retain(|name, _| knows.contains(name.as_str()));
        partly.region = partly.region.filter(|_| knows_region);
        let (partly, wholly) = (plan(&template, &partly)?, plan(&template, &options)?);
        let thing = |plan: &Plan| plan.declared.iter().find(|it| it.address == "Thing").cloned();
        match (thing(&partly), thing(&wholly)) {
            (None, after) => prop_assert!(after.is_none(), "it was known to be absent"),
            (Some(_), None) => {
                let noted = partly.notes.iter().any(|it| it.problem.starts_with("whether `Thing`"));
                prop_assert!(noted, "it was known to be created");
            }
            (Some(before), Some(after)) => {
                // What is unknown for another reason than a parameter's may be so in both.
                let mut properties = after.properties.clone();
                for pointer in &after.unknown {
                    *properties.pointer_mut(pointer).unwrap() = json!("?unknown");
                }
                prop_assert!(
                    fits(&before.properties, "", &before.unknown, &properties),
                    "{}\n{:?}\n{}\n{template}", before.properties, before.unknown, properties
                );
            }
        }
    }
}
