//! A bucket, with all that decides who can reach it: its public access block and its account's, its
//! policy, its ACL, and who owns its objects.
//!
//! | property | absent means |
//! |---|---|
//! | `PublicAccessBlockConfiguration` | all four switches are off |
//! | `AccountPublicAccessBlockConfiguration` (the owner account's) | all four switches are off |
//! | `BucketPolicy` (the document of `AWS::S3::BucketPolicy`) | there is none |
//! | `AccessControlList` (the API's form: `Owner`, `Grants`) | never absent in a read |
//! | `OwnershipControls` | ACLs count (`ObjectWriter`) |

use super::{account, client, event, facts, planned, read, written};
use crate::aws::Aws;
use crate::aws::errors::cloud_error;
use crate::cloud::{CloudError, CloudErrorKind, Listing, Resource, Seen};
use aws_sdk_s3::types::Bucket as Listed;
use futures::future::BoxFuture;
use quell_core::event::{CloudScope, Event};
use quell_core::plan::{Language, Plan};
use quell_core::resource::{
    Declarations, Kind, KindMeta, Permission, Planned, ResourceRef, State, Trust,
};
use serde_json::Value;
use std::collections::BTreeSet;

/// CloudFormation's type.
pub const TYPE: &str = "AWS::S3::Bucket";
/// ARN template of a bucket; it has neither region nor account.
pub const ARN: &str = "arn:{partition}:s3:::{id}";

/// What listing buckets takes: IAM names it after another call.
const LIST: &str = "s3:ListAllMyBuckets";
/// Buckets per page: the most that S3 gives is ten times that.
const PAGE_SIZE: i32 = 1_000;

/// The properties that a read returns, and that an event leaves unknown unless it proves them.
pub const PROPERTIES: [&str; 5] = [
    "AccessControlList",
    "AccountPublicAccessBlockConfiguration",
    "BucketPolicy",
    "OwnershipControls",
    "PublicAccessBlockConfiguration",
];

static META: KindMeta = KindMeta {
    cloudformation: TYPE,
    terraform: "aws_s3_bucket",
    custodian: "s3",
    asff: "AwsS3Bucket",
    arn: ARN,
    properties: &PROPERTIES,
    reads: &[
        account::READ,
        Permission::read("s3:GetBucketAcl", ARN),
        Permission::read("s3:GetBucketLocation", ARN),
        Permission::read("s3:GetBucketOwnershipControls", ARN),
        Permission::read("s3:GetBucketPolicy", ARN),
        Permission::read("s3:GetBucketPublicAccessBlock", ARN),
        Permission::read("s3:GetBucketTagging", ARN),
    ],
    lists: &[Permission::list(LIST, "*")],
    global: false,
};

/// A bucket.
#[derive(Debug)]
pub struct Bucket;

impl Kind for Bucket {
    fn meta(&self) -> &'static KindMeta {
        &META
    }

    fn targets(&self, event: &Event) -> Vec<ResourceRef> {
        event::bucket(event).into_iter().collect()
    }

    fn is_elsewhere(&self, event: &Event) -> bool {
        event::is_account_block(event) || event::is_of_another_account(event)
    }

    fn implied(&self, event: &Event, target: &ResourceRef) -> Option<State> {
        event::bucket(event).filter(|it| it == target)?;
        event::implied(event, target)
    }

    fn planned(&self, plan: &Plan) -> Vec<Planned> {
        planned::buckets(plan)
    }

    fn written(&self, state: &State, language: Language) -> Declarations {
        written::bucket(state, language)
    }

    fn facts(&self, state: &State, trust: &Trust) -> Value {
        facts::of(state, trust)
    }
}

impl Resource for Bucket {
    fn read<'a>(
        &'a self,
        aws: &'a Aws,
        resource: &'a ResourceRef,
    ) -> BoxFuture<'a, Result<Option<Seen>, CloudError>> {
        Box::pin(async move {
            let Some(region) = client::region_of(aws, resource).await? else {
                return Ok(None);
            };
            let config = aws.reader_in(&resource.account, &region).await?;
            let account_block =
                read::account_block(&client::accounts(&config), &resource.account).await?;
            match read::bucket(&client::buckets(&config), resource, account_block).await {
                Ok(seen) => Ok(Some(seen)),
                // Parts that a bucket merely lacks are no errors: it went away while we read it.
                Err(error) if error.kind == CloudErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    fn parts(&self) -> &'static [&'static str] {
        &PROPERTIES
    }

    /// Where a bucket is listed it is, so nobody is asked for its region; the account's block is
    /// asked for once for many buckets.
    fn glance<'a>(
        &'a self,
        aws: &'a Aws,
        resource: &'a ResourceRef,
        parts: &'a BTreeSet<String>,
    ) -> BoxFuture<'a, Result<Option<Seen>, CloudError>> {
        Box::pin(async move {
            let config = aws.reader(resource).await?;
            let account_block = match parts.contains(read::ACCOUNT_BLOCK) {
                true => {
                    let (client, account) = (client::accounts(&config), &resource.account);
                    let key = format!("{} {account}", account::READ.action);
                    aws.shared().get(&key, read::account_block(&client, account)).await?
                }
                false => None,
            };
            match read::parts(&client::buckets(&config), resource, parts, account_block).await {
                Ok(seen) => Ok(Some(seen)),
                Err(error) if error.kind == CloudErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            }
        })
    }

    /// S3 tells each region of its own buckets; the owner's account is the caller's.
    fn list<'a>(
        &'a self,
        aws: &'a Aws,
        place: &'a CloudScope,
    ) -> BoxFuture<'a, Result<Vec<ResourceRef>, CloudError>> {
        Box::pin(async move {
            let client = client::buckets(&aws.reader_in(&place.account, &place.region).await?);
            let call = client.list_buckets().bucket_region(&place.region).max_buckets(PAGE_SIZE);
            let mut pages = call.into_paginator().send();
            let mut listing = Listing::new(LIST, TYPE, place);
            while let Some(page) = pages.next().await {
                let page = page.map_err(|it| cloud_error(LIST, &it))?;
                let here = |it: &Listed| it.bucket_region().is_none_or(|it| it == place.region);
                for bucket in page.buckets().iter().filter(|it| here(it)) {
                    listing.take(bucket.name().unwrap_or_default())?;
                }
            }
            Ok(listing.done())
        })
    }
}
