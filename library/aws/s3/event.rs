//! CloudTrail's S3 management events: which bucket one is about, and what it proves alone.
//!
//! Names: CloudTrail calls the two block operations of a bucket `PutBucketPublicAccessBlock` and
//! `DeleteBucketPublicAccessBlock`, those of the account `PutAccountPublicAccessBlock` and
//! `DeleteAccountPublicAccessBlock`; the S3 user guide ("Amazon S3 CloudTrail events") also lists
//! the API's own names, `PutPublicAccessBlock` and `DeletePublicAccessBlock`, for both. With such a
//! name, a bucket's name in the request tells which one it is.
//!
//! Shapes: the request is XML turned into JSON, so a list of one may be the bare element, a header
//! or query parameter may be a text or a list of one, and a boolean may be a text. Of a list of
//! more where one is expected, nobody says which entry counted: it proves nothing.

use super::bucket::{PROPERTIES, TYPE};
use super::{block, read};
use quell_core::event::Event;
use quell_core::facts::s3::{self, Grantee};
use quell_core::resource::{ResourceRef, State};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const SERVICES: [&str; 2] = ["s3.amazonaws.com", "s3-control.amazonaws.com"];

/// Headers that grant, on CreateBucket and PutBucketAcl.
const GRANT_HEADERS: [&str; 5] = [
    "x-amz-grant-full-control",
    "x-amz-grant-read",
    "x-amz-grant-read-acp",
    "x-amz-grant-write",
    "x-amz-grant-write-acp",
];

/// Whether the event is about the account's public access block.
pub fn is_account_block(event: &Event) -> bool {
    let of_s3 = SERVICES.contains(&event.api.service.as_str());
    of_s3
        && match event.api.operation.as_str() {
            "PutAccountPublicAccessBlock" | "DeleteAccountPublicAccessBlock" => true,
            "PutPublicAccessBlock" | "DeletePublicAccessBlock" => bucket_name(event).is_none(),
            _ => false,
        }
}

/// The bucket that the event is about.
pub fn bucket(event: &Event) -> Option<ResourceRef> {
    let is_s3 = event.api.service == "s3.amazonaws.com";
    if !is_s3 || is_account_block(event) || is_of_another_account(event) {
        return None;
    }
    let made_in = event.request().pointer("/CreateBucketConfiguration/LocationConstraint");
    let region = match made_in.and_then(Value::as_str) {
        Some("EU") => "eu-west-1",
        Some(region) if !region.is_empty() => region,
        _ => &event.cloud.region,
    };
    Some(ResourceRef {
        kind: TYPE.to_owned(),
        id: bucket_name(event)?.to_owned(),
        account: event.cloud.account.clone(),
        region: region.to_owned(),
    })
}

/// Whether the bucket is another account's: the caller's account receives the event, too.
pub fn is_of_another_account(event: &Event) -> bool {
    let owner = recorded(event).and_then(|it| it.get("accountId")).and_then(Value::as_str);
    owner.is_some_and(|it| it != event.cloud.account)
}

/// Whether the event says which bucket it is about.
pub fn names_bucket(event: &Event) -> bool {
    bucket_name(event).is_some()
}

fn bucket_name(event: &Event) -> Option<&str> {
    let requested = event.request().get("bucketName").and_then(Value::as_str);
    let arn = || recorded(event)?.get("ARN")?.as_str()?.split(":::").nth(1);
    requested.or_else(arn).filter(|it| !it.is_empty() && !it.contains('/'))
}

/// The bucket's entry in the record's `resources`.
fn recorded(event: &Event) -> Option<&Value> {
    let resources = event.envelope.value().pointer("/detail/resources")?.as_array()?;
    resources.iter().find(|it| it.get("type").and_then(Value::as_str) == Some(TYPE))
}

/// What the event proves of its bucket; every other property is unknown.
pub fn implied(event: &Event, target: &ResourceRef) -> Option<State> {
    let proven = proven(&event.api.operation, event.request());
    if proven.is_empty() {
        return None;
    }
    let is_proven = |name: &str| proven.iter().any(|(it, _)| *it == name);
    let unknown = PROPERTIES.into_iter().filter(|it| !is_proven(it)).map(str::to_owned).collect();
    let present = proven.iter().filter(|(_, it)| !it.is_null());
    Some(State {
        resource: target.clone(),
        tags: BTreeMap::new(),
        properties: present.map(|(name, it)| ((*name).to_owned(), it.clone())).collect(),
        facts: Value::Null,
        unknown,
        observed: event.time,
    })
}

