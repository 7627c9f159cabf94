//! A user, role or group: whatever policies are attached to. Its id is its name.
//!
//! | property | is |
//! |---|---|
//! | `Arn`, `Path` | as in CloudFormation |
//! | `ManagedPolicyArns` | the attached policies, sorted: their order means nothing |
//! | `AttachedPolicyDocuments` | by ARN, the documents in force of the account's own ones |
//! | `Policies` | the inline policies' documents by name, so that a facet can name one |
//!
//! CloudFormation has no `AttachedPolicyDocuments`, and its `Policies` are a list of `PolicyName`
//! and `PolicyDocument`.
//!
//! What AWS' own policies grant is told by a dated table in [`quell_core::facts::iam_policy`].
//! Deliberately not weighed: permissions boundaries and service control policies, which are limits
//! that others may lift, and what a user gets through groups, which is the group's finding.

use super::calls::{self, Calls};
use super::managed_policy::{default_document, is_customer_managed};
use super::{document, event, planned, written};
use crate::aws::Aws;
use crate::cloud::{CloudError, Resource, Seen};
use futures::future::BoxFuture;
use quell_core::event::{CloudScope, Event};
use quell_core::facts::iam_policy::admin::is_admin_managed_policy;
use quell_core::facts::tri::Tri;
use quell_core::plan::{Language, Plan};
use quell_core::resource::{
    Declarations, Kind, KindMeta, Permission, Planned, ResourceRef, State, Trust, is_home,
};
use serde_json::{Map, Value, json};

/// A group at the root of the paths.
pub const GROUP_ARN: &str = "arn:{partition}:iam::{account}:group/{id}";
/// The same group under any path.
pub const GROUP_IN_PATH_ARN: &str = "arn:{partition}:iam::{account}:group/*/{id}";
/// A role at the root of the paths.
pub const ROLE_ARN: &str = "arn:{partition}:iam::{account}:role/{id}";
/// The same role under any path.
pub const ROLE_IN_PATH_ARN: &str = "arn:{partition}:iam::{account}:role/*/{id}";
/// A user at the root of the paths.
pub const USER_ARN: &str = "arn:{partition}:iam::{account}:user/{id}";
/// The same user under any path.
pub const USER_IN_PATH_ARN: &str = "arn:{partition}:iam::{account}:user/*/{id}";
const ANY_POLICY_ARN: &str = "arn:{partition}:iam::{account}:policy/*";

/// The properties that a read returns.
pub const PROPERTIES: [&str; 5] =
    ["Arn", "AttachedPolicyDocuments", "ManagedPolicyArns", "Path", "Policies"];

static GROUP: KindMeta = KindMeta {
    cloudformation: "AWS::IAM::Group",
    terraform: "aws_iam_group",
    custodian: "iam-group",
    asff: "AwsIamGroup",
    arn: GROUP_ARN,
    properties: &PROPERTIES,
    reads: &[
        Permission::read("iam:GetGroup", GROUP_ARN),
        Permission::read("iam:GetGroup", GROUP_IN_PATH_ARN),
        Permission::read("iam:GetGroupPolicy", GROUP_ARN),
        Permission::read("iam:GetGroupPolicy", GROUP_IN_PATH_ARN),
        Permission::read("iam:GetPolicy", ANY_POLICY_ARN),
        Permission::read("iam:GetPolicyVersion", ANY_POLICY_ARN),
        Permission::read("iam:ListAttachedGroupPolicies", GROUP_ARN),
        Permission::read("iam:ListAttachedGroupPolicies", GROUP_IN_PATH_ARN),
        Permission::read("iam:ListGroupPolicies", GROUP_ARN),
        Permission::read("iam:ListGroupPolicies", GROUP_IN_PATH_ARN),
    ],
    lists: &[Permission::list("iam:ListGroups", "*")],
    global: true,
};

static ROLE: KindMeta = KindMeta {
    cloudformation: "AWS::IAM::Role",
    terraform: "aws_iam_role",
    custodian: "iam-role",
    asff: "AwsIamRole",
    arn: ROLE_ARN,
    properties: &PROPERTIES,
    reads: &[
        Permission::read("iam:GetRole", ROLE_ARN),
        Permission::read("iam:GetRole", ROLE_IN_PATH_ARN),
        Permission::read("iam:GetRolePolicy", ROLE_ARN),
        Permission::read("iam:GetRolePolicy", ROLE_IN_PATH_ARN),
        Permission::read("iam:GetPolicy", ANY_POLICY_ARN),
        Permission::read("iam:GetPolicyVersion", ANY_POLICY_ARN),
        Permission::read("iam:ListAttachedRolePolicies", ROLE_ARN),
        Permission::read("iam:ListAttachedRolePolicies", ROLE_IN_PATH_ARN),
        Permission::read("iam:ListRolePolicies", ROLE_ARN),
        Permission::read("iam:ListRolePolicies", ROLE_IN_PATH_ARN),
    ],
    lists: &[Permission::list("iam:ListRoles", "*")],
    global: true,
};

static USER: KindMeta = KindMeta {
    cloudformation: "AWS::IAM::User",
    terraform: "aws_iam_user",
    custodian: "iam-user",
    asff: "AwsIamUser",
    arn: USER_ARN,
    properties: &PROPERTIES,
    reads: &[
        Permission::read("iam:GetUser", USER_ARN),
        Permission::read("iam:GetUser", USER_IN_PATH_ARN),
        Permission::read("iam:GetUserPolicy", USER_ARN),
        Permission::read("iam:GetUserPolicy", USER_IN_PATH_ARN),
        Permission::read("iam:GetPolicy", ANY_POLICY_ARN),
        Permission::read("iam:GetPolicyVersion", ANY_POLICY_ARN),
        Permission::read("iam:ListAttachedUserPolicies", USER_ARN),
        Permission::read("iam:ListAttachedUserPolicies", USER_IN_PATH_ARN),
        Permission::read("iam:ListUserPolicies", USER_ARN),
        Permission::read("iam:ListUserPolicies", USER_IN_PATH_ARN),
    ],
    lists: &[Permission::list("iam:ListUsers", "*")],
    global: true,
};

