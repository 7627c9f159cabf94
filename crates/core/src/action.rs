//! What can be done about a finding: the pure half of an action.
//!
//! [`Fix::plan`] turns a read [`State`] and the violating element into a [`Change`]. Applying it is
//! the other half and lives in `library`; it takes only an authorized change.

use crate::change::Change;
use crate::resource::{Permission, State};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

/// What an action is called, needs and leaves behind.
#[derive(Debug)]
pub struct ActionMeta {
    /// Unique name, such as `s3.put_public_access_block`.
    pub name: &'static str,
    /// One line that completes "quell will …".
    pub title: &'static str,
    /// The CloudFormation type that it changes.
    pub resource: &'static str,
    /// Every permission that applying or undoing it uses.
    pub permissions: &'static [Permission],
    /// How exactly an undo restores what was.
    pub reversibility: Reversibility,
    /// Order within a group of changes on one resource: elements first, blocks last.
    pub stage: Stage,
    /// Whether undoing it grants IAM permissions again; such an undo is off by default.
    pub undo_grants: bool,
    /// MITRE D3FEND technique, as OCSF's remediation class wants it, such as `D3-ACH`.
    pub countermeasure: &'static str,
}

/// How exactly an undo restores what was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reversibility {
    /// The captured value is restored.
    Exact,
    /// The same meaning under a new provider-assigned id.
    Equivalent,
    /// Cannot be undone: always needs approval.
    None,
}

/// Order within a group of changes on one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Removes one violating element.
    Element,
    /// Closes a whole class of access.
    Block,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PlanError {
    /// A property that the plan needs was not readable.
    #[error("`{0}` is unknown, so no change can be planned")]
    Unknown(String),
    /// The policy's parameters do not fit the action.
    #[error("parameter `{name}`: {problem}")]
    Params {
        /// The parameter.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The state does not have the shape that the action knows.
    #[error("{0}")]
    Shape(String),
}

/// The plan, with what a person must know before it is made.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What would change.
    pub change: Change,
    /// Why a person must approve it in any mode, if so.
    pub approval: Option<String>,
}

impl From<Change> for Plan {
    fn from(change: Change) -> Plan {
        Plan { change, approval: None }
    }
}

/// The pure half of an action.
pub trait Fix: Sync {
    /// Name, permissions, reversibility.
    fn meta(&self) -> &'static ActionMeta;

    /// The change that removes `element` (a finding's element) from `state`; `None` where nothing
    /// is left to do.
    fn plan(&self, state: &State, element: &str, params: &Value)
    -> Result<Option<Plan>, PlanError>;
}
