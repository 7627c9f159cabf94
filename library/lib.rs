//! What Quell knows of each cloud, readable by a security engineer who writes no Rust.
//!
//! `aws/<service>/` holds that service's resources, its actions and one folder per policy. A policy
//! is found by its folder alone; a resource or an action is a line in the service's `mod.rs`, and
//! this file's [`Library`] is all of them together. Private policies are the same folders on disk.
//!
//! Two traits add to the pure halves in `quell_core` what needs the network: [`Resource`] reads,
//! [`Action`] applies. Nothing here decides.

pub mod aws;
pub mod clocks;
pub mod cloud;
pub mod folder;
pub mod live;
pub mod permissions;
pub mod story;

use cloud::{Action, Resource};
use folder::{BUILT_IN, FolderError, PolicyFolder};
use quell_core::event::Event;
use quell_core::plan::Plan;
use quell_core::policy::{Policy, PolicyLimits, looks};
use quell_core::resource::{Planned, ResourceRef};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Resources, actions and compiled policies.
#[derive(Debug)]
pub struct Library {
    policies: Vec<Policy>,
    folders: Vec<PolicyFolder>,
}

impl Library {
    /// Compiles the given policy folders; `params` override the policies' parameters, by policy id.
    pub fn load(
        mut folders: Vec<PolicyFolder>,
        params: &BTreeMap<String, BTreeMap<String, Value>>,
        limits: PolicyLimits,
    ) -> Result<Library, FolderError> {
        folders.sort_by(|left, right| left.id.cmp(&right.id));
        let none = BTreeMap::new();
        let mut policies: Vec<Policy> = Vec::with_capacity(folders.len());
        for folder in &folders {
            let policy = folder.compile(params.get(&folder.id).unwrap_or(&none), limits)?;
            if policies.last().is_some_and(|it| it.id() == policy.id()) {
                return Err(folder.fault("a policy with this id is loaded already"));
            }
            for (kind, remediation) in policy.meta().resources() {
                if resource(kind).is_none() {
                    return Err(folder.fault(&format!("no resource `{kind}` is known")));
                }
                if let Some(it) = remediation
                    && action(&it.action).is_none_or(|it| it.meta().resource != kind)
                {
                    let problem = format!("no action `{}` on `{kind}` is known", it.action);
                    return Err(folder.fault(&problem));
                }
            }
            policies.push(policy);
        }
        Ok(Library { policies, folders })
    }

    /// The built-in policies with their own parameters.
    pub fn builtin() -> Result<Library, FolderError> {
        Library::load(folder::builtin()?, &BTreeMap::new(), PolicyLimits::default())
    }

    /// All policies, by id.
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// One policy.
    pub fn policy(&self, id: &str) -> Option<&Policy> {
        self.policies.iter().find(|it| it.id() == id)
    }

    /// The folders that the policies came from, in the same order.
    pub fn folders(&self) -> &[PolicyFolder] {
        &self.folders
    }

    /// The action that fixes a policy's violations by resources of a CloudFormation type.
    pub fn action_of(&self, policy: &Policy, kind: &str) -> Option<&'static dyn Action> {
        action(&policy.meta().remediation_of(kind)?.action)
    }

    /// Every property that a policy looks at; `None` where its text does not tell them all. What
    /// facts are made of only our own policies tell by their `reads`, which a test proves.
    pub fn properties_of(&self, policy: &Policy) -> Option<BTreeSet<String>> {
        let folder = self.folders.iter().find(|it| it.id == policy.id())?;
        let named = looks::all(&folder.rego, folder.place == BUILT_IN)?;
        let reads = policy.meta().reads.iter().cloned();
        Some(named.into_iter().map(str::to_owned).chain(reads).collect())
    }

    /// The resources that an event led a policy to: each must be judged.
    pub fn targets(&self, policy: &Policy, event: &Event) -> Vec<ResourceRef> {
        let kinds = policy.meta().resources().filter_map(|(kind, _)| resource(kind));
        kinds.flat_map(|it| it.targets(event)).collect()
    }

    /// Whether an event should have led a policy to a resource and did not: it names none that
    /// could be looked at. That is unknown, never a pass.
    pub fn misses(&self, policy: &Policy, event: &Event) -> bool {
        let mut kinds = policy.meta().resources().filter_map(|(kind, _)| resource(kind));
        kinds.all(|it| it.targets(event).is_empty() && !it.is_elsewhere(event))
    }
}

/// Every resource type.
pub fn resources() -> impl Iterator<Item = &'static dyn Resource> {
    aws::RESOURCES.iter().flat_map(|it| it.iter()).copied()
}

/// Every action.
pub fn actions() -> impl Iterator<Item = &'static dyn Action> {
    aws::ACTIONS.iter().flat_map(|it| it.iter()).copied()
}

/// A resource type by its CloudFormation name.
pub fn resource(cloudformation: &str) -> Option<&'static dyn Resource> {
    resources().find(|it| it.meta().cloudformation == cloudformation)
}

/// Every resource that infrastructure code declares, whole or in part, by type and address.
pub fn planned(plan: &Plan) -> Vec<Planned> {
    let plan = aws::planned::unified(plan);
    resources().flat_map(|it| it.planned(&plan)).collect()
}

/// An action by its name.
pub fn action(name: &str) -> Option<&'static dyn Action> {
    actions().find(|it| it.meta().name == name)
}
