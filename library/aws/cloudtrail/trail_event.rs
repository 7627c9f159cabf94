//! Trails in CloudTrail records.
//!
//! A call names its trail by name or by ARN (`name`, or `trailName` of the selector calls); a
//! response names it by ARN (`trailARN`), which wins. A trail can be changed in its home region
//! only, so the region of a successful change is the home of a trail that is named by name alone.
//! Source: recorded events, and the API reference for the responses.

use super::management_events::{ADVANCED, BASIC};
use super::selectors::{AdvancedEventSelector, EventSelector};
use super::trail::{ArnParts, TYPE};
use quell_core::event::Event;
use quell_core::region::partition;
use quell_core::resource::{ResourceRef, State};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What a read tells of a trail, and an event mostly does not.
const PROPERTIES: [&str; 11] = [
    ADVANCED,
    "EnableLogFileValidation",
    BASIC,
    "HomeRegion",
    "IncludeGlobalServiceEvents",
    "IsLogging",
    "IsMultiRegionTrail",
    "IsOrganizationTrail",
    "KMSKeyId",
    "S3BucketName",
    "TrailName",
];

/// The flags of a trail: as `UpdateTrail` is asked, as it answers, and as a property.
const FLAGS: [(&str, &str, &str); 5] = [
    ("enableLogFileValidation", "logFileValidationEnabled", "EnableLogFileValidation"),
    ("includeGlobalServiceEvents", "includeGlobalServiceEvents", "IncludeGlobalServiceEvents"),
    ("isMultiRegionTrail", "isMultiRegionTrail", "IsMultiRegionTrail"),
    ("isOrganizationTrail", "isOrganizationTrail", "IsOrganizationTrail"),
    ("s3BucketName", "s3BucketName", "S3BucketName"),
];

/// The trail that an event names.
pub fn target(event: &Event) -> Option<ResourceRef> {
    if event.api.service != "cloudtrail.amazonaws.com" {
        return None;
    }
    let (request, response) = (event.request(), event.response());
    let named = [(response, "trailARN"), (request, "trailName"), (request, "name")]
        .into_iter()
        .find_map(|(place, key)| place.get(key)?.as_str().filter(|it| !it.is_empty()))?;
    let cloud = &event.cloud;
    let id = match ArnParts::of(named) {
        Some(_) => named.to_owned(),
        None if named.starts_with("arn:") => return None,
        None => format!(
            "arn:{}:cloudtrail:{}:{}:trail/{named}",
            partition(&cloud.region),
            cloud.region,
            cloud.account
        ),
    };
    let region = ArnParts::of(&id)?.region.to_owned();
    Some(ResourceRef { kind: TYPE.to_owned(), id, account: cloud.account.clone(), region })
}

/// What an event proves of the trail that it names.
pub fn implied(event: &Event, target: &ResourceRef) -> Option<State> {
    let (properties, known_absent): (Map<String, Value>, &[&str]) =
        match event.api.operation.as_str() {
            "StartLogging" => (Map::from_iter([("IsLogging".to_owned(), json!(true))]), &[]),
            "StopLogging" => (Map::from_iter([("IsLogging".to_owned(), json!(false))]), &[]),
            "UpdateTrail" => updated(event),
            "PutEventSelectors" => selected(event)?,
            _ => return None,
        };
    let known = |it: &str| properties.contains_key(it) || known_absent.contains(&it);
    let unknown = PROPERTIES.into_iter().filter(|it| !known(it)).map(str::to_owned).collect();
    Some(State {
        resource: target.clone(),
        tags: BTreeMap::new(),
        properties: Value::Object(properties),
        facts: Value::Null,
        unknown,
        observed: event.time,
    })
}

/// The response tells the whole trail; without one, the request tells what was changed.
fn updated(event: &Event) -> (Map<String, Value>, &'static [&'static str]) {
    let answered = event.response().get("trailARN").is_some();
    let place = if answered { event.response() } else { event.request() };
    let mut properties = Map::new();
    for (asked, answer, property) in FLAGS {
        if let Some(it) = place.get(if answered { answer } else { asked }) {
            properties.insert(property.to_owned(), it.clone());
        }
    }
    let key = place.get("kmsKeyId").and_then(Value::as_str);
    match key {
        Some(it) if !it.is_empty() => {
            properties.insert("KMSKeyId".to_owned(), json!(it));
            (properties, &[])
        }
        // An empty key takes the encryption with it; an answer without a key has none.
        Some(_) => (properties, &["KMSKeyId"]),
        None if answered => (properties, &["KMSKeyId"]),
        None => (properties, &[]),
    }
}

/// The selectors of one kind replace those of the other.
fn selected(event: &Event) -> Option<(Map<String, Value>, &'static [&'static str])> {
    let places = [event.response(), event.request()];
    let list = |key| places.iter().find_map(|it| it.get(key).filter(|it| filled(it)));
    let (property, selectors, absent): (_, _, &[&str]) = match list("advancedEventSelectors") {
        Some(it) => (ADVANCED, shaped::<AdvancedEventSelector>(it)?, &[BASIC]),
        None => (BASIC, shaped::<EventSelector>(list("eventSelectors")?)?, &[ADVANCED]),
    };
    Some((Map::from_iter([(property.to_owned(), selectors)]), absent))
}

fn filled(list: &Value) -> bool {
    list.as_array().is_some_and(|it| !it.is_empty())
}

/// The list in our shape; `None` where it has none that we know.
fn shaped<Selector: DeserializeOwned + Serialize>(list: &Value) -> Option<Value> {
    let list: Vec<Selector> = serde_json::from_value(without_nulls(list)).ok()?;
    serde_json::to_value(list).ok()
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(_, it)| !it.is_null())
            .map(|(key, it)| (key.clone(), without_nulls(it)))
            .collect(),
        Value::Array(list) => list.iter().map(without_nulls).collect(),
        scalar => scalar.clone(),
    }
}
