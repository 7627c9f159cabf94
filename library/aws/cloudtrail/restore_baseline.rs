//! Restores one weakened property of a trail: picks the action whose call can.
//!
//! A policy names one action, and a weakened trail may need either of two calls. The planned change
//! therefore names the action that makes its call, and runs under that action's permissions alone;
//! this one's are what a policy that uses it may need.

use super::management_events::{ADVANCED, BASIC};
use super::put_event_selectors::{PUT, PutEventSelectors};
use super::trail::{ARN, TYPE};
use super::update_trail::{UPDATE, UpdateTrail};
use crate::aws::Aws;
use crate::cloud::{Action, Applied, CloudError};
use futures::future::BoxFuture;
use quell_core::action::{ActionMeta, Fix, Plan, PlanError, Reversibility, Stage};
use quell_core::change::Change;
use quell_core::decide::authorized::Authorized;
use quell_core::resource::{Permission, State};
use serde_json::Value;

/// `cloudtrail.restore_baseline`; its element is the property's name.
#[derive(Debug)]
pub struct RestoreBaseline;

static META: ActionMeta = ActionMeta {
    name: "cloudtrail.restore_baseline",
    title: "restore a weakened property of the trail",
    resource: TYPE,
    permissions: &[
        Permission::write(PUT, ARN),
        Permission::undo(PUT, ARN),
        Permission::write(UPDATE, ARN),
        Permission::undo(UPDATE, ARN),
    ],
    reversibility: Reversibility::Exact,
    stage: Stage::Element,
    undo_grants: false,
    countermeasure: "D3-RC",
};

impl Fix for RestoreBaseline {
    fn meta(&self) -> &'static ActionMeta {
        &META
    }

    fn plan(
        &self,
        state: &State,
        element: &str,
        params: &Value,
    ) -> Result<Option<Plan>, PlanError> {
        maker(element).plan(state, element, params)
    }
}

impl Action for RestoreBaseline {
    /// Never asked: its plans name the action that makes the call.
    fn apply<'a>(
        &'a self,
        _: &'a Aws,
        _: &'a Authorized<Change>,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Applied, CloudError>> {
        let problem = "makes no call itself; its plans name the action that does";
        Box::pin(async move { Err(CloudError::unsupported(META.name, problem)) })
    }
}

/// The action that makes the call for a property.
fn maker(element: &str) -> &'static dyn Fix {
    match element {
        ADVANCED | BASIC => &PutEventSelectors,
        _ => &UpdateTrail,
    }
}
