//! The laws of restoring a trail, over random trails and demands.

use crate::WEAKENED;
use crate::bench::{ACCOUNT, LIBRARY, findings, planned, with_facts};
use aws_sdk_cloudtrail::types::{self, DataResource};
use proptest::prelude::*;
use quell_core::resource::{ResourceRef, State};
use quell_library::aws::cloudtrail::management_events::{
    ADVANCED, BASIC, Coverage, Demand, Logged, coverage, widened,
};
use quell_library::aws::cloudtrail::selectors::EventSelector;
use quell_library::aws::cloudtrail::trail::TYPE;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn sources() -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(vec!["kms.amazonaws.com", "rdsdata.amazonaws.com"], 0..=2)
}

fn read_write() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["All", "ReadOnly", "WriteOnly"])
}

fn basic() -> impl Strategy<Value = Value> {
    (read_write(), any::<bool>(), any::<bool>(), sources()).prop_map(
        |(read_write, management, data, excluded)| {
            let bucket = json!([{ "Type": "AWS::S3::Object", "Values": ["arn:aws:s3:::b/"] }]);
            json!({
                "ReadWriteType": read_write, "IncludeManagementEvents": management,
                "DataResources": if data { bucket } else { json!([]) },
                "ExcludeManagementEventSources": excluded,
            })
        },
    )
}

fn advanced() -> impl Strategy<Value = Value> {
    let category = prop::sample::select(vec!["Management", "Data", "NetworkActivity"]);
    let read_only = prop::option::of(prop::sample::select(vec!["true", "false"]));
    (category, read_only, sources(), prop::bool::weighted(0.2)).prop_map(
        |(category, read_only, excluded, narrowed)| {
            let mut fields = vec![json!({ "Field": "eventCategory", "Equals": [category] })];
            fields.extend(read_only.map(|it| json!({ "Field": "readOnly", "Equals": [it] })));
            if !excluded.is_empty() {
                fields.push(json!({ "Field": "eventSource", "NotEquals": excluded }));
            }
            if narrowed {
                fields.push(json!({ "Field": "eventName", "NotEquals": ["StopLogging"] }));
            }
            json!({ "Name": category, "FieldSelectors": fields })
        },
    )
}

fn selectors() -> impl Strategy<Value = Value> {
    prop_oneof![
        prop::collection::vec(basic(), 0..=5).prop_map(|it| json!({ BASIC: it })),
        prop::collection::vec(advanced(), 1..=4).prop_map(|it| json!({ ADVANCED: it })),
    ]
}

fn demand() -> impl Strategy<Value = Value> {
    (read_write(), prop::bool::weighted(0.9), sources()).prop_map(
        |(read_write, include, excluded)| {
            json!({
                "ReadWriteType": read_write, "IncludeManagementEvents": include,
                "ExcludeManagementEventSources": excluded,
            })
        },
    )
}

fn trail() -> impl Strategy<Value = State> {
    (selectors(), any::<[bool; 3]>()).prop_map(|(mut properties, flags)| {
        for (name, value) in
            ["EnableLogFileValidation", "IncludeGlobalServiceEvents", "IsMultiRegionTrail"]
                .into_iter()
                .zip(flags)
        {
            properties[name] = json!(value);
        }
        with_facts(State {
            resource: ResourceRef {
                kind: TYPE.to_owned(),
                id: format!("arn:aws:cloudtrail:eu-central-1:{ACCOUNT}:trail/audit"),
                account: ACCOUNT.to_owned(),
                region: "eu-central-1".to_owned(),
            },
            tags: Default::default(),
            properties,
            facts: Value::Null,
            unknown: BTreeSet::new(),
            observed: "2025-03-02T09:14:07Z".parse().unwrap(),
        })
    })
}

/// Whether `after` logs all that `before` logs.
fn at_least(after: &Coverage, before: &Coverage) -> bool {
    let more = |after: &Logged, before: &Logged| {
        !before.logged || (after.logged && after.excluded.is_subset(&before.excluded))
    };
    more(&after.read, &before.read) && more(&after.write, &before.write)
}

/// The selectors that have to do with data: all that a fix must leave alone.
fn data(properties: &Value) -> Vec<Value> {
    let list = |key: &str| properties[key].as_array().cloned().unwrap_or_default();
    let basic = list(BASIC).into_iter().filter(|it| it["DataResources"] != json!([]));
    let is_management = |it: &Value| it["FieldSelectors"][0]["Equals"] == json!(["Management"]);
    basic.chain(list(ADVANCED).into_iter().filter(|it| !is_management(it))).collect()
}

