//! A customer-managed policy. Its id is its ARN.
//!
//! | property | is |
//! |---|---|
//! | `PolicyName`, `Path` | as in CloudFormation |
//! | `PolicyDocument` | the document of the default version, the one in force |
//! | `DefaultVersionId` | its version id |
//! | `Versions` (not CloudFormation's) | the ids of all versions, oldest first |
//!
//! AWS' own managed policies are no resources of the account: they are never read or changed here,
//! and attaching one is a matter of the principal.

use super::calls::{client, found, tags};
use super::{document, event, planned, written};
use crate::aws::Aws;
use crate::aws::errors::cloud_error;
use crate::cloud::{CloudError, Listing, Resource, Seen};
use aws_sdk_iam::Client;
use aws_sdk_iam::types::PolicyScopeType;
use futures::future::BoxFuture;
use quell_core::event::{CloudScope, Event};
use quell_core::plan::{Language, Plan};
use quell_core::resource::{
    Declarations, Kind, KindMeta, Permission, Planned, ResourceRef, State, Trust, is_home,
};
use serde_json::{Value, json};

/// CloudFormation's type.
pub const TYPE: &str = "AWS::IAM::ManagedPolicy";
/// ARN template; the id is the whole ARN.
pub const ARN: &str = "arn:{partition}:iam::{account}:policy/{id}";
/// Most versions of one policy. Source: "IAM object quotas" in the IAM user guide.
pub const VERSIONS_MAX: usize = 5;
/// The properties that a read returns.
pub const PROPERTIES: [&str; 5] =
    ["DefaultVersionId", "Path", "PolicyDocument", "PolicyName", "Versions"];

const LIST: &str = "iam:ListPolicies";

static META: KindMeta = KindMeta {
    cloudformation: TYPE,
    terraform: "aws_iam_policy",
    custodian: "iam-policy",
    asff: "AwsIamPolicy",
    arn: ARN,
    properties: &PROPERTIES,
    reads: &[
        Permission::read("iam:GetPolicy", ARN),
        Permission::read("iam:GetPolicyVersion", ARN),
        Permission::read("iam:ListPolicyVersions", ARN),
    ],
    lists: &[Permission::list(LIST, "*")],
    global: true,
};

/// Whether the ARN is that of an account's own policy.
pub fn is_customer_managed(arn: &str) -> bool {
    !arn.contains(":iam::aws:policy/")
}

/// A customer-managed policy.
#[derive(Debug)]
pub struct ManagedPolicy;

impl Kind for ManagedPolicy {
    fn meta(&self) -> &'static KindMeta {
        &META
    }

    fn targets(&self, event: &Event) -> Vec<ResourceRef> {
        event::managed_policy(event).into_iter().collect()
    }

    fn implied(&self, event: &Event, target: &ResourceRef) -> Option<State> {
        event::managed_policy(event).filter(|it| it == target)?;
        event::implied_policy(event, target)
    }

    fn planned(&self, plan: &Plan) -> Vec<Planned> {
        planned::managed_policies(plan)
    }

    fn written(&self, state: &State, language: Language) -> Declarations {
        written::managed_policy(state, language)
    }

    /// `admin`: the administrator statements, each with `element`, `statement` (its name) and
    /// `reason`. `unreadable`: what could not be understood.
    fn facts(&self, state: &State, _trust: &Trust) -> Value {
        let document = state.properties.get("PolicyDocument");
        let admin: Vec<Value> = document
            .into_iter()
            .flat_map(document::admin_statements)
            .map(|it| json!({ "element": it.id, "statement": it.name, "reason": it.reason }))
            .collect();
        let unreadable = document.is_some_and(document::is_unreadable);
        let unreadable: Vec<&str> = unreadable.then_some("PolicyDocument").into_iter().collect();
        json!({ "admin": admin, "unreadable": unreadable })
    }
}

impl Resource for ManagedPolicy {
    fn read<'a>(
        &'a self,
        aws: &'a Aws,
        resource: &'a ResourceRef,
    ) -> BoxFuture<'a, Result<Option<Seen>, CloudError>> {
        Box::pin(async move {
            let iam = client(&aws.reader(resource).await?);
            read(&iam, &resource.id).await
        })
    }

    fn list<'a>(
        &'a self,
        aws: &'a Aws,
        place: &'a CloudScope,
    ) -> BoxFuture<'a, Result<Vec<ResourceRef>, CloudError>> {
        Box::pin(async move {
            let mut listing = Listing::new(LIST, TYPE, place);
            if !is_home(place) {
                return Ok(listing.done());
            }
            let iam = client(&aws.reader_in(&place.account, &place.region).await?);
            let own = iam.list_policies().scope(PolicyScopeType::Local);
            let mut policies = own.into_paginator().items().send();
            while let Some(policy) = policies.next().await {
                let policy = policy.map_err(|it| cloud_error(LIST, &it))?;
                listing.take(policy.arn.unwrap_or_default())?;
            }
            Ok(listing.done())
        })
    }
}

/// Reads a policy with its default version's document.
pub async fn read(iam: &Client, arn: &str) -> Result<Option<Seen>, CloudError> {
    let answer = found("iam:GetPolicy", iam.get_policy().policy_arn(arn).send().await)?;
    let Some(policy) = answer.and_then(|it| it.policy) else { return Ok(None) };
    let default = policy.default_version_id().unwrap_or_default();
    let Some(document) = version(iam, arn, default).await? else { return Ok(None) };
    let Some(versions) = versions(iam, arn).await? else { return Ok(None) };
    Ok(Some(Seen {
        tags: tags(policy.tags()),
        properties: json!({
            "DefaultVersionId": default,
            "Path": policy.path(),
            "PolicyDocument": document,
            "PolicyName": policy.policy_name(),
            "Versions": versions,
        }),
    }))
}

/// The document of a policy's default version; `None` where there is no such policy.
pub async fn default_document(iam: &Client, arn: &str) -> Result<Option<Value>, CloudError> {
    let answer = found("iam:GetPolicy", iam.get_policy().policy_arn(arn).send().await)?;
    let default = answer.and_then(|it| it.policy).and_then(|it| it.default_version_id);
    match default {
        Some(default) => version(iam, arn, &default).await,
        None => Ok(None),
    }
}

/// The document of one version; `None` where there is none such.
pub async fn version(iam: &Client, arn: &str, id: &str) -> Result<Option<Value>, CloudError> {
    let operation = "iam:GetPolicyVersion";
    let call = iam.get_policy_version().policy_arn(arn).version_id(id);
    let answer = found(operation, call.send().await)?.and_then(|it| it.policy_version);
    let text = answer.and_then(|it| it.document);
    let document = text.map(|it| document::parse(&it)).transpose();
    document
        .map_err(|problem| CloudError::unsupported(operation, format!("`{arn}` {id}: {problem}")))
}

/// The ids of all versions, oldest first; `None` where there is no such policy.
async fn versions(iam: &Client, arn: &str) -> Result<Option<Vec<String>>, CloudError> {
    let pages = iam.list_policy_versions().policy_arn(arn).into_paginator().items().send();
    let versions: Option<Vec<_>> = found("iam:ListPolicyVersions", pages.collect().await)?;
    let Some(versions) = versions else { return Ok(None) };
    let mut ids: Vec<String> = versions.into_iter().filter_map(|it| it.version_id).collect();
    // `v10` is younger than `v9`: ids count up and are never given twice.
    ids.sort_by_key(|it| it.trim_start_matches('v').parse::<u64>().unwrap_or(u64::MAX));
    Ok(Some(ids))
}