/// What policies are attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Principal {
    /// `AWS::IAM::Group`.
    Group,
    /// `AWS::IAM::Role`.
    Role,
    /// `AWS::IAM::User`.
    User,
}

impl Principal {
    /// CloudFormation's type.
    pub const fn type_name(self) -> &'static str {
        match self {
            Principal::Group => "AWS::IAM::Group",
            Principal::Role => "AWS::IAM::Role",
            Principal::User => "AWS::IAM::User",
        }
    }
}

impl Kind for Principal {
    fn meta(&self) -> &'static KindMeta {
        match self {
            Principal::Group => &GROUP,
            Principal::Role => &ROLE,
            Principal::User => &USER,
        }
    }

    fn targets(&self, event: &Event) -> Vec<ResourceRef> {
        event::principal(event, *self).into_iter().collect()
    }

    fn implied(&self, event: &Event, target: &ResourceRef) -> Option<State> {
        event::principal(event, *self).filter(|it| it == target)?;
        event::implied_principal(event, target)
    }

    fn planned(&self, plan: &Plan) -> Vec<Planned> {
        planned::principals(plan, *self)
    }

    fn written(&self, state: &State, language: Language) -> Declarations {
        written::principal(state, *self, language)
    }

    /// `admin`: the administrator statements of the inline policies, each with `element`, `policy`,
    /// `statement` (its name) and `reason`. `attached`: the attached policies, each with `arn`,
    /// `admin` (`yes`, `no` or `unknown`) and `reason`. `unreadable`: what could not be understood.
    fn facts(&self, state: &State, _trust: &Trust) -> Value {
        let properties = &state.properties;
        let (mut admin, mut unreadable) = (Vec::new(), Vec::new());
        for (policy, document) in entries(properties, "Policies") {
            if document::is_unreadable(document) {
                unreadable.push(policy);
            }
            admin.extend(document::admin_statements(document).into_iter().map(|it| {
                json!({
                    "element": element(policy, &it.id),
                    "policy": policy,
                    "statement": it.name,
                    "reason": it.reason,
                })
            }));
        }
        let arns = properties.get("ManagedPolicyArns").and_then(Value::as_array);
        let arns = arns.into_iter().flatten().filter_map(Value::as_str);
        let attached: Vec<Value> = arns
            .map(|arn| {
                let (admin, reason) = attached(properties, arn);
                json!({ "arn": arn, "admin": admin, "reason": reason })
            })
            .collect();
        json!({ "admin": admin, "attached": attached, "unreadable": unreadable })
    }
}

/// How a finding names a statement of an inline policy.
pub fn element(policy: &str, statement: &str) -> String {
    format!("{policy}/{statement}")
}

/// Whether an attached policy makes an administrator, and why.
fn attached(properties: &Value, arn: &str) -> (Tri, String) {
    if is_admin_managed_policy(arn) {
        return (Tri::Yes, "it is AWS' policy for administrators".to_owned());
    }
    if !is_customer_managed(arn) {
        return (Tri::No, "it is AWS' policy for less than everything".to_owned());
    }
    let documents = properties.get("AttachedPolicyDocuments");
    match documents.and_then(|it| it.get(arn)).filter(|it| !document::is_unreadable(it)) {
        None => (Tri::Unknown, "its document is unknown".to_owned()),
        Some(document) => match document::admin_statements(document).first() {
            None => (Tri::No, "no statement of it allows everything".to_owned()),
            Some(it) => (Tri::Yes, format!("its statement {}: {}", it.name, it.reason)),
        },
    }
}

fn entries<'a>(properties: &'a Value, key: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    properties.get(key).and_then(Value::as_object).into_iter().flatten()
}

impl Resource for Principal {
    fn read<'a>(
        &'a self,
        aws: &'a Aws,
        resource: &'a ResourceRef,
    ) -> BoxFuture<'a, Result<Option<Seen>, CloudError>> {
        Box::pin(async move {
            let calls = Calls::new(&aws.reader(resource).await?, *self, &resource.id);
            let Some(about) = calls.about().await? else { return Ok(None) };
            let Some(attached) = calls.attached().await? else { return Ok(None) };
            let mut documents = Map::new();
            for arn in attached.iter().filter(|it| is_customer_managed(it)) {
                // One that is gone was just detached: the next look sees that.
                if let Some(document) = default_document(calls.client(), arn).await? {
                    documents.insert(arn.clone(), document);
                }
            }
            let Some(names) = calls.inline_names().await? else { return Ok(None) };
            let mut policies = Map::new();
            for name in names {
                if let Some(document) = calls.inline(&name).await? {
                    policies.insert(name, document);
                }
            }
            Ok(Some(Seen {
                tags: about.tags,
                properties: json!({
                    "Arn": about.arn,
                    "AttachedPolicyDocuments": documents,
                    "ManagedPolicyArns": attached,
                    "Path": about.path,
                    "Policies": policies,
                }),
            }))
        })
    }

    fn list<'a>(
        &'a self,
        aws: &'a Aws,
        place: &'a CloudScope,
    ) -> BoxFuture<'a, Result<Vec<ResourceRef>, CloudError>> {
        Box::pin(async move {
            if !is_home(place) {
                return Ok(Vec::new());
            }
            let config = aws.reader_in(&place.account, &place.region).await?;
            calls::list(&config, *self, place).await
        })
    }
}
