//! Sets one flag of a trail to what a policy's `baseline` declares.
//!
//! `UpdateTrail` keeps what it is not told, so one call moves one flag. AWS refuses a multi-region
//! trail without global service events: that flag's finding comes first in the alphabet, and with
//! it its fix.

use super::trail::{ARN, TYPE, writable};
use crate::aws::Aws;
use crate::aws::errors::cloud_error;
use crate::cloud::{Action, Applied, CloudError};
use futures::future::BoxFuture;
use quell_core::action::{ActionMeta, Fix, Plan, PlanError, Reversibility, Stage};
use quell_core::change::{Change, Facet};
use quell_core::decide::authorized::Authorized;
use quell_core::resource::{Permission, State};
use serde_json::Value;

/// The IAM action of the call.
pub const UPDATE: &str = "cloudtrail:UpdateTrail";
/// The properties that the call can set.
const FLAGS: [&str; 4] =
    ["EnableLogFileValidation", "IncludeGlobalServiceEvents", "IsMultiRegionTrail", "KMSKeyId"];

/// `cloudtrail.update_trail`; its element is the property's name.
#[derive(Debug)]
pub struct UpdateTrail;

static META: ActionMeta = ActionMeta {
    name: "cloudtrail.update_trail",
    title: "set a flag of the trail to its baseline",
    resource: TYPE,
    permissions: &[Permission::write(UPDATE, ARN), Permission::undo(UPDATE, ARN)],
    reversibility: Reversibility::Exact,
    stage: Stage::Element,
    undo_grants: false,
    countermeasure: "D3-RC",
};

impl Fix for UpdateTrail {
    fn meta(&self) -> &'static ActionMeta {
        &META
    }

    fn plan(
        &self,
        state: &State,
        element: &str,
        params: &Value,
    ) -> Result<Option<Plan>, PlanError> {
        let wrong = |problem: String| PlanError::Params { name: "baseline".to_owned(), problem };
        if !FLAGS.contains(&element) {
            return Err(wrong(format!("`{element}` is none of {FLAGS:?}")));
        }
        if state.unknown.contains(element) {
            return Err(PlanError::Unknown(element.to_owned()));
        }
        let facet = Facet::property(&format!("/{element}"));
        let after = match params.pointer(&format!("/baseline/{element}")) {
            Some(Value::String(it)) if element == "KMSKeyId" => Value::String(it.clone()),
            Some(Value::Bool(it)) if element != "KMSKeyId" => Value::Bool(*it),
            Some(other) => return Err(wrong(format!("`{element}` cannot be {other}"))),
            None => return Err(wrong(format!("it does not say what `{element}` shall be"))),
        };
        let change = Change::fix(META.name, state, facet, after);
        Ok((change.before != change.after).then(|| Plan::from(change)))
    }
}

impl Action for UpdateTrail {
    fn apply<'a>(
        &'a self,
        aws: &'a Aws,
        change: &'a Authorized<Change>,
        session: &'a str,
    ) -> BoxFuture<'a, Result<Applied, CloudError>> {
        Box::pin(async move {
            let Some(trail) = writable(aws, &META, change, session).await? else {
                return Ok(Applied::already());
            };
            let wanted = change.get();
            let call = trail.client.update_trail().name(&trail.arn);
            let call = match (wanted.facet.pointer.as_str(), &wanted.after) {
                ("/EnableLogFileValidation", Value::Bool(it)) => {
                    call.enable_log_file_validation(*it)
                }
                ("/IncludeGlobalServiceEvents", Value::Bool(it)) => {
                    call.include_global_service_events(*it)
                }
                ("/IsMultiRegionTrail", Value::Bool(it)) => call.is_multi_region_trail(*it),
                ("/KMSKeyId", Value::String(it)) => call.kms_key_id(it),
                // An empty key means none.
                ("/KMSKeyId", Value::Null) => call.kms_key_id(""),
                (pointer, after) => {
                    let problem = format!("`{pointer}` cannot be set to {after}");
                    return Err(CloudError::unsupported(META.name, problem));
                }
            };
            let output = call.send().await.map_err(|it| cloud_error(UPDATE, &it))?;
            Ok(Applied::of(&output))
        })
    }
}
