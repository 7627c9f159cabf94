//! Starts a trail that was stopped. What happened in between is lost: a trail has no backfill.

use super::trail::{ARN, TYPE, writable};
use crate::aws::Aws;
use crate::aws::errors::cloud_error;
use crate::cloud::{Action, Applied, CloudError};
use futures::future::BoxFuture;
use quell_core::action::{ActionMeta, Fix, Plan, PlanError, Reversibility, Stage};
use quell_core::change::{Change, Facet};
use quell_core::decide::authorized::Authorized;
use quell_core::resource::{Permission, State};
use serde_json::{Value, json};

/// The property that says whether a trail logs.
const IS_LOGGING: &str = "IsLogging";
const START: &str = "cloudtrail:StartLogging";
const STOP: &str = "cloudtrail:StopLogging";

/// `cloudtrail.start_logging`.
#[derive(Debug)]
pub struct StartLogging;

static META: ActionMeta = ActionMeta {
    name: "cloudtrail.start_logging",
    title: "start the trail again",
    resource: TYPE,
    permissions: &[Permission::write(START, ARN), Permission::undo(STOP, ARN)],
    reversibility: Reversibility::Exact,
    stage: Stage::Element,
    undo_grants: false,
    countermeasure: "D3-RC",
};

impl Fix for StartLogging {
    fn meta(&self) -> &'static ActionMeta {
        &META
    }

    fn plan(
        &self,
        state: &State,
        _element: &str,
        _params: &Value,
    ) -> Result<Option<Plan>, PlanError> {
        match state.properties.get(IS_LOGGING) {
            Some(Value::Bool(true)) => Ok(None),
            Some(Value::Bool(false)) => {
                let facet = Facet::property("/IsLogging");
                Ok(Some(Plan::from(Change::fix(META.name, state, facet, json!(true)))))
            }
            _ => Err(PlanError::Unknown(IS_LOGGING.to_owned())),
        }
    }
}

impl Action for StartLogging {
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
            match change.get().after == json!(true) {
                true => {
                    let sent = trail.client.start_logging().name(&trail.arn).send().await;
                    Ok(Applied::of(&sent.map_err(|it| cloud_error(START, &it))?))
                }
                false => {
                    let sent = trail.client.stop_logging().name(&trail.arn).send().await;
                    Ok(Applied::of(&sent.map_err(|it| cloud_error(STOP, &it))?))
                }
            }
        })
    }
}
