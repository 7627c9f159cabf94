//! What is done about administrator rights: out of a managed policy, out of an inline policy, off a
//! principal.

pub mod detach_policy;
pub mod remove_inline_statement;
pub mod remove_policy_statement;

use super::principal::Principal;
use crate::cloud::CloudError;
use quell_core::action::{ActionMeta, Reversibility, Stage};
use quell_core::change::Change;
use quell_core::resource::Permission;
use serde_json::Value;

/// An action that there is for users, for roles and for groups.
const fn of_principal(
    name: &'static str,
    title: &'static str,
    principal: Principal,
    permissions: &'static [Permission],
) -> ActionMeta {
    ActionMeta {
        name,
        title,
        resource: principal.type_name(),
        permissions,
        reversibility: Reversibility::Exact,
        stage: Stage::Element,
        undo_grants: true,
        countermeasure: "D3-UAP",
    }
}

/// The properties as the change wants them. Whoever moved its facet since it was planned must not
/// be overwritten.
fn changed(change: &Change, mut properties: Value) -> Result<Value, CloudError> {
    if !change.starts_from(&properties) && !change.is_done(&properties) {
        let problem = format!("`{}` has moved since the change was planned", change.facet);
        return Err(CloudError::unsupported(&change.action, problem));
    }
    change
        .apply_to(&mut properties)
        .map_err(|it| CloudError::unsupported(&change.action, it.to_string()))?;
    Ok(properties)
}
