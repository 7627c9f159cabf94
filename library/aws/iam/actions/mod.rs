//! What is done about administrator rights: out of a managed policy, out of an inline policy, off a
//! principal.

pub mod detach_policy;
pub mod remove_inline_statement;
pub mod remove_policy_statement;

use crate::cloud::CloudError;
use quell_core::change::Change;
use quell_core::resource::{Permission, Purpose};
use serde_json::Value;

const fn fixing(action: &'static str, resource: &'static str) -> Permission {
    Permission { action, resource, condition: None, purpose: Purpose::Write }
}

const fn undoing(action: &'static str, resource: &'static str) -> Permission {
    Permission { action, resource, condition: None, purpose: Purpose::Undo }
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
