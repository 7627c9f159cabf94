//! Rules in CloudTrail records. A call names its rule by name (`name`, or `rule` of the calls about
//! targets) and its bus by name or ARN. Source: the EventBridge API
//! reference, whose parameters appear with a lower-case first letter, and recorded events.

use super::rule::{self, DEFAULT_BUS, PROPERTIES, TYPE};
use quell_core::event::{Event, Status};
use quell_core::resource::{ResourceRef, State};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The rule that an event touched and that may still be there.
pub fn target(event: &Event) -> Option<ResourceRef> {
    if event.api.service != "events.amazonaws.com" {
        return None;
    }
    let id = match event.api.operation.as_str() {
        "DisableRule" | "EnableRule" | "PutRule" => named(event, "name")?,
        "PutTargets" | "RemoveTargets" => named(event, "rule")?,
        _ => return None,
    };
    Some(ResourceRef {
        kind: TYPE.to_owned(),
        id,
        account: event.cloud.account.clone(),
        region: event.cloud.region.clone(),
    })
}

/// The id of the rule that a request names under `key`.
pub fn named(event: &Event, key: &str) -> Option<String> {
    let bus = text(event, "eventBusName").unwrap_or(DEFAULT_BUS);
    Some(rule::id(bus, text(event, key)?))
}

/// What an event proves of the rule that it names: whether it is enabled.
pub fn implied(event: &Event, resource: &ResourceRef) -> Option<State> {
    if event.status != Status::Success || target(event).as_ref() != Some(resource) {
        return None;
    }
    let state = match event.api.operation.as_str() {
        "DisableRule" => "DISABLED",
        "EnableRule" => "ENABLED",
        // A rule that is put without a state is enabled.
        "PutRule" => text(event, "state").unwrap_or("ENABLED"),
        _ => return None,
    };
    let known = Map::from_iter([("State".to_owned(), json!(state))]);
    let unknown: BTreeSet<String> = PROPERTIES
        .iter()
        .filter(|it| !known.contains_key(**it))
        .map(|it| (*it).to_owned())
        .collect();
    Some(State {
        resource: resource.clone(),
        tags: BTreeMap::new(),
        properties: Value::Object(known),
        facts: Value::Null,
        unknown,
        observed: event.time,
    })
}

fn text<'a>(event: &'a Event, key: &str) -> Option<&'a str> {
    event.request().get(key).and_then(Value::as_str).filter(|it| !it.is_empty())
}
