//! Makes a trail's selectors log the management events that a policy's `baseline` demands.
//!
//! It only adds: see [`widened`]. The call replaces all selectors of a trail, so the others are
//! sent again as they were read a moment before.

use super::management_events::{ADVANCED, BASIC, Demand, widened};
use super::selectors::{AdvancedEventSelector, EventSelector};
use super::trail::{ARN, TYPE, Writable, writable};
use crate::aws::Aws;
use crate::aws::errors::cloud_error;
use crate::cloud::{Action, Applied, CloudError};
use futures::future::BoxFuture;
use quell_core::action::{ActionMeta, Fix, Plan, PlanError, Reversibility, Stage};
use quell_core::change::{Change, Facet};
use quell_core::decide::authorized::Authorized;
use quell_core::resource::{Permission, State};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The IAM action of the call.
pub const PUT: &str = "cloudtrail:PutEventSelectors";

/// `cloudtrail.put_event_selectors`.
#[derive(Debug)]
pub struct PutEventSelectors;

static META: ActionMeta = ActionMeta {
    name: "cloudtrail.put_event_selectors",
    title: "make the trail log management events again",
    resource: TYPE,
    permissions: &[Permission::write(PUT, ARN), Permission::undo(PUT, ARN)],
    reversibility: Reversibility::Exact,
    stage: Stage::Element,
    undo_grants: false,
    countermeasure: "D3-RC",
};

impl Fix for PutEventSelectors {
    fn meta(&self) -> &'static ActionMeta {
        &META
    }

    fn plan(
        &self,
        state: &State,
        _element: &str,
        params: &Value,
    ) -> Result<Option<Plan>, PlanError> {
        if let Some(it) = [BASIC, ADVANCED].into_iter().find(|it| state.unknown.contains(*it)) {
            return Err(PlanError::Unknown(it.to_owned()));
        }
        let baseline = params.get("baseline").cloned().unwrap_or_default();
        let demand: Demand = serde_json::from_value(baseline).map_err(|it| PlanError::Params {
            name: "baseline".to_owned(),
            problem: it.to_string(),
        })?;
        let Some((property, after)) =
            widened(&state.properties, &demand).map_err(PlanError::Shape)?
        else {
            return Ok(None);
        };
        let facet = Facet::property(&format!("/{property}"));
        Ok(Some(Plan::from(Change::fix(META.name, state, facet, after))))
    }
}

impl Action for PutEventSelectors {
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
            if wanted.facet.pointer == format!("/{ADVANCED}") {
                put_advanced(&trail, list(&wanted.after)?).await
            } else {
                put_basic(&trail, list(&wanted.after)?).await
            }
        })
    }
}

async fn put_basic(trail: &Writable, list: Vec<EventSelector>) -> Result<Applied, CloudError> {
    let call = trail.client.put_event_selectors().trail_name(&trail.arn);
    let selectors = list.iter().map(EventSelector::to_sdk).collect();
    let sent = call.set_event_selectors(Some(selectors)).send().await;
    Ok(Applied::of(&sent.map_err(|it| cloud_error(PUT, &it))?))
}

async fn put_advanced(
    trail: &Writable,
    list: Vec<AdvancedEventSelector>,
) -> Result<Applied, CloudError> {
    let call = trail.client.put_event_selectors().trail_name(&trail.arn);
    let selectors: Result<Vec<_>, _> = list.iter().map(AdvancedEventSelector::to_sdk).collect();
    let selectors = selectors.map_err(|it| CloudError::unsupported(PUT, it.to_string()))?;
    let sent = call.set_advanced_event_selectors(Some(selectors)).send().await;
    Ok(Applied::of(&sent.map_err(|it| cloud_error(PUT, &it))?))
}

fn list<Selector: DeserializeOwned>(value: &Value) -> Result<Vec<Selector>, CloudError> {
    serde_json::from_value(value.clone()).map_err(|it| CloudError::unsupported(PUT, it.to_string()))
}
