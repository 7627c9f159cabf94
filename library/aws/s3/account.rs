//! The account's public access block: four switches over every bucket that the account owns.
//!
//! It is a setting of the account, so its id is the account's. It is read and changed through S3
//! Control, and it holds in all regions; it is addressed in the partition's first one, so that one
//! account is one resource whichever region an event came from.

use super::{block, client, event, planned, read, written};
use crate::aws::Aws;
use crate::cloud::{CloudError, Listing, Resource, Seen};
use futures::future::BoxFuture;
use quell_core::event::{CloudScope, Event};
use quell_core::plan::{Language, Plan};
use quell_core::region::{home_region, partition};
use quell_core::resource::{
    Declarations, Kind, KindMeta, Permission, Planned, ResourceRef, State, Trust, is_home,
};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// CloudFormation has no type for it; the name follows its form.
pub const TYPE: &str = "AWS::S3::AccountPublicAccessBlock";

/// Reading the account's block.
pub const READ: Permission = Permission::read("s3:GetAccountPublicAccessBlock", "*");

static META: KindMeta = KindMeta {
    cloudformation: TYPE,
    terraform: "aws_s3_account_public_access_block",
    custodian: "account",
    asff: "AwsS3AccountPublicAccessBlock",
    arn: "arn:{partition}:iam::{account}:root",
    properties: &[block::PROPERTY],
    reads: &[READ],
    // There is exactly one: no call is needed to find it.
    lists: &[],
    global: true,
};

/// The account's public access block.
#[derive(Debug)]
pub struct AccountPublicAccessBlock;

impl Kind for AccountPublicAccessBlock {
    fn meta(&self) -> &'static KindMeta {
        &META
    }

    fn targets(&self, event: &Event) -> Vec<ResourceRef> {
        if !event::is_account_block(event) {
            return Vec::new();
        }
        vec![ResourceRef {
            kind: TYPE.to_owned(),
            id: event.cloud.account.clone(),
            account: event.cloud.account.clone(),
            region: home_region(partition(&event.cloud.region)).to_owned(),
        }]
    }

    /// The operations are a bucket's, too, where one is named.
    fn is_elsewhere(&self, event: &Event) -> bool {
        event::names_bucket(event)
    }

    fn implied(&self, event: &Event, target: &ResourceRef) -> Option<State> {
        if !self.targets(event).contains(target) {
            return None;
        }
        let mut properties = Map::new();
        if event.api.operation.starts_with("Put") {
            properties.insert(block::PROPERTY.to_owned(), event::block(event.request())?);
        }
        Some(State {
            resource: target.clone(),
            tags: BTreeMap::new(),
            properties: Value::Object(properties),
            facts: Value::Null,
            unknown: BTreeSet::new(),
            observed: event.time,
        })
    }

    fn planned(&self, plan: &Plan) -> Vec<Planned> {
        planned::accounts(plan)
    }

    fn written(&self, state: &State, language: Language) -> Declarations {
        written::account(state, language)
    }

    fn facts(&self, _state: &State, _trust: &Trust) -> Value {
        Value::Object(Map::new())
    }
}

impl Resource for AccountPublicAccessBlock {
    fn read<'a>(
        &'a self,
        aws: &'a Aws,
        resource: &'a ResourceRef,
    ) -> BoxFuture<'a, Result<Option<Seen>, CloudError>> {
        Box::pin(async move {
            let client = client::accounts(&aws.reader(resource).await?);
            let found = read::account_block(&client, &resource.account).await?;
            let properties = found.map(|it| (block::PROPERTY.to_owned(), it)).into_iter().collect();
            Ok(Some(Seen { properties, tags: BTreeMap::new() }))
        })
    }

    fn list<'a>(
        &'a self,
        aws: &'a Aws,
        place: &'a CloudScope,
    ) -> BoxFuture<'a, Result<Vec<ResourceRef>, CloudError>> {
        Box::pin(async move {
            // Refuses an account that is not ours, as every other listing does.
            aws.reader_in(&place.account, &place.region).await?;
            let mut listing = Listing::new(READ.action, TYPE, place);
            if is_home(place) {
                listing.take(&place.account)?;
            }
            Ok(listing.done())
        })
    }
}
