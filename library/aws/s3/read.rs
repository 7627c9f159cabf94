//! Reading the parts of a bucket. What S3 says is not there is absent; any other failure is an
//! error, never an absent part.
//!
//! What means the same reads the same: a policy's single statement is a list of one, equal
//! statements and equal grants are one, and display names (which S3 is retiring) are left out.

use super::block;
use crate::aws::errors::{cloud_error, code};
use crate::cloud::{CloudError, CloudErrorKind, Seen};
use aws_sdk_s3::Client;
use aws_sdk_s3::types::{Grant, Grantee};
use quell_core::change::element_id;
use quell_core::resource::ResourceRef;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The property that holds the account's public access block.
pub const ACCOUNT_BLOCK: &str = "AccountPublicAccessBlockConfiguration";

/// Reads everything of a bucket but the account's block, which comes along.
pub async fn bucket(
    client: &Client,
    bucket: &ResourceRef,
    account_block: Option<Value>,
) -> Result<Seen, CloudError> {
    let (block, policy, acl, ownership, tags) = futures::try_join!(
        public_access_block(client, bucket),
        policy(client, bucket),
        acl(client, bucket),
        ownership(client, bucket),
        tags(client, bucket),
    )?;
    Ok(Seen { properties: properties(block, account_block, policy, Some(acl), ownership), tags })
}

/// Reads only these properties, without tags; the account's block comes along.
pub async fn parts(
    client: &Client,
    bucket: &ResourceRef,
    parts: &BTreeSet<String>,
    account_block: Option<Value>,
) -> Result<Seen, CloudError> {
    let has = |name: &str| parts.contains(name);
    let (block, policy, acl, ownership) = futures::try_join!(
        read_if(has(block::PROPERTY), public_access_block(client, bucket)),
        read_if(has("BucketPolicy"), policy(client, bucket)),
        read_if(has("AccessControlList"), async { acl(client, bucket).await.map(Some) }),
        read_if(has("OwnershipControls"), ownership(client, bucket)),
    )?;
    let properties = properties(block, account_block, policy, acl, ownership);
    Ok(Seen { properties, tags: BTreeMap::new() })
}

async fn read_if(
    is_wanted: bool,
    read: impl Future<Output = Result<Option<Value>, CloudError>>,
) -> Result<Option<Value>, CloudError> {
    if is_wanted { read.await } else { Ok(None) }
}

/// Those that there are, by their names.
fn properties(
    block: Option<Value>,
    account_block: Option<Value>,
    policy: Option<Value>,
    acl: Option<Value>,
    ownership: Option<Value>,
) -> Value {
    let parts = [
        (block::PROPERTY, block),
        (ACCOUNT_BLOCK, account_block),
        ("BucketPolicy", policy),
        ("AccessControlList", acl),
        ("OwnershipControls", ownership),
    ];
    let present = parts.into_iter().filter_map(|(name, it)| Some((name.to_owned(), it?)));
    Value::Object(present.collect())
}

/// The account's public access block; `None` where it has none.
pub async fn account_block(
    client: &aws_sdk_s3control::Client,
    account: &str,
) -> Result<Option<Value>, CloudError> {
    match client.get_public_access_block().account_id(account).send().await {
        Ok(found) => Ok(found.public_access_block_configuration().map(|it| {
            block::property(|flag| match flag {
                "BlockPublicAcls" => it.block_public_acls(),
                "IgnorePublicAcls" => it.ignore_public_acls(),
                "BlockPublicPolicy" => it.block_public_policy(),
                _ => it.restrict_public_buckets(),
            })
        })),
        Err(error) if code(&error) == Some("NoSuchPublicAccessBlockConfiguration") => Ok(None),
        Err(error) => Err(cloud_error("s3:GetAccountPublicAccessBlock", &error)),
    }
}

/// The bucket's public access block; `None` where it has none.
pub async fn public_access_block(
    client: &Client,
    bucket: &ResourceRef,
) -> Result<Option<Value>, CloudError> {
    let call =
        client.get_public_access_block().bucket(&bucket.id).expected_bucket_owner(&bucket.account);
    match call.send().await {
        Ok(found) => Ok(found.public_access_block_configuration().map(|it| {
            block::property(|flag| match flag {
                "BlockPublicAcls" => it.block_public_acls(),
                "IgnorePublicAcls" => it.ignore_public_acls(),
                "BlockPublicPolicy" => it.block_public_policy(),
                _ => it.restrict_public_buckets(),
            })
        })),
        Err(error) if code(&error) == Some("NoSuchPublicAccessBlockConfiguration") => Ok(None),
        Err(error) => Err(cloud_error("s3:GetBucketPublicAccessBlock", &error)),
    }
}