/// Properties that a successful call proves; null is proven to be absent.
fn proven(operation: &str, request: &Value) -> Vec<(&'static str, Value)> {
    let known = |name, value: Option<Value>| value.map(|it| (name, it)).into_iter().collect();
    match operation {
        "PutBucketPublicAccessBlock" | "PutPublicAccessBlock" => {
            known(block::PROPERTY, block(request))
        }
        "DeleteBucketPublicAccessBlock" | "DeletePublicAccessBlock" => {
            known(block::PROPERTY, Some(Value::Null))
        }
        "PutBucketPolicy" => known("BucketPolicy", policy(request)),
        "DeleteBucketPolicy" => known("BucketPolicy", Some(Value::Null)),
        "PutBucketAcl" => known("AccessControlList", acl(request)),
        // In us-east-1 it also succeeds on a bucket that one owns already: then it resets the ACL
        // and leaves the rest, so it proves neither a new bucket's block nor its lack of a policy.
        "CreateBucket" => {
            let created = if sets_acl(request) { acl(request) } else { canned("private") };
            let created = created.filter(|_| request.is_object());
            let ownership = word(request, "x-amz-object-ownership").map(ownership);
            [("AccessControlList", created), ("OwnershipControls", ownership)]
                .into_iter()
                .filter_map(|(name, it)| Some((name, it?)))
                .collect()
        }
        "PutBucketOwnershipControls" => {
            let rule = request.pointer("/OwnershipControls/Rule").map(one);
            let rule = rule.and_then(|it| it.get("ObjectOwnership")?.as_str());
            known("OwnershipControls", rule.map(ownership))
        }
        "DeleteBucketOwnershipControls" => known("OwnershipControls", Some(Value::Null)),
        _ => Vec::new(),
    }
}

/// The public access block in a request, the bucket's or the account's.
pub fn block(request: &Value) -> Option<Value> {
    let block = request.get("PublicAccessBlockConfiguration").filter(|it| it.is_object())?;
    let flag = |it: &str| match block.get(it)? {
        Value::Bool(on) => Some(*on),
        Value::String(text) => Some(text.eq_ignore_ascii_case("true")),
        _ => None,
    };
    Some(block::property(flag))
}

fn policy(request: &Value) -> Option<Value> {
    ["bucketPolicy", "policy"].into_iter().find_map(|key| match one(request.get(key)?) {
        Value::String(text) => read::document(text),
        document @ Value::Object(_) => read::document(&document.to_string()),
        _ => None,
    })
}

fn ownership(name: &str) -> Value {
    json!({ "Rules": [{ "ObjectOwnership": name }] })
}

fn sets_acl(request: &Value) -> bool {
    let body = request.get("AccessControlPolicy").is_some();
    body || request.get("x-amz-acl").is_some()
        || GRANT_HEADERS.iter().any(|it| request.get(it).is_some())
}

/// The ACL that a request sets: by a canned name, by grant headers, or by its body.
fn acl(request: &Value) -> Option<Value> {
    if let Some(name) = word(request, "x-amz-acl") {
        return canned(name);
    }
    if let Some(list) = request.pointer("/AccessControlPolicy/AccessControlList") {
        let grants = many(list.get("Grant").unwrap_or(&Value::Null));
        return grants.into_iter().map(body_grant).collect::<Option<Vec<_>>>().map(grants_only);
    }
    let mut granted = Vec::new();
    for header in GRANT_HEADERS {
        match request.get(header).map(one) {
            None => {}
            Some(Value::String(value)) if value.is_empty() => {}
            Some(Value::String(value)) => granted.extend(s3::header_grants(header, value).ok()?),
            Some(_) => return None,
        }
    }
    (!granted.is_empty()).then(|| grants_only(granted.iter().map(grant).collect()))
}

/// The ACL that a canned name stands for; `None` for no such name.
pub fn canned(name: &str) -> Option<Value> {
    let grants = s3::canned_acl_grants(name).ok()?;
    Some(grants_only(grants.iter().map(grant).collect()))
}

fn grants_only(grants: Vec<Value>) -> Value {
    json!({ "Grants": read::distinct(grants) })
}

fn body_grant(grant: &Value) -> Option<Value> {
    let from = grant.get("Grantee")?;
    let kind = from.get("xsi:type").or_else(|| from.get("type"))?;
    let mut grantee = Map::from_iter([("Type".to_owned(), kind.clone())]);
    for key in ["ID", "URI", "EmailAddress"] {
        grantee.extend(from.get(key).map(|it| (key.to_owned(), it.clone())));
    }
    Some(json!({ "Grantee": grantee, "Permission": grant.get("Permission")?.as_str()? }))
}

fn grant(grant: &s3::Grant) -> Value {
    let grantee = match &grant.grantee {
        Grantee::Group(uri) => json!({ "Type": "Group", "URI": uri }),
        Grantee::CanonicalUser(id) => json!({ "Type": "CanonicalUser", "ID": id }),
        Grantee::Email(it) => json!({ "Type": "AmazonCustomerByEmail", "EmailAddress": it }),
        Grantee::Owner => json!({ "Type": "CanonicalUser" }),
    };
    json!({ "Grantee": grantee, "Permission": grant.permission })
}

/// A header or query parameter: a text, or a list of one text.
fn word<'a>(request: &'a Value, key: &str) -> Option<&'a str> {
    one(request.get(key)?).as_str().filter(|it| !it.is_empty())
}

/// The one entry of a list, or what stands for it; null of a list of none or more.
fn one(value: &Value) -> &Value {
    let Value::Array(list) = value else { return value };
    match list.as_slice() {
        [single] => single,
        _ => &Value::Null,
    }
}

fn many(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(list) => list.iter().collect(),
        Value::Null => Vec::new(),
        single => vec![single],
    }
}
