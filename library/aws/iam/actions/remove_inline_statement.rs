//! Takes one statement out of an inline policy of a user, role or group. All other statements stay;
//! a policy that has no other is deleted.
//!
//! IAM cannot limit what `Put…Policy` writes: the write role could also grant. Only the session
//! policy, which names this one principal, and the verification after the change stand against it.

use super::{changed, of_principal};
use crate::aws::Aws;
use crate::aws::iam::calls::Calls;
use crate::aws::iam::document::statements;
use crate::aws::iam::principal::{
    GROUP_ARN, GROUP_IN_PATH_ARN, Principal, ROLE_ARN, ROLE_IN_PATH_ARN, USER_ARN, USER_IN_PATH_ARN,
};
use crate::cloud::{Action, Applied, CloudError};
use futures::future::BoxFuture;
use quell_core::action::{ActionMeta, Fix, Plan, PlanError};
use quell_core::change::{Change, Facet, element_id};
use quell_core::decide::authorized::Authorized;
use quell_core::resource::{Permission, State};
use serde_json::{Value, json};

const PROPERTY: &str = "Policies";

static GROUP: ActionMeta = of_principal(
    "iam.remove_group_policy_statement",
    "take the statement out of the group's inline policy",
    Principal::Group,
    &[
        Permission::write("iam:DeleteGroupPolicy", GROUP_ARN),
        Permission::write("iam:DeleteGroupPolicy", GROUP_IN_PATH_ARN),
        Permission::write("iam:PutGroupPolicy", GROUP_ARN),
        Permission::write("iam:PutGroupPolicy", GROUP_IN_PATH_ARN),
        Permission::undo("iam:PutGroupPolicy", GROUP_ARN),
        Permission::undo("iam:PutGroupPolicy", GROUP_IN_PATH_ARN),
    ],
);

static ROLE: ActionMeta = of_principal(
    "iam.remove_role_policy_statement",
    "take the statement out of the role's inline policy",
    Principal::Role,
    &[
        Permission::write("iam:DeleteRolePolicy", ROLE_ARN),
        Permission::write("iam:DeleteRolePolicy", ROLE_IN_PATH_ARN),
        Permission::write("iam:PutRolePolicy", ROLE_ARN),
        Permission::write("iam:PutRolePolicy", ROLE_IN_PATH_ARN),
        Permission::undo("iam:PutRolePolicy", ROLE_ARN),
        Permission::undo("iam:PutRolePolicy", ROLE_IN_PATH_ARN),
    ],
);

static USER: ActionMeta = of_principal(
    "iam.remove_user_policy_statement",
    "take the statement out of the user's inline policy",
    Principal::User,
    &[
        Permission::write("iam:DeleteUserPolicy", USER_ARN),
        Permission::write("iam:DeleteUserPolicy", USER_IN_PATH_ARN),
        Permission::write("iam:PutUserPolicy", USER_ARN),
        Permission::write("iam:PutUserPolicy", USER_IN_PATH_ARN),
        Permission::undo("iam:PutUserPolicy", USER_ARN),
        Permission::undo("iam:PutUserPolicy", USER_IN_PATH_ARN),
    ],
);

/// `iam.remove_group_policy_statement` and the same for roles and users. A finding's element is
/// [`crate::aws::iam::principal::element`].
#[derive(Debug)]
pub struct RemoveInlineStatement(pub Principal);

impl Fix for RemoveInlineStatement {
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
        let Some((policy, statement)) = element.rsplit_once('/') else {
            return Err(PlanError::Shape(format!("`{element}` names no policy and statement")));
        };
        let document = state.properties.get(PROPERTY).and_then(|it| it.get(policy));
        let statements = document.map_or(&[][..], statements);
        if !statements.iter().any(|it| element_id(it) == statement) {
            return Ok(None);
        }
        let stays = statements.iter().any(|it| element_id(it) != statement);
        let pointer = format!("/{PROPERTY}/{policy}");
        let facet = if stays {
            let id = Some(statement.to_owned());
            Facet { pointer: format!("{pointer}/Statement"), element: id }
        } else {
            Facet::property(&pointer)
        };
        Ok(Some(Plan::from(Change::fix(self.meta().name, state, facet, Value::Null))))
    }
}

impl Action for RemoveInlineStatement {
    fn apply<'a>(
        &'a self,
        aws: &'a Aws,
        change: &'a Authorized<Change>,
        session: &'a str,
    ) -> BoxFuture<'a, Result<Applied, CloudError>> {
        Box::pin(async move {
            let wanted = change.get();
            let principal = &wanted.resource;
            let policy = wanted.facet.pointer.split('/').nth(2).unwrap_or_default();
            let reader = Calls::new(&aws.reader(principal).await?, self.0, &principal.id);
            let fresh = reader.inline(policy).await?;
            let after = after(wanted, policy, fresh.as_ref())?;
            if after == fresh {
                return Ok(Applied::already());
            }
            let config = aws.writer(self.meta(), change, session).await?;
            let writer = Calls::new(&config, self.0, &principal.id);
            match after {
                Some(document) => writer.put_inline(policy, &document.to_string()).await,
                None => writer.delete_inline(policy).await,
            }
        })
    }
}

/// The policy's document as the change wants it; `None` where there shall be no such policy.
fn after(
    change: &Change,
    policy: &str,
    fresh: Option<&Value>,
) -> Result<Option<Value>, CloudError> {
    let mut properties = changed(change, json!({ PROPERTY: { policy: fresh } }))?;
    let document = properties.get_mut(PROPERTY).and_then(|it| it.get_mut(policy));
    let document = document.map(Value::take).filter(|it| !statements(it).is_empty());
    Ok(document.map(|mut it| {
        // Where the whole policy went after the statement that comes back now, its version is not
        // known any more. It is the current one, as good as always.
        if let (None, Some(fields)) = (fresh, it.as_object_mut()) {
            fields.entry("Version").or_insert_with(|| Value::from("2012-10-17"));
        }
        it
    }))
}
