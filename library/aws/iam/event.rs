//! What CloudTrail's IAM events say: which resource they touched, and what they prove of it.
//!
//! Sources: "Logging IAM and AWS STS API calls with AWS CloudTrail" in the IAM user guide, the IAM
//! API reference, and recorded events. Request and response fields are the API's parameters with a
//! lower-case first letter; a document is the request's JSON text.

use super::document;
use super::managed_policy::{self, is_customer_managed};
use super::principal::Principal;
use quell_core::event::{Event, Status};
use quell_core::region::{home_region, partition};
use quell_core::resource::{ResourceRef, State};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

const SERVICE: &str = "iam.amazonaws.com";

/// The customer-managed policy whose document or versions an event touched. Attaching a policy
/// touches the principal, not the policy.
pub fn managed_policy(event: &Event) -> Option<ResourceRef> {
    let operation = &event.api.operation;
    if operation.starts_with("Attach") || operation.starts_with("Detach") {
        return None;
    }
    let answered = event.response().pointer("/policy/arn").and_then(Value::as_str);
    let arn = answered
        .or_else(|| request(event, "policyArn"))
        .map(str::to_owned)
        .or_else(|| (operation == "CreatePolicy").then(|| created_arn(event)).flatten())?;
    let found = resource(event, managed_policy::TYPE, &arn)?;
    is_customer_managed(&arn).then_some(found)
}

/// The ARN that a request gives its new policy, where the answer was not recorded.
fn created_arn(event: &Event) -> Option<String> {
    let path = request(event, "path").unwrap_or("/");
    let name = request(event, "policyName")?;
    let partition = partition(&event.cloud.region);
    Some(format!("arn:{partition}:iam::{}:policy{path}{name}", event.cloud.account))
}

/// The user, role or group that an event touched.
pub fn principal(event: &Event, principal: Principal) -> Option<ResourceRef> {
    let key = match principal {
        Principal::Group => "groupName",
        Principal::Role => "roleName",
        Principal::User => "userName",
    };
    resource(event, principal.type_name(), request(event, key)?)
}

/// What the event alone proves of a managed policy: its default version's document.
pub fn implied_policy(event: &Event, target: &ResourceRef) -> Option<State> {
    let given = || document::of_event(event.request().get("policyDocument"));
    let version = event.response().pointer("/policyVersion/versionId").cloned();
    let known = match event.api.operation.as_str() {
        "CreatePolicy" => json!({
            "DefaultVersionId": "v1",
            "Path": request(event, "path").unwrap_or("/"),
            "PolicyDocument": given(),
            "PolicyName": request(event, "policyName"),
            "Versions": ["v1"],
        }),
        "CreatePolicyVersion" if is_set_as_default(event) => json!({
            "DefaultVersionId": version,
            "PolicyDocument": given(),
        }),
        "SetDefaultPolicyVersion" => json!({ "DefaultVersionId": request(event, "versionId") }),
        _ => return None,
    };
    implied(event, target, known, &managed_policy::PROPERTIES)
}

/// A version that is not made the default changes nothing.
fn is_set_as_default(event: &Event) -> bool {
    match event.request().get("setAsDefault") {
        Some(Value::Bool(it)) => *it,
        Some(Value::String(it)) => it == "true",
        _ => false,
    }
}

/// What the event alone proves of a principal: one attached or one inline policy. What else it has
/// is not told, and does not make the proven part less true.
pub fn implied_principal(event: &Event, target: &ResourceRef) -> Option<State> {
    let operation = event.api.operation.as_str();
    let known = if operation.starts_with("Attach") {
        let arn = request(event, "policyArn")?;
        // AWS' own policies are judged by their ARN: no document is needed, so none is unknown.
        let documents = (!is_customer_managed(arn)).then(|| json!({}));
        json!({ "AttachedPolicyDocuments": documents, "ManagedPolicyArns": [arn] })
    } else if operation.starts_with("Put") && operation.ends_with("Policy") {
        let name = request(event, "policyName")?;
        let given = document::of_event(event.request().get("policyDocument"));
        json!({ "Policies": given.map(|it| json!({ name: it })) })
    } else {
        return None;
    };
    implied(event, target, known, &super::principal::PROPERTIES)
}

/// A state of what is known; null is unknown, as are the properties that are not named.
fn implied(event: &Event, target: &ResourceRef, known: Value, all: &[&str]) -> Option<State> {
    if event.status != Status::Success {
        return None;
    }
    let Value::Object(known) = known else { return None };
    let known: Map<String, Value> = known.into_iter().filter(|(_, it)| !it.is_null()).collect();
    let unknown: BTreeSet<String> =
        all.iter().filter(|it| !known.contains_key(**it)).map(|it| (*it).to_owned()).collect();
    Some(State {
        resource: target.clone(),
        tags: BTreeMap::new(),
        properties: Value::Object(known),
        facts: Value::Null,
        unknown,
        observed: event.time,
    })
}

fn request<'a>(event: &'a Event, key: &str) -> Option<&'a str> {
    event.request().get(key).and_then(Value::as_str).filter(|it| !it.is_empty())
}

fn resource(event: &Event, kind: &str, id: &str) -> Option<ResourceRef> {
    (event.api.service == SERVICE).then(|| ResourceRef {
        kind: kind.to_owned(),
        id: id.to_owned(),
        account: event.cloud.account.clone(),
        region: home_region(partition(&event.cloud.region)).to_owned(),
    })
}