/// The bucket policy's document; `None` where there is none.
pub async fn policy(client: &Client, bucket: &ResourceRef) -> Result<Option<Value>, CloudError> {
    const OPERATION: &str = "s3:GetBucketPolicy";
    let call = client.get_bucket_policy().bucket(&bucket.id).expected_bucket_owner(&bucket.account);
    let found = match call.send().await {
        Ok(found) => found,
        Err(error) if code(&error) == Some("NoSuchBucketPolicy") => return Ok(None),
        Err(error) => return Err(cloud_error(OPERATION, &error)),
    };
    document(found.policy().unwrap_or_default()).map(Some).ok_or_else(|| CloudError {
        kind: CloudErrorKind::Invalid,
        operation: OPERATION.to_owned(),
        message: "the answer is not a policy document".to_owned(),
        request_id: None,
    })
}

/// A policy document from its text, with its statements as a list without repetitions; `None` for
/// anything else.
pub fn document(text: &str) -> Option<Value> {
    let Value::Object(mut fields) = serde_json::from_str(text).ok()? else { return None };
    let list = match fields.remove("Statement")? {
        Value::Array(list) => list,
        single @ Value::Object(_) => vec![single],
        _ => return None,
    };
    fields.insert("Statement".to_owned(), distinct(list));
    Some(Value::Object(fields))
}

/// The elements without repetitions, in their order.
pub fn distinct(list: Vec<Value>) -> Value {
    let mut seen = BTreeSet::new();
    list.into_iter().filter(|it| seen.insert(element_id(it))).collect()
}

/// The ACL: `{Owner: {ID}, Grants: [{Grantee, Permission}]}`.
pub async fn acl(client: &Client, bucket: &ResourceRef) -> Result<Value, CloudError> {
    let call = client.get_bucket_acl().bucket(&bucket.id).expected_bucket_owner(&bucket.account);
    let found = call.send().await.map_err(|it| cloud_error("s3:GetBucketAcl", &it))?;
    let grants = found.grants().iter().map(grant).collect();
    let owner = found.owner().and_then(|it| it.id());
    Ok(json!({ "Owner": { "ID": owner }, "Grants": distinct(grants) }))
}

fn grant(grant: &Grant) -> Value {
    json!({
        "Grantee": grant.grantee().map(grantee),
        "Permission": grant.permission().map(|it| it.as_str()),
    })
}

fn grantee(grantee: &Grantee) -> Value {
    let mut fields = Map::new();
    fields.insert("Type".to_owned(), json!(grantee.r#type().as_str()));
    let names =
        [("ID", grantee.id()), ("URI", grantee.uri()), ("EmailAddress", grantee.email_address())];
    fields.extend(names.into_iter().filter_map(|(key, it)| Some((key.to_owned(), json!(it?)))));
    Value::Object(fields)
}

async fn ownership(client: &Client, bucket: &ResourceRef) -> Result<Option<Value>, CloudError> {
    let call = client
        .get_bucket_ownership_controls()
        .bucket(&bucket.id)
        .expected_bucket_owner(&bucket.account);
    match call.send().await {
        Ok(found) => Ok(found.ownership_controls().map(|it| {
            let rules = it.rules().iter();
            let rules: Vec<Value> = rules
                .map(|it| json!({ "ObjectOwnership": it.object_ownership().as_str() }))
                .collect();
            json!({ "Rules": rules })
        })),
        Err(error) if code(&error) == Some("OwnershipControlsNotFoundError") => Ok(None),
        Err(error) => Err(cloud_error("s3:GetBucketOwnershipControls", &error)),
    }
}

async fn tags(
    client: &Client,
    bucket: &ResourceRef,
) -> Result<BTreeMap<String, String>, CloudError> {
    let call =
        client.get_bucket_tagging().bucket(&bucket.id).expected_bucket_owner(&bucket.account);
    match call.send().await {
        Ok(found) => {
            let pair = |it: &aws_sdk_s3::types::Tag| (it.key().to_owned(), it.value().to_owned());
            Ok(found.tag_set().iter().map(pair).collect())
        }
        Err(error) if code(&error) == Some("NoSuchTagSet") => Ok(BTreeMap::new()),
        Err(error) => Err(cloud_error("s3:GetBucketTagging", &error)),
    }
}
