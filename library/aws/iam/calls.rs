//! IAM's calls. It has each of them three times: for users, for roles and for groups.

use super::document;
use super::principal::Principal;
use crate::aws::errors::cloud_error;
use crate::cloud::{Applied, CloudError, CloudErrorKind, Listing};
use aws_config::SdkConfig;
use aws_sdk_iam::Client;
use aws_sdk_iam::error::ProvideErrorMetadata;
use aws_sdk_iam::types::Tag;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_types::request_id::RequestId;
use quell_core::event::CloudScope;
use quell_core::resource::ResourceRef;
use serde_json::Value;
use std::collections::BTreeMap;
use std::error::Error;

/// A client of a session.
pub fn client(config: &SdkConfig) -> Client {
    Client::new(config)
}

/// The answer; `None` where IAM says that there is no such thing.
pub fn found<T, E>(
    operation: &str,
    answer: Result<T, SdkError<E, HttpResponse>>,
) -> Result<Option<T>, CloudError>
where
    E: ProvideErrorMetadata + Error + 'static,
    SdkError<E, HttpResponse>: RequestId,
{
    match answer {
        Ok(it) => Ok(Some(it)),
        Err(error) => match cloud_error(operation, &error) {
            it if it.kind == CloudErrorKind::NotFound => Ok(None),
            it => Err(it),
        },
    }
}

/// What a change left behind.
pub fn applied<T, E>(
    operation: &str,
    answer: Result<T, SdkError<E, HttpResponse>>,
) -> Result<Applied, CloudError>
where
    T: RequestId,
    E: ProvideErrorMetadata + Error + 'static,
    SdkError<E, HttpResponse>: RequestId,
{
    let answer = answer.map_err(|it| cloud_error(operation, &it))?;
    Ok(Applied::of(&answer))
}

/// As [`applied`]; taking away what is not there is done.
fn taken_away<T, E>(
    operation: &str,
    answer: Result<T, SdkError<E, HttpResponse>>,
) -> Result<Applied, CloudError>
where
    T: RequestId,
    E: ProvideErrorMetadata + Error + 'static,
    SdkError<E, HttpResponse>: RequestId,
{
    match applied(operation, answer) {
        Err(it) if it.kind == CloudErrorKind::NotFound => Ok(Applied::already()),
        other => other,
    }
}

/// Tags by key.
pub fn tags(tags: &[Tag]) -> BTreeMap<String, String> {
    tags.iter().map(|it| (it.key.clone(), it.value.clone())).collect()
}

/// All principals of a kind, by name.
pub async fn list(
    config: &SdkConfig,
    principal: Principal,
    place: &CloudScope,
) -> Result<Vec<ResourceRef>, CloudError> {
    let iam = client(config);
    let kind = principal.type_name();
    match principal {
        Principal::Group => {
            let mut listing = Listing::new("iam:ListGroups", kind, place);
            let mut groups = iam.list_groups().into_paginator().items().send();
            while let Some(it) = groups.next().await {
                listing.take(it.map_err(|it| cloud_error("iam:ListGroups", &it))?.group_name)?;
            }
            Ok(listing.done())
        }
        Principal::Role => {
            let mut listing = Listing::new("iam:ListRoles", kind, place);
            let mut roles = iam.list_roles().into_paginator().items().send();
            while let Some(it) = roles.next().await {
                listing.take(it.map_err(|it| cloud_error("iam:ListRoles", &it))?.role_name)?;
            }
            Ok(listing.done())
        }
        Principal::User => {
            let mut listing = Listing::new("iam:ListUsers", kind, place);
            let mut users = iam.list_users().into_paginator().items().send();
            while let Some(it) = users.next().await {
                listing.take(it.map_err(|it| cloud_error("iam:ListUsers", &it))?.user_name)?;
            }
            Ok(listing.done())
        }
    }
}

/// The calls about one principal.
#[derive(Debug)]
pub struct Calls {
    iam: Client,
    principal: Principal,
    name: String,
}

/// What IAM says about a principal itself.
#[derive(Debug)]
pub struct About {
    /// Its ARN, with its path.
    pub arn: String,
    /// Its path, from and to a slash.
    pub path: String,
    /// Its tags; a group has none.
    pub tags: BTreeMap<String, String>,
}

impl Calls {
    /// The calls about the principal of that name.
    pub fn new(config: &SdkConfig, principal: Principal, name: &str) -> Calls {
        Calls { iam: client(config), principal, name: name.to_owned() }
    }

    /// The client, for what is not about the principal itself.
    pub fn client(&self) -> &Client {
        &self.iam
    }

    /// The principal itself.
    pub async fn about(&self) -> Result<Option<About>, CloudError> {
        let (iam, name) = (&self.iam, &self.name);
        Ok(match self.principal {
            Principal::Group => {
                found("iam:GetGroup", iam.get_group().group_name(name).send().await)?
                    .and_then(|it| it.group)
                    .map(|it| About { arn: it.arn, path: it.path, tags: BTreeMap::new() })
            }
            Principal::Role => found("iam:GetRole", iam.get_role().role_name(name).send().await)?
                .and_then(|it| it.role)
                .map(|it| About { tags: tags(it.tags()), arn: it.arn, path: it.path }),
            Principal::User => found("iam:GetUser", iam.get_user().user_name(name).send().await)?
                .and_then(|it| it.user)
                .map(|it| About { tags: tags(it.tags()), arn: it.arn, path: it.path }),
        })
    }

