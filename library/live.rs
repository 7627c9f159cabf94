//! The live cloud as a [`World`]: finds the resource or action by name, derives facts, stamps the
//! time of the read.

use crate::aws::Aws;
use crate::cloud::{Applied, CloudError, Resource, Seen, World};
use futures::future::BoxFuture;
use jiff::Timestamp;
use quell_core::change::Change;
use quell_core::decide::authorized::Authorized;
use quell_core::event::CloudScope;
use quell_core::heartbeat::Heartbeat;
use quell_core::resource::{ResourceRef, State, Trust};
use std::collections::{BTreeMap, BTreeSet};

/// The live cloud.
#[derive(Debug)]
pub struct Live {
    aws: Aws,
    trust: Trust,
}

impl Live {
    /// A world of the given accounts, judged by whom they trust.
    pub fn new(aws: Aws, trust: Trust) -> Live {
        Live { aws, trust }
    }

    /// The AWS side.
    pub fn aws(&self) -> &Aws {
        &self.aws
    }

    /// What was seen, with what it means.
    fn state(
        &self,
        kind: &dyn Resource,
        resource: &ResourceRef,
        seen: Seen,
        unknown: BTreeSet<String>,
    ) -> State {
        let mut state = State {
            resource: resource.clone(),
            tags: seen.tags,
            properties: seen.properties,
            facts: serde_json::Value::Null,
            unknown,
            observed: Timestamp::now(),
        };
        state.facts = kind.facts(&state, &self.trust);
        state
    }
}

impl World for Live {
    fn read<'a>(
        &'a self,
        resource: &'a ResourceRef,
    ) -> BoxFuture<'a, Result<Option<State>, CloudError>> {
        Box::pin(async move {
            let kind = crate::resource(&resource.kind)
                .ok_or_else(|| CloudError::unsupported(&resource.kind, "no such resource type"))?;
            let seen = kind.read(&self.aws, resource).await?;
            Ok(seen.map(|it| self.state(kind, resource, it, BTreeSet::new())))
        })
    }

    fn glance<'a>(
        &'a self,
        resource: &'a ResourceRef,
        properties: &'a BTreeSet<String>,
    ) -> BoxFuture<'a, Result<Option<State>, CloudError>> {
        Box::pin(async move {
            let kind = crate::resource(&resource.kind).filter(|it| !it.parts().is_empty());
            let Some(kind) = kind else { return Ok(None) };
            let Some(seen) = kind.glance(&self.aws, resource, properties).await? else {
                return Ok(None);
            };
            let unread = kind.parts().iter().filter(|it| !properties.contains(**it));
            let unread = unread.map(|it| (*it).to_owned()).collect();
            let seen = Seen { tags: BTreeMap::new(), ..seen };
            Ok(Some(self.state(kind, resource, seen, unread)))
        })
    }

    fn apply<'a>(
        &'a self,
        change: &'a Authorized<Change>,
        session: &'a str,
    ) -> BoxFuture<'a, Result<Applied, CloudError>> {
        Box::pin(async move {
            let name = &change.get().action;
            let action = crate::action(name)
                .ok_or_else(|| CloudError::unsupported(name, "no such action"))?;
            action.apply(&self.aws, change, session).await
        })
    }

    fn places(&self) -> Vec<CloudScope> {
        let settings = self.aws.settings();
        let regions = settings.watched_regions();
        let accounts = settings.accounts.keys();
        accounts
            .flat_map(|account| {
                regions.iter().map(|region| CloudScope {
                    account: account.clone(),
                    region: (*region).to_owned(),
                })
            })
            .collect()
    }

    fn list<'a>(
        &'a self,
        kind: &'a str,
        place: &'a CloudScope,
    ) -> BoxFuture<'a, Result<Vec<ResourceRef>, CloudError>> {
        Box::pin(async move {
            let known = crate::resource(kind)
                .ok_or_else(|| CloudError::unsupported(kind, "no such resource type"))?;
            known.list(&self.aws, place).await
        })
    }

    fn beat<'a>(
        &'a self,
        heartbeat: &'a Authorized<Heartbeat>,
    ) -> BoxFuture<'a, Result<Applied, CloudError>> {
        Box::pin(crate::aws::events::heartbeat::write(&self.aws, heartbeat))
    }
}
