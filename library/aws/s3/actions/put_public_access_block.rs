//! Turns on the switches of a bucket's public access block. Undo restores the former block, or
//! deletes it where there was none.

use super::{changed, region_of};
use crate::aws::Aws;
use crate::aws::errors::cloud_error;
use crate::aws::s3::{block, bucket, client, read};
use crate::cloud::{Action, Applied, CloudError};
use aws_sdk_s3::types::PublicAccessBlockConfiguration;
use futures::future::BoxFuture;
use quell_core::action::{ActionMeta, Fix, Plan, PlanError, Reversibility, Stage};
use quell_core::change::Change;
use quell_core::decide::authorized::Authorized;
use quell_core::resource::{Permission, State};
use serde_json::Value;

/// IAM has no action of its own for deleting the block.
const WRITE: &str = "s3:PutBucketPublicAccessBlock";

static META: ActionMeta = ActionMeta {
    name: "s3.put_public_access_block",
    title: "turn on the bucket's public access block",
    resource: bucket::TYPE,
    permissions: &[Permission::write(WRITE, bucket::ARN), Permission::undo(WRITE, bucket::ARN)],
    reversibility: Reversibility::Exact,
    stage: Stage::Block,
    undo_grants: false,
    countermeasure: "D3-ACH",
};

/// `s3.put_public_access_block`.
#[derive(Debug)]
pub struct PutPublicAccessBlock;

impl Fix for PutPublicAccessBlock {
    fn meta(&self) -> &'static ActionMeta {
        &META
    }

    fn plan(
        &self,
        state: &State,
        _element: &str,
        params: &Value,
    ) -> Result<Option<Plan>, PlanError> {
        Ok(block::fix(META.name, state, params)?.map(Plan::from))
    }
}

impl Action for PutPublicAccessBlock {
    fn apply<'a>(
        &'a self,
        aws: &'a Aws,
        change: &'a Authorized<Change>,
        session: &'a str,
    ) -> BoxFuture<'a, Result<Applied, CloudError>> {
        Box::pin(async move {
            let bucket = &change.get().resource;
            let region = region_of(aws, bucket).await?;
            let reader = client::buckets(&aws.reader_in(&bucket.account, &region).await?);
            let fresh = read::public_access_block(&reader, bucket).await?;
            let Some(wanted) = changed(change.get(), block::PROPERTY, fresh)? else {
                return Ok(Applied::already());
            };
            let writer = client::writer(aws, &META, change, session, &region).await?;
            if wanted.is_null() {
                let call = writer
                    .delete_public_access_block()
                    .bucket(&bucket.id)
                    .expected_bucket_owner(&bucket.account);
                let answer = call.send().await.map_err(|it| cloud_error(WRITE, &it))?;
                return Ok(Applied::of(&answer));
            }
            let call = writer
                .put_public_access_block()
                .bucket(&bucket.id)
                .expected_bucket_owner(&bucket.account)
                .public_access_block_configuration(configuration(&wanted));
            let answer = call.send().await.map_err(|it| cloud_error(WRITE, &it))?;
            Ok(Applied::of(&answer))
        })
    }
}

fn configuration(wanted: &Value) -> PublicAccessBlockConfiguration {
    let wanted = block::typed(wanted);
    PublicAccessBlockConfiguration::builder()
        .block_public_acls(wanted.block_public_acls)
        .ignore_public_acls(wanted.ignore_public_acls)
        .block_public_policy(wanted.block_public_policy)
        .restrict_public_buckets(wanted.restrict_public_buckets)
        .build()
}