    /// The ARNs of the attached policies, in order.
    pub async fn attached(&self) -> Result<Option<Vec<String>>, CloudError> {
        let (iam, name) = (&self.iam, &self.name);
        let policies: Option<Vec<_>> = match self.principal {
            Principal::Group => {
                let call = iam.list_attached_group_policies().group_name(name);
                let pages = call.into_paginator().items().send();
                found("iam:ListAttachedGroupPolicies", pages.collect().await)?
            }
            Principal::Role => {
                let call = iam.list_attached_role_policies().role_name(name);
                let pages = call.into_paginator().items().send();
                found("iam:ListAttachedRolePolicies", pages.collect().await)?
            }
            Principal::User => {
                let call = iam.list_attached_user_policies().user_name(name);
                let pages = call.into_paginator().items().send();
                found("iam:ListAttachedUserPolicies", pages.collect().await)?
            }
        };
        Ok(policies.map(|it| {
            let mut arns: Vec<_> = it.into_iter().filter_map(|it| it.policy_arn).collect();
            arns.sort_unstable();
            arns
        }))
    }

    /// The names of the inline policies.
    pub async fn inline_names(&self) -> Result<Option<Vec<String>>, CloudError> {
        let (iam, name) = (&self.iam, &self.name);
        match self.principal {
            Principal::Group => {
                let call = iam.list_group_policies().group_name(name);
                let pages = call.into_paginator().items().send();
                found("iam:ListGroupPolicies", pages.collect().await)
            }
            Principal::Role => {
                let call = iam.list_role_policies().role_name(name);
                let pages = call.into_paginator().items().send();
                found("iam:ListRolePolicies", pages.collect().await)
            }
            Principal::User => {
                let call = iam.list_user_policies().user_name(name);
                let pages = call.into_paginator().items().send();
                found("iam:ListUserPolicies", pages.collect().await)
            }
        }
    }

    /// The document of an inline policy.
    pub async fn inline(&self, policy: &str) -> Result<Option<Value>, CloudError> {
        let (iam, name) = (&self.iam, &self.name);
        let (operation, text) = match self.principal {
            Principal::Group => {
                let call = iam.get_group_policy().group_name(name).policy_name(policy);
                let answer = found("iam:GetGroupPolicy", call.send().await)?;
                ("iam:GetGroupPolicy", answer.map(|it| it.policy_document))
            }
            Principal::Role => {
                let call = iam.get_role_policy().role_name(name).policy_name(policy);
                let answer = found("iam:GetRolePolicy", call.send().await)?;
                ("iam:GetRolePolicy", answer.map(|it| it.policy_document))
            }
            Principal::User => {
                let call = iam.get_user_policy().user_name(name).policy_name(policy);
                let answer = found("iam:GetUserPolicy", call.send().await)?;
                ("iam:GetUserPolicy", answer.map(|it| it.policy_document))
            }
        };
        let document = text.map(|it| document::parse(&it)).transpose();
        document.map_err(|it| CloudError::unsupported(operation, format!("`{policy}`: {it}")))
    }

    /// Writes an inline policy.
    pub async fn put_inline(&self, policy: &str, document: &str) -> Result<Applied, CloudError> {
        let (iam, name) = (&self.iam, &self.name);
        match self.principal {
            Principal::Group => {
                let call = iam.put_group_policy().group_name(name).policy_name(policy);
                applied("iam:PutGroupPolicy", call.policy_document(document).send().await)
            }
            Principal::Role => {
                let call = iam.put_role_policy().role_name(name).policy_name(policy);
                applied("iam:PutRolePolicy", call.policy_document(document).send().await)
            }
            Principal::User => {
                let call = iam.put_user_policy().user_name(name).policy_name(policy);
                applied("iam:PutUserPolicy", call.policy_document(document).send().await)
            }
        }
    }

    /// Deletes an inline policy.
    pub async fn delete_inline(&self, policy: &str) -> Result<Applied, CloudError> {
        let (iam, name) = (&self.iam, &self.name);
        match self.principal {
            Principal::Group => {
                let call = iam.delete_group_policy().group_name(name).policy_name(policy);
                taken_away("iam:DeleteGroupPolicy", call.send().await)
            }
            Principal::Role => {
                let call = iam.delete_role_policy().role_name(name).policy_name(policy);
                taken_away("iam:DeleteRolePolicy", call.send().await)
            }
            Principal::User => {
                let call = iam.delete_user_policy().user_name(name).policy_name(policy);
                taken_away("iam:DeleteUserPolicy", call.send().await)
            }
        }
    }

    /// Attaches a managed policy; attaching it again changes nothing.
    pub async fn attach(&self, arn: &str) -> Result<Applied, CloudError> {
        let (iam, name) = (&self.iam, &self.name);
        match self.principal {
            Principal::Group => {
                let call = iam.attach_group_policy().group_name(name).policy_arn(arn);
                applied("iam:AttachGroupPolicy", call.send().await)
            }
            Principal::Role => {
                let call = iam.attach_role_policy().role_name(name).policy_arn(arn);
                applied("iam:AttachRolePolicy", call.send().await)
            }
            Principal::User => {
                let call = iam.attach_user_policy().user_name(name).policy_arn(arn);
                applied("iam:AttachUserPolicy", call.send().await)
            }
        }
    }

    /// Detaches a managed policy.
    pub async fn detach(&self, arn: &str) -> Result<Applied, CloudError> {
        let (iam, name) = (&self.iam, &self.name);
        match self.principal {
            Principal::Group => {
                let call = iam.detach_group_policy().group_name(name).policy_arn(arn);
                taken_away("iam:DetachGroupPolicy", call.send().await)
            }
            Principal::Role => {
                let call = iam.detach_role_policy().role_name(name).policy_arn(arn);
                taken_away("iam:DetachRolePolicy", call.send().await)
            }
            Principal::User => {
                let call = iam.detach_user_policy().user_name(name).policy_arn(arn);
                taken_away("iam:DetachUserPolicy", call.send().await)
            }
        }
    }
}
