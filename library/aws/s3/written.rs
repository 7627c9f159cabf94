//! Buckets and account blocks as infrastructure code.

use super::block::{self, PROPERTY as BLOCK};
use super::event;
use super::planned::{CANNED, TERRAFORM_FLAGS};
use crate::aws::written::tags;
use quell_core::change::element_id;
use quell_core::plan::Language;
use quell_core::resource::{Declarations, State};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

const ACCOUNT_BLOCK: &str = "AccountPublicAccessBlockConfiguration";
const ACCOUNT_BLOCKS: &str = "aws_s3_account_public_access_block";
const NO_ACCOUNT_TYPE: &str = "CloudFormation has no type for an account's public access block";

/// A grantee's fields in Terraform.
const GRANTEE: [(&str, &str); 4] =
    [("Type", "type"), ("ID", "id"), ("URI", "uri"), ("EmailAddress", "email_address")];

/// A bucket with its parts.
pub fn bucket(state: &State, language: Language) -> Declarations {
    match language {
        Language::Terraform => Ok(in_terraform(state)),
        Language::CloudFormation => in_template(state),
    }
}

/// The account's block.
pub fn account(state: &State, language: Language) -> Declarations {
    if !state.tags.is_empty() {
        return Err("an account's public access block has no tags".to_owned());
    }
    match language {
        Language::Terraform => {
            let mut block = flags(state, BLOCK);
            block.insert("account_id".to_owned(), json!(state.resource.account));
            Ok(vec![(ACCOUNT_BLOCKS, Value::Object(block))])
        }
        Language::CloudFormation => Err(NO_ACCOUNT_TYPE.to_owned()),
    }
}

fn in_terraform(state: &State) -> Vec<(&'static str, Value)> {
    let name = json!(state.resource.id);
    let is_known = |it: &str| !state.unknown.contains(it);
    let mut written = vec![(
        "aws_s3_bucket",
        json!({ "bucket": name, "tags": tags(state, Language::Terraform) }),
    )];
    if is_known(BLOCK) {
        let mut block = flags(state, BLOCK);
        block.insert("bucket".to_owned(), name.clone());
        written.push(("aws_s3_bucket_public_access_block", Value::Object(block)));
    }
    if is_known(ACCOUNT_BLOCK) {
        written.push((ACCOUNT_BLOCKS, Value::Object(flags(state, ACCOUNT_BLOCK))));
    }
    if is_known("OwnershipControls") {
        let rule = json!([{ "object_ownership": ownership(state) }]);
        let controls = json!({ "bucket": name, "rule": rule });
        written.push(("aws_s3_bucket_ownership_controls", controls));
    }
    if let Some(acl) = state.properties.get("AccessControlList") {
        let grants: Vec<Value> = grants(acl).iter().map(grant).collect();
        let owner = json!([{ "id": acl.pointer("/Owner/ID") }]);
        let policy = json!([{ "grant": grants, "owner": owner }]);
        let acl = json!({ "bucket": name, "access_control_policy": policy });
        written.push(("aws_s3_bucket_acl", acl));
    }
    if let Some(document) = state.properties.get("BucketPolicy") {
        let policy = json!({ "bucket": name, "policy": document.to_string() });
        written.push(("aws_s3_bucket_policy", policy));
    }
    written
}

fn in_template(state: &State) -> Declarations {
    let on = block::typed(state.properties.get(ACCOUNT_BLOCK).unwrap_or(&Value::Null));
    if on != block::typed(&Value::Null) {
        return Err(NO_ACCOUNT_TYPE.to_owned());
    }
    let mut bucket = Map::from_iter([
        ("BucketName".to_owned(), json!(state.resource.id)),
        ("Tags".to_owned(), tags(state, Language::CloudFormation)),
    ]);
    if !state.unknown.contains(BLOCK) {
        let block = block::typed(state.properties.get(BLOCK).unwrap_or(&Value::Null));
        bucket.insert(BLOCK.to_owned(), json!(block));
    }
    if !state.unknown.contains("OwnershipControls") {
        let controls = json!({ "Rules": [{ "ObjectOwnership": ownership(state) }] });
        bucket.insert("OwnershipControls".to_owned(), controls);
    }
    if let Some(acl) = state.properties.get("AccessControlList") {
        let canned = canned(acl).ok_or("CloudFormation has no canned ACL of these grants")?;
        bucket.insert("AccessControl".to_owned(), json!(canned));
    }
    let mut written = vec![(super::bucket::TYPE, Value::Object(bucket))];
    if let Some(document) = state.properties.get("BucketPolicy") {
        let policy = json!({ "Bucket": state.resource.id, "PolicyDocument": document });
        written.push(("AWS::S3::BucketPolicy", policy));
    }
    Ok(written)
}

/// The switches of a block in Terraform's names. A block that is not there is off.
fn flags(state: &State, property: &str) -> Map<String, Value> {
    let on = |it: &str| state.properties.get(property).and_then(|block| block.get(it)?.as_bool());
    let flag = |name: &str| json!(on(name).unwrap_or(false));
    TERRAFORM_FLAGS.iter().map(|(name, written, _)| ((*written).to_owned(), flag(name))).collect()
}

/// Without controls, ACLs count.
fn ownership(state: &State) -> Value {
    let found = state.properties.pointer("/OwnershipControls/Rules/0/ObjectOwnership");
    found.cloned().unwrap_or_else(|| json!("ObjectWriter"))
}

fn grants(acl: &Value) -> &[Value] {
    acl.get("Grants").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn grant(grant: &Value) -> Value {
    let text = |it: &str| grant.get("Grantee")?.get(it).cloned();
    let fields = GRANTEE.iter().filter_map(|(name, it)| Some(((*it).to_owned(), text(name)?)));
    let grantee: Map<String, Value> = fields.collect();
    json!({ "grantee": [grantee], "permission": grant.get("Permission") })
}

/// The canned ACL that grants exactly this, in CloudFormation's spelling.
fn canned(acl: &Value) -> Option<&'static str> {
    let owner = acl.pointer("/Owner/ID");
    let nameless = |grant: &Value| {
        let is_owner = owner.is_some() && grant.pointer("/Grantee/ID") == owner;
        let mut grant = grant.clone();
        if let Some(grantee) = grant.get_mut("Grantee").filter(|_| is_owner) {
            *grantee = json!({ "Type": "CanonicalUser" });
        }
        element_id(&grant)
    };
    let wanted: BTreeSet<String> = grants(acl).iter().map(nameless).collect();
    let gives = |name: &str| -> Option<BTreeSet<String>> {
        Some(grants(&event::canned(name)?).iter().map(element_id).collect())
    };
    CANNED.iter().find(|(_, it)| gives(it).as_ref() == Some(&wanted)).map(|(name, _)| *name)
}
