//! Detaches one managed policy from a user, role or group. Everything else that is attached stays.
//!
//! The session may detach (or, to undo, attach) only the policy that the change names: IAM can
//! limit that by `iam:PolicyARN`. AWS always has that key with these calls, so `IfExists` gives
//! nothing away there; it keeps emulators usable that do not know the key.

use super::of_principal;
use crate::aws::Aws;
use crate::aws::iam::calls::Calls;
use crate::aws::iam::principal::{
    GROUP_ARN, GROUP_IN_PATH_ARN, Principal, ROLE_ARN, ROLE_IN_PATH_ARN, USER_ARN, USER_IN_PATH_ARN,
};
use crate::cloud::{Action, Applied, CloudError};
use futures::future::BoxFuture;
use quell_core::action::{ActionMeta, Fix, Plan, PlanError};
use quell_core::change::{Change, Facet};
use quell_core::decide::authorized::Authorized;
use quell_core::resource::{Permission, State};
use serde_json::Value;

const PROPERTY: &str = "ManagedPolicyArns";
const POINTER: &str = "/ManagedPolicyArns";

static GROUP: ActionMeta = of_principal(
    "iam.detach_group_policy",
    "detach the policy from the group",
    Principal::Group,
    &[
        this_policy(Permission::undo("iam:AttachGroupPolicy", GROUP_ARN)),
        this_policy(Permission::undo("iam:AttachGroupPolicy", GROUP_IN_PATH_ARN)),
        this_policy(Permission::write("iam:DetachGroupPolicy", GROUP_ARN)),
        this_policy(Permission::write("iam:DetachGroupPolicy", GROUP_IN_PATH_ARN)),
    ],
);

static ROLE: ActionMeta = of_principal(
    "iam.detach_role_policy",
    "detach the policy from the role",
    Principal::Role,
    &[
        this_policy(Permission::undo("iam:AttachRolePolicy", ROLE_ARN)),
        this_policy(Permission::undo("iam:AttachRolePolicy", ROLE_IN_PATH_ARN)),
        this_policy(Permission::write("iam:DetachRolePolicy", ROLE_ARN)),
        this_policy(Permission::write("iam:DetachRolePolicy", ROLE_IN_PATH_ARN)),
    ],
);

static USER: ActionMeta = of_principal(
    "iam.detach_user_policy",
    "detach the policy from the user",
    Principal::User,
    &[
        this_policy(Permission::undo("iam:AttachUserPolicy", USER_ARN)),
        this_policy(Permission::undo("iam:AttachUserPolicy", USER_IN_PATH_ARN)),
        this_policy(Permission::write("iam:DetachUserPolicy", USER_ARN)),
        this_policy(Permission::write("iam:DetachUserPolicy", USER_IN_PATH_ARN)),
    ],
);

/// Limited to the policy that the change names.
const fn this_policy(permission: Permission) -> Permission {
    permission.when("ArnEqualsIfExists", "iam:PolicyARN", "{element}")
}

/// `iam.detach_group_policy`, `iam.detach_role_policy` and `iam.detach_user_policy`. A finding's
/// element is the policy's ARN.
#[derive(Debug)]
pub struct DetachPolicy(pub Principal);

impl Fix for DetachPolicy {
    fn meta(&self) -> &'static ActionMeta {
        match self.0 {
            Principal::Group => &GROUP,
            Principal::Role => &ROLE,
            Principal::User => &USER,
        }
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
        let Some(Value::Array(arns)) = state.properties.get(PROPERTY) else {
            return Err(PlanError::Shape(format!("`{PROPERTY}` is not a list")));
        };
        if !arns.iter().any(|it| it == element) {
            return Ok(None);
        }
        let facet = Facet::element(POINTER, &Value::from(element));
        Ok(Some(Plan::from(Change::fix(self.meta().name, state, facet, Value::Null))))
    }
}

impl Action for DetachPolicy {
    /// Both calls name the one policy and are idempotent, so nothing has to be read before.
    fn apply<'a>(
        &'a self,
        aws: &'a Aws,
        change: &'a Authorized<Change>,
        session: &'a str,
    ) -> BoxFuture<'a, Result<Applied, CloudError>> {
        Box::pin(async move {
            let config = aws.writer(self.meta(), change, session).await?;
            let change = change.get();
            let calls = Calls::new(&config, self.0, &change.resource.id);
            match (&change.before, &change.after) {
                (Value::String(arn), Value::Null) => calls.detach(arn).await,
                (Value::Null, Value::String(arn)) => calls.attach(arn).await,
                _ => {
                    let problem = "the change neither detaches nor attaches a policy";
                    Err(CloudError::unsupported(self.meta().name, problem))
                }
            }
        })
    }
}
