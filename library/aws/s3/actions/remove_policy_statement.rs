//! Takes one statement out of a bucket's policy; the last one takes the policy with it, since S3
//! accepts no policy without a statement. Everything else in the policy stays.
//!
//! S3 refuses a policy that is still public while BlockPublicPolicy is on. Where more than one
//! statement is public then, they can only go together, and a person must approve that: some of
//! them may be exempt.

use super::{changed, region_of};
use crate::aws::Aws;
use crate::aws::errors::cloud_error;
use crate::aws::s3::guardrail::{self, Switch};
use crate::aws::s3::{bucket, client, read};
use crate::cloud::{Action, Applied, CloudError};
use aws_sdk_s3::Client;
use futures::future::BoxFuture;
use quell_core::action::{ActionMeta, Fix, Plan, PlanError, Reversibility, Stage};
use quell_core::change::{Change, Facet, element_id};
use quell_core::decide::authorized::Authorized;
use quell_core::resource::{Permission, ResourceRef, State};
use serde_json::Value;

const PROPERTY: &str = "BucketPolicy";
const POLICY: &str = "/BucketPolicy";
const STATEMENTS: &str = "/BucketPolicy/Statement";
const PUT: &str = "s3:PutBucketPolicy";
const DELETE: &str = "s3:DeleteBucketPolicy";

static META: ActionMeta = ActionMeta {
    name: "s3.remove_policy_statement",
    title: "take the public statement out of the bucket's policy",
    resource: bucket::TYPE,
    permissions: &[
        Permission::write(DELETE, bucket::ARN),
        Permission::write(PUT, bucket::ARN),
        Permission::undo(PUT, bucket::ARN),
    ],
    reversibility: Reversibility::Exact,
    stage: Stage::Element,
    undo_grants: false,
    countermeasure: "D3-ACH",
};

/// `s3.remove_policy_statement`.
#[derive(Debug)]
pub struct RemovePolicyStatement;

impl Fix for RemovePolicyStatement {
    fn meta(&self) -> &'static ActionMeta {
        &META
    }

    fn plan(
        &self,
        state: &State,
        element: &str,
        _params: &Value,
    ) -> Result<Option<Plan>, PlanError> {
        if state.unknown.contains(PROPERTY) {
            return Err(PlanError::Unknown(PROPERTY.to_owned()));
        }
        let list = match state.properties.pointer(STATEMENTS) {
            None => return Ok(None),
            Some(Value::Array(list)) => list,
            Some(_) => return Err(PlanError::Shape(format!("`{STATEMENTS}` is not a list"))),
        };
        if !list.iter().any(|it| element_id(it) == element) {
            return Ok(None);
        }
        let (goes, approval) = going(state, element);
        let kept: Vec<Value> =
            list.iter().filter(|it| !goes.contains(&element_id(it))).cloned().collect();
        let (facet, after) = match (kept.is_empty(), goes.len()) {
            (true, _) => (Facet::property(POLICY), Value::Null),
            (false, 1) => {
                let id = Some(element.to_owned());
                (Facet { pointer: STATEMENTS.to_owned(), element: id }, Value::Null)
            }
            (false, _) => (Facet::property(STATEMENTS), Value::Array(kept)),
        };
        let change = Change::fix(META.name, state, facet, after);
        Ok(Some(Plan { change, approval }))
    }
}

/// The statements that go, and why a person must approve it if they are more than the finding's.
fn going(state: &State, element: &str) -> (Vec<String>, Option<String>) {
    let refuses = state.facts.pointer("/block/BlockPublicPolicy").and_then(Value::as_str);
    let facts = state.facts.get("statements").and_then(Value::as_array);
    let mut goes: Vec<String> = facts
        .into_iter()
        .flatten()
        .filter(|it| is_refused(it))
        .filter_map(|it| it.get("id")?.as_str().map(str::to_owned))
        .collect();
    if refuses != Some("yes") || goes.iter().all(|it| it == element) {
        return (vec![element.to_owned()], None);
    }
    let reason = format!(
        "BlockPublicPolicy refuses a policy that is still public, so all {} public statements must \
         go together",
        goes.len()
    );
    // A private policy may find a statement that is not public: it goes with them.
    if !goes.iter().any(|it| it == element) {
        goes.push(element.to_owned());
    }
    (goes, Some(reason))
}

/// Whether BlockPublicPolicy refuses a policy with this statement. S3 looks at what a policy
/// grants: a Deny that keeps strangers out in effect does not help there.
fn is_refused(statement: &Value) -> bool {
    let latent = statement.get("latent").and_then(Value::as_str);
    statement.get("public") == Some(&Value::Bool(true)) || latent == Some("public")
}

impl Action for RemovePolicyStatement {
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
            let fresh = read::policy(&reader, bucket).await?;
            if fresh.is_none() && change.get().facet.pointer == STATEMENTS {
                return without_policy(change.get());
            }
            let Some(wanted) = changed(change.get(), PROPERTY, fresh)? else {
                return Ok(Applied::already());
            };
            let writer = client::writer(aws, &META, change, session, &region).await?;
            match write(&writer, bucket, &wanted).await {
                Ok(applied) => Ok(applied),
                Err(error) => {
                    let switch = Switch::BlockPublicPolicy;
                    Err(guardrail::explained(aws, bucket, &region, switch, error).await)
                }
            }
        })
    }
}

/// The whole policy is gone. That is fine for a statement that should go; but one that should come
/// back would come back under another `Version` and `Id` than it had.
fn without_policy(change: &Change) -> Result<Applied, CloudError> {
    if change.after.is_null() {
        return Ok(Applied::already());
    }
    Err(CloudError::unsupported(
        META.name,
        "the policy that held the statement was deleted in the meantime; nothing was written",
    ))
}

async fn write(
    client: &Client,
    bucket: &ResourceRef,
    wanted: &Value,
) -> Result<Applied, CloudError> {
    let statements = wanted.get("Statement").and_then(Value::as_array);
    if statements.is_none_or(|it| it.is_empty()) {
        let call =
            client.delete_bucket_policy().bucket(&bucket.id).expected_bucket_owner(&bucket.account);
        let answer = call.send().await.map_err(|it| cloud_error(DELETE, &it))?;
        return Ok(Applied::of(&answer));
    }
    let call = client
        .put_bucket_policy()
        .bucket(&bucket.id)
        .expected_bucket_owner(&bucket.account)
        .policy(wanted.to_string());
    let answer = call.send().await.map_err(|it| cloud_error(PUT, &it))?;
    Ok(Applied::of(&answer))
}
