//! Turns on the switches of the account's public access block. Undo restores the former block, or
//! deletes it where there was none.

use super::changed;
use crate::aws::Aws;
use crate::aws::errors::cloud_error;
use crate::aws::s3::{account, block, client, read};
use crate::cloud::{Action, Applied, CloudError};
use aws_sdk_s3control::types::PublicAccessBlockConfiguration;
use futures::future::BoxFuture;
use quell_core::action::{ActionMeta, Fix, Plan, PlanError, Reversibility, Stage};
use quell_core::change::Change;
use quell_core::decide::authorized::Authorized;
use quell_core::resource::{Permission, State};
use serde_json::Value;

/// IAM has no action of its own for deleting the block, and no resource for either.
const WRITE: &str = "s3:PutAccountPublicAccessBlock";

static META: ActionMeta = ActionMeta {
    name: "s3.put_account_public_access_block",
    title: "turn on the account's public access block",
    resource: account::TYPE,
    permissions: &[Permission::write(WRITE, "*"), Permission::undo(WRITE, "*")],
    reversibility: Reversibility::Exact,
    stage: Stage::Block,
    undo_grants: false,
    countermeasure: "D3-ACH",
};

/// `s3.put_account_public_access_block`.
#[derive(Debug)]
pub struct PutAccountPublicAccessBlock;

impl Fix for PutAccountPublicAccessBlock {
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

impl Action for PutAccountPublicAccessBlock {
    fn apply<'a>(
        &'a self,
        aws: &'a Aws,
        change: &'a Authorized<Change>,
        session: &'a str,
    ) -> BoxFuture<'a, Result<Applied, CloudError>> {
        Box::pin(async move {
            let resource = &change.get().resource;
            let account = &resource.account;
            let reader = client::accounts(&aws.reader(resource).await?);
            let fresh = read::account_block(&reader, account).await?;
            let Some(wanted) = changed(change.get(), block::PROPERTY, fresh)? else {
                return Ok(Applied::already());
            };
            let writer = client::accounts(&aws.writer(&META, change, session).await?);
            if wanted.is_null() {
                let call = writer.delete_public_access_block().account_id(account);
                let answer = call.send().await.map_err(|it| cloud_error(WRITE, &it))?;
                return Ok(Applied::of(&answer));
            }
            let call = writer
                .put_public_access_block()
                .account_id(account)
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
