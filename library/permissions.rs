//! Least privilege, derived: what the enabled policies need, and what one change needs.
//!
//! `quell iam` prints the union over the enabled policies ([`needed`]); each change runs under a
//! session policy for itself alone ([`session_policy`]). Both read the same declarations, which
//! stand beside the calls that need them.

use crate::Library;
use crate::aws::events::{heartbeat, rule};
use quell_core::action::ActionMeta;
use quell_core::change::{Change, Direction};
use quell_core::policy::{Mode, Policy};
use quell_core::resource::{Permission, Purpose, ResourceRef, arn};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Every permission that the given policies need, in the modes that `mode` tells for each.
pub fn needed(
    library: &Library,
    policies: &[&Policy],
    mode: impl Fn(&Policy) -> Mode,
) -> BTreeSet<Permission> {
    let mut needed = BTreeSet::new();
    for policy in policies {
        let fixes = Mode::Approve <= mode(policy).min(policy.meta().highest_mode);
        for (kind, _) in policy.meta().resources() {
            if let Some(resource) = crate::resource(kind) {
                needed.extend(resource.meta().reads.iter().copied());
                needed.extend(resource.meta().lists.iter().copied());
            }
            // Heartbeats come back through the trigger of the policy that judges rules.
            if kind == rule::TYPE {
                needed.extend(heartbeat::PERMISSIONS);
            }
            if fixes && let Some(action) = library.action_of(policy, kind) {
                needed.extend(action.meta().permissions.iter().copied());
            }
        }
    }
    needed
}

/// The IAM policy document that allows just this change, as the session policy of its role.
pub fn session_policy(action: &ActionMeta, change: &Change) -> Value {
    let purpose = match change.direction {
        Direction::Forward => Purpose::Write,
        Direction::Undo => Purpose::Undo,
    };
    let wanted: BTreeSet<Permission> =
        action.permissions.iter().filter(|it| it.purpose == purpose).copied().collect();
    let element = change.before.as_str().or(change.after.as_str()).unwrap_or("*");
    document(&wanted, |template| arn(&template.replace("{element}", element), &change.resource))
}

/// The IAM policy document that allows writing heartbeats on one rule and nothing else.
pub fn heartbeat_policy(rule: &ResourceRef) -> Value {
    document(&BTreeSet::from(heartbeat::PERMISSIONS), |template| arn(template, rule))
}

/// An IAM policy document of permissions; `fill` turns an ARN template into an ARN.
pub fn document(permissions: &BTreeSet<Permission>, fill: impl Fn(&str) -> String) -> Value {
    // Permissions with the same resource and condition share a statement.
    let mut statements: Vec<(String, Option<Value>, Vec<&str>)> = Vec::new();
    for it in permissions {
        let resource = fill(it.resource);
        // A condition that any value meets restricts nothing.
        let condition = it
            .condition
            .map(|(operator, key, value)| (operator, key, fill(value)))
            .filter(|(_, _, value)| value != "*")
            .map(|(operator, key, value)| json!({ operator: { key: value } }));
        let same = statements
            .iter_mut()
            .find(|(found, other, _)| *found == resource && *other == condition);
        match same {
            Some((_, _, actions)) if !actions.contains(&it.action) => actions.push(it.action),
            Some(_) => {}
            None => statements.push((resource, condition, vec![it.action])),
        }
    }
    let statements: Vec<Value> = statements
        .into_iter()
        .map(|(resource, condition, actions)| {
            let mut statement =
                json!({ "Effect": "Allow", "Action": actions, "Resource": resource });
            if let (Some(condition), Some(fields)) = (condition, statement.as_object_mut()) {
                fields.insert("Condition".to_owned(), condition);
            }
            statement
        })
        .collect();
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// Fills an ARN template in for every resource of some accounts: what a role's policy needs.
pub fn fill_wide<'a>(partition: &'a str, account: &'a str) -> impl Fn(&str) -> String + 'a {
    move |template| {
        let any = ResourceRef {
            kind: String::new(),
            id: "*".to_owned(),
            account: account.to_owned(),
            region: "*".to_owned(),
        };
        arn(&template.replace("{partition}", partition).replace("{element}", "*"), &any)
    }
}