proptest! {
    #[test]
    fn widening_meets_the_demand_and_takes_nothing(
        properties in selectors(),
        written in demand(),
    ) {
        let demand: Demand = serde_json::from_value(written).unwrap();
        let before = coverage(&properties).unwrap();
        match widened(&properties, &demand) {
            Ok(Some((property, value))) => {
                prop_assert_eq!(property, before.property);
                let mut after = properties.clone();
                after[property] = value;
                prop_assert!(at_least(&coverage(&after).unwrap(), &before));
                prop_assert_eq!(data(&after), data(&properties), "data events are as they were");
                prop_assert_eq!(widened(&after, &demand), Ok(None), "nothing is left to do");
            }
            Ok(None) => {}
            Err(_) => {
                let list = properties[BASIC].as_array().unwrap();
                prop_assert_eq!(list.len(), 5, "only a full list has no room");
            }
        }
    }

    /// The judgment in Rego and the plan in Rust agree: a finding has a plan that ends it.
    #[test]
    fn every_finding_is_one_change_that_ends_it(state in trail()) {
        let full = state.properties[BASIC].as_array().is_some_and(|it| {
            it.len() == 5 && it.iter().all(|it| it["DataResources"] != json!([]))
        });
        let found = findings(WEAKENED, &state);
        for finding in &found {
            if full && finding.element == BASIC {
                continue;
            }
            let change = planned(finding, &state).expect("a plan");
            prop_assert!(change.starts_from(&state.properties));
            let mut fixed = state.clone();
            change.apply_to(&mut fixed.properties).unwrap();
            let fixed = with_facts(fixed);
            prop_assert!(planned(finding, &fixed).is_none());
            let left = findings(WEAKENED, &fixed);
            prop_assert_eq!(left.len() + 1, found.len(), "that one ended, no other moved");
            prop_assert!(left.iter().all(|it| it.key != finding.key));
            let mut undone = fixed.clone();
            change.inverse().apply_to(&mut undone.properties).unwrap();
            let mut state = state.clone();
            if change.before.is_null() {
                state.properties.as_object_mut().unwrap().remove(&finding.element);
            }
            prop_assert_eq!(&undone.properties, &state.properties);
        }
        prop_assert_eq!(findings(WEAKENED, &with_facts(state.clone())), found);
    }

    #[test]
    fn a_trail_that_meets_the_baseline_has_no_plan(state in trail()) {
        if findings(WEAKENED, &state).is_empty() {
            let policy = LIBRARY.policy(WEAKENED).unwrap();
            let action = LIBRARY.action_of(policy, TYPE).unwrap();
            for element in [BASIC, ADVANCED, "IsMultiRegionTrail", "IncludeGlobalServiceEvents"] {
                prop_assert_eq!(action.plan(&state, element, &policy.params()), Ok(None));
            }
        }
    }
}

/// What was read is what was written, and what nobody here knows is not taken for everything.
#[test]
fn a_selector_of_a_later_api_is_not_understood() {
    let selector = |kind: &str| {
        let data = DataResource::builder().r#type("AWS::S3::Object").values("arn:aws:s3:::b/");
        EventSelector::property(
            &types::EventSelector::builder()
                .read_write_type(kind.into())
                .include_management_events(true)
                .data_resources(data.build())
                .build(),
        )
    };
    let known: EventSelector = serde_json::from_value(selector("WriteOnly")).unwrap();
    assert_eq!(json!(known), selector("WriteOnly"));
    let problem = coverage(&json!({ BASIC: [selector("DenyList")] })).unwrap_err();
    assert!(problem.contains("DenyList"), "{problem}");
    let bare = EventSelector::property(&types::EventSelector::builder().build());
    assert_eq!(coverage(&json!({ BASIC: [bare] })), coverage(&json!({})), "the API's defaults");
}

/// A change runs under the permissions of its own call alone.
#[test]
fn a_change_is_allowed_its_own_call_alone() {
    let properties = json!({
        "EnableLogFileValidation": false, "IncludeGlobalServiceEvents": true,
        "IsMultiRegionTrail": true, BASIC: [{ "IncludeManagementEvents": false }],
    });
    let state: State = serde_json::from_value(json!({
        "resource": {
            "type": TYPE, "id": "arn:aws:cloudtrail:eu-central-1:111122223333:trail/audit",
            "account": ACCOUNT, "region": "eu-central-1",
        },
        "properties": properties, "observed": "2025-03-02T09:14:07Z",
    }))
    .unwrap();
    let state = with_facts(state);
    let allowed: Vec<_> = findings(WEAKENED, &state)
        .iter()
        .map(|finding| {
            let change = planned(finding, &state).unwrap();
            let action = quell_library::action(&change.action).unwrap();
            let policy = quell_library::permissions::session_policy(action.meta(), &change);
            (policy["Statement"].as_array().unwrap().len(), policy["Statement"][0].clone())
        })
        .collect();
    let statement = |action: &str| {
        let arn = "arn:aws:cloudtrail:eu-central-1:111122223333:trail/audit";
        (1, json!({ "Effect": "Allow", "Action": [action], "Resource": arn }))
    };
    let wanted = [statement("cloudtrail:UpdateTrail"), statement("cloudtrail:PutEventSelectors")];
    assert_eq!(allowed, wanted);
}
