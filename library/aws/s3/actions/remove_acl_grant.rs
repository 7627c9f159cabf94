//! Takes one grant out of a bucket's ACL. Owner and all other grants stay.
//!
//! S3 refuses an ACL that is still public while BlockPublicAcls is on. Where more than one grant is
//! public then, they can only go together, and a person must approve that: some of them may be
//! exempt.

use super::{changed, region_of};
use crate::aws::Aws;
use crate::aws::errors::cloud_error;
use crate::aws::s3::guardrail::{self, Switch};
use crate::aws::s3::{bucket, client, facts, read};
use crate::cloud::{Action, Applied, CloudError};
use aws_sdk_s3::types::{AccessControlPolicy, Grant, Grantee, Owner};
use futures::future::BoxFuture;
use quell_core::action::{ActionMeta, Fix, Plan, PlanError, Reversibility, Stage};
use quell_core::change::{Change, Facet, element_id};
use quell_core::decide::authorized::Authorized;
use quell_core::resource::{Permission, State};
use serde_json::Value;

const PROPERTY: &str = "AccessControlList";
const GRANTS: &str = "/AccessControlList/Grants";
const WRITE: &str = "s3:PutBucketAcl";

static META: ActionMeta = ActionMeta {
    name: "s3.remove_acl_grant",
    title: "take the public grant out of the bucket's ACL",
    resource: bucket::TYPE,
    permissions: &[Permission::write(WRITE, bucket::ARN), Permission::undo(WRITE, bucket::ARN)],
    reversibility: Reversibility::Exact,
    stage: Stage::Element,
    undo_grants: false,
    countermeasure: "D3-ACH",
};

/// `s3.remove_acl_grant`.
#[derive(Debug)]
pub struct RemoveAclGrant;

impl Fix for RemoveAclGrant {
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
        let Some(Value::Array(list)) = state.properties.pointer(GRANTS) else {
            return Err(PlanError::Shape(format!("`{GRANTS}` is not a list")));
        };
        if !list.iter().any(|it| element_id(it) == element) {
            return Ok(None);
        }
        let refuses = state.facts.pointer("/block/BlockPublicAcls").and_then(Value::as_str);
        let public = list.iter().filter(|it| facts::is_public(it)).count();
        // A private policy may find a grant that is not public: it goes with them.
        let goes = |it: &Value| facts::is_public(it) || element_id(it) == element;
        let together = refuses == Some("yes") && 1 < list.iter().filter(|it| goes(it)).count();
        let (facet, after) = if together {
            let kept = list.iter().filter(|it| !goes(it)).cloned().collect();
            (Facet::property(GRANTS), Value::Array(kept))
        } else {
            let id = Some(element.to_owned());
            (Facet { pointer: GRANTS.to_owned(), element: id }, Value::Null)
        };
        let approval = together.then(|| {
            format!(
                "BlockPublicAcls refuses an ACL that is still public, so all {public} public \
                 grants must go together"
            )
        });
        let change = Change::fix(META.name, state, facet, after);
        Ok(Some(Plan { change, approval }))
    }
}

impl Action for RemoveAclGrant {
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
            let fresh = read::acl(&reader, bucket).await?;
            let Some(wanted) = changed(change.get(), PROPERTY, Some(fresh))? else {
                return Ok(Applied::already());
            };
            let writer = client::writer(aws, &META, change, session, &region).await?;
            let call = writer
                .put_bucket_acl()
                .bucket(&bucket.id)
                .expected_bucket_owner(&bucket.account)
                .access_control_policy(policy(&wanted)?);
            match call.send().await {
                Ok(answer) => Ok(Applied::of(&answer)),
                Err(error) => {
                    let (switch, error) = (Switch::BlockPublicAcls, cloud_error(WRITE, &error));
                    Err(guardrail::explained(aws, bucket, &region, switch, error).await)
                }
            }
        })
    }
}

fn policy(wanted: &Value) -> Result<AccessControlPolicy, CloudError> {
    let owner = wanted.pointer("/Owner/ID").and_then(Value::as_str).map(str::to_owned);
    let grants = wanted.get("Grants").and_then(Value::as_array);
    let grants: Result<Vec<Grant>, CloudError> = grants.into_iter().flatten().map(grant).collect();
    Ok(AccessControlPolicy::builder()
        .owner(Owner::builder().set_id(owner).build())
        .set_grants(Some(grants?))
        .build())
}

fn grant(grant: &Value) -> Result<Grant, CloudError> {
    let text = |pointer| grant.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let grantee = Grantee::builder()
        .set_type(text("/Grantee/Type").map(|it| it.as_str().into()))
        .set_id(text("/Grantee/ID"))
        .set_uri(text("/Grantee/URI"))
        .set_email_address(text("/Grantee/EmailAddress"))
        .build()
        .map_err(|it| CloudError::unsupported(WRITE, it.to_string()))?;
    let permission = text("/Permission").map(|it| it.as_str().into());
    Ok(Grant::builder().grantee(grantee).set_permission(permission).build())
}
