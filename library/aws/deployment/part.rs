//! A part of a deployment, named by its ARN, with the call that was just made on it.
//!
//! | property | is |
//! |---|---|
//! | `Call` | the API's name of the call, without Lambda's date |
//! | `Caller` | ARN of the role, user or service that made it |
//!
//! It can't be read, since it stands for things of every kind: what an event proves is all that is
//! judged, and what was found stands until a person exempts it.

use super::calls;
use crate::aws::Aws;
use crate::cloud::{CloudError, Resource, Seen};
use futures::future::BoxFuture;
use quell_core::event::{CloudScope, Event, Status};
use quell_core::resource::{Kind, KindMeta, ResourceRef, State, Trust};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// CloudFormation has no type for it; the name follows its form.
pub const TYPE: &str = "Quell::Deployment::Part";

static META: KindMeta = KindMeta {
    cloudformation: TYPE,
    terraform: "",
    custodian: "",
    asff: "Other",
    arn: "{id}",
    properties: &["Call", "Caller"],
    reads: &[],
    lists: &[],
    global: false,
};

/// A part.
#[derive(Debug)]
pub struct Part;

impl Kind for Part {
    fn meta(&self) -> &'static KindMeta {
        &META
    }

    fn targets(&self, event: &Event) -> Vec<ResourceRef> {
        let part = |arn: String| ResourceRef {
            kind: TYPE.to_owned(),
            id: arn,
            account: event.cloud.account.clone(),
            region: event.cloud.region.clone(),
        };
        calls::weakened(event).into_iter().map(part).collect()
    }

    fn is_elsewhere(&self, event: &Event) -> bool {
        calls::weakens_nothing(event)
    }

    fn implied(&self, event: &Event, target: &ResourceRef) -> Option<State> {
        if event.status != Status::Success || !self.targets(event).contains(target) {
            return None;
        }
        Some(State {
            resource: target.clone(),
            tags: BTreeMap::new(),
            properties: json!({ "Call": calls::name(event), "Caller": event.actor.id() }),
            facts: Value::Null,
            unknown: BTreeSet::new(),
            observed: event.time,
        })
    }

    /// `arn`: the part's. `names`: the parts of its name, as in `log-group:/aws/lambda/NAME`.
    fn facts(&self, state: &State, _trust: &Trust) -> Value {
        let arn = &state.resource.id;
        let resource = arn.splitn(6, ':').last().unwrap_or(arn);
        let names: Vec<&str> = resource.split(['/', ':']).filter(|it| !it.is_empty()).collect();
        json!({ "arn": arn, "names": names })
    }
}

impl Resource for Part {
    fn read<'a>(
        &'a self,
        _aws: &'a Aws,
        _resource: &'a ResourceRef,
    ) -> BoxFuture<'a, Result<Option<Seen>, CloudError>> {
        Box::pin(async { Err(CloudError::unsupported(TYPE, "only events tell of it")) })
    }

    fn list<'a>(
        &'a self,
        _aws: &'a Aws,
        _place: &'a CloudScope,
    ) -> BoxFuture<'a, Result<Vec<ResourceRef>, CloudError>> {
        Box::pin(async { Err(CloudError::unsupported(TYPE, "only events tell of it")) })
    }
}
