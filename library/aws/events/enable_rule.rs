//! Enables a rule that was disabled. What happened in between is not delivered later.
//!
//! A rule that was enabled with all management events comes back as an ordinary enabled one: how it
//! was enabled is not remembered anywhere.

use super::rule::{ARN, TYPE, bus_and_name};
use crate::aws::Aws;
use crate::aws::errors::cloud_error;
use crate::cloud::{Action, Applied, CloudError};
use aws_sdk_eventbridge::Client;
use futures::future::BoxFuture;
use quell_core::action::{ActionMeta, Fix, Plan, PlanError, Reversibility, Stage};
use quell_core::change::{Change, Facet};
use quell_core::decide::authorized::Authorized;
use quell_core::resource::{Permission, State};
use serde_json::{Value, json};

const STATE: &str = "State";
const ENABLED: &str = "ENABLED";
const DISABLED: &str = "DISABLED";
const ENABLE: &str = "events:EnableRule";
const DISABLE: &str = "events:DisableRule";

/// `events.enable_rule`.
#[derive(Debug)]
pub struct EnableRule;

static META: ActionMeta = ActionMeta {
    name: "events.enable_rule",
    title: "enable the rule again",
    resource: TYPE,
    permissions: &[Permission::write(ENABLE, ARN), Permission::undo(DISABLE, ARN)],
    reversibility: Reversibility::Exact,
    stage: Stage::Element,
    undo_grants: false,
    countermeasure: "D3-RC",
};

impl Fix for EnableRule {
    fn meta(&self) -> &'static ActionMeta {
        &META
    }

    fn plan(
        &self,
        state: &State,
        element: &str,
        _params: &Value,
    ) -> Result<Option<Plan>, PlanError> {
        // What else may be wrong with a rule is not mended by enabling it.
        if element != STATE {
            return Ok(None);
        }
        match state.properties.get(STATE).and_then(Value::as_str) {
            None => Err(PlanError::Unknown(STATE.to_owned())),
            Some(DISABLED) => {
                let facet = Facet::property("/State");
                Ok(Some(Plan::from(Change::fix(META.name, state, facet, json!(ENABLED)))))
            }
            Some(_) => Ok(None),
        }
    }
}

impl Action for EnableRule {
    fn apply<'a>(
        &'a self,
        aws: &'a Aws,
        change: &'a Authorized<Change>,
        session: &'a str,
    ) -> BoxFuture<'a, Result<Applied, CloudError>> {
        Box::pin(async move {
            let client = Client::new(&aws.writer(&META, change, session).await?);
            let change = change.get();
            let (bus, name) = bus_and_name(&change.resource.id);
            match change.after == json!(ENABLED) {
                true => {
                    let call = client.enable_rule().name(name).event_bus_name(bus);
                    let sent = call.send().await;
                    Ok(Applied::of(&sent.map_err(|it| cloud_error(ENABLE, &it))?))
                }
                false => {
                    let call = client.disable_rule().name(name).event_bus_name(bus);
                    let sent = call.send().await;
                    Ok(Applied::of(&sent.map_err(|it| cloud_error(DISABLE, &it))?))
                }
            }
        })
    }
}
