//! A simulated account: a map of states that hands out reads and applies a change at its facet.
//!
//! It drives `quell demo`, where nothing needs to be installed, and the deterministic simulation of
//! the whole loop, where it also fails in the ways that clouds fail ([`faults`]). Because a change
//! is data, the account needs to know nothing about any service. It is kept as one file in the data
//! folder, so that `quell undo` works on the demo's account after the demo has ended.
//!
//! Deliberately not here: permissions, and what a service would refuse.

pub mod clock;
pub mod dice;
pub mod faults;

use crate::clock::Clock;
use crate::journal::lock;
use camino::{Utf8Path, Utf8PathBuf};
use clock::ShiftedClock;
use faults::{ApplyFault, Faults};
use futures::future::BoxFuture;
use jiff::Timestamp;
use quell_core::change::{Change, PROVIDER_ASSIGNED, element_id};
use quell_core::decide::authorized::Authorized;
use quell_core::event::CloudScope;
use quell_core::heartbeat::{Heartbeat, TAG};
use quell_core::resource::{ResourceRef, State, Trust};
use quell_library::cloud::{Applied, CloudError, CloudErrorKind, World};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

/// The file in the data folder that holds the account.
pub const ACCOUNT_FILE: &str = "simulated-account.json";

/// Whether a data folder belongs to a simulated account.
pub fn is_simulated(data_dir: &Utf8Path) -> bool {
    data_dir.join(ACCOUNT_FILE).is_file()
}

/// A simulated account.
#[derive(Debug)]
pub struct SimulatedAccount {
    file: Option<Utf8PathBuf>,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    states: BTreeMap<ResourceRef, State>,
    calls: u64,
    stopped: Option<Stopped>,
    faults: Faults,
    /// What reads still show of a resource that was written, and how often.
    stale: BTreeMap<ResourceRef, (State, u32)>,
}

/// The account as its file holds it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// Calls that were made; the next provider-assigned id follows from it.
    calls: u64,
    /// Where the simulation's clock stood when it ended, if it has.
    stopped: Option<Stopped>,
    resources: Vec<State>,
}

/// Where the simulation's clock stood at which moment of the system's clock.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stopped {
    simulated: Timestamp,
    system: Timestamp,
}

impl SimulatedAccount {
    /// An account of the given resources; with a data folder it is kept there.
    pub fn new(states: Vec<State>, data_dir: Option<&Utf8Path>) -> Result<Self, String> {
        let states = states.into_iter().map(|it| (it.resource.clone(), it)).collect();
        let account = SimulatedAccount {
            file: data_dir.map(|it| it.join(ACCOUNT_FILE)),
            inner: Mutex::new(Inner { states, ..Inner::default() }),
        };
        account.save(&lock(&account.inner))?;
        Ok(account)
    }

    /// The account that a data folder holds.
    pub fn load(data_dir: &Utf8Path) -> Result<SimulatedAccount, String> {
        let file = data_dir.join(ACCOUNT_FILE);
        let text = std::fs::read(&file).map_err(|it| format!("`{file}`: {it}"))?;
        let kept: Kept = serde_json::from_slice(&text).map_err(|it| format!("`{file}`: {it}"))?;
        let states = kept.resources.into_iter().map(|it| (it.resource.clone(), it)).collect();
        let inner = Inner { states, calls: kept.calls, stopped: kept.stopped, ..Inner::default() };
        Ok(SimulatedAccount { file: Some(file), inner: Mutex::new(inner) })
    }

    /// The same account, failing as clouds fail.
    #[must_use]
    pub fn failing(self, faults: Faults) -> SimulatedAccount {
        lock(&self.inner).faults = faults;
        self
    }

    /// From now on it works as it should.
    pub fn heal(&self) {
        lock(&self.inner).faults = Faults::default();
    }

    /// Somebody else's call: changes a resource, makes it, or (with `None`) deletes it.
    pub fn set(&self, resource: &ResourceRef, state: Option<State>) -> Result<(), String> {
        let mut inner = lock(&self.inner);
        inner.stale.remove(resource);
        match state {
            Some(state) => inner.states.insert(resource.clone(), state),
            None => inner.states.remove(resource),
        };
        self.save(&inner)
    }

    /// Somebody else's call on a resource that is there.
    pub fn edit(
        &self,
        resource: &ResourceRef,
        edit: impl FnOnce(&mut State),
    ) -> Result<(), String> {
        let mut state = self.get(resource).ok_or_else(|| format!("there is no {resource}"))?;
        edit(&mut state);
        self.set(resource, Some(state))
    }

    /// What a resource is now, whatever a stale read shows.
    pub fn get(&self, resource: &ResourceRef) -> Option<State> {
        lock(&self.inner).states.get(resource).cloned()
    }

    /// The first resource that fits.
    pub fn find(&self, fits: impl Fn(&State) -> bool) -> Option<ResourceRef> {
        let inner = lock(&self.inner);
        inner.states.values().find(|it| fits(it)).map(|it| it.resource.clone())
    }

    /// How many resources there are.
    pub fn len(&self) -> usize {
        lock(&self.inner).states.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The id of a rule that is made now.
    pub fn next_rule_id(&self) -> String {
        let mut inner = lock(&self.inner);
        inner.calls += 1;
        rule_id(inner.calls)
    }

    /// The simulation ends: later commands on this account go on from where its clock stands.
    pub fn stop(&self, clock: &dyn Clock) -> Result<(), String> {
        let mut inner = lock(&self.inner);
        inner.stopped = Some(Stopped { simulated: clock.now(), system: Timestamp::now() });
        self.save(&inner)
    }

    /// The clock of commands that come after the simulation.
    pub fn clock(&self) -> ShiftedClock {
        let stopped = lock(&self.inner).stopped;
        ShiftedClock::new(
            stopped.map_or_else(Default::default, |it| it.simulated.duration_since(it.system)),
        )
    }

    /// Written whole beside the file, then renamed: a crash leaves the old one or the new one.
    fn save(&self, inner: &Inner) -> Result<(), String> {
        let Some(file) = &self.file else { return Ok(()) };
        let kept = Kept {
            calls: inner.calls,
            stopped: inner.stopped,
            resources: inner.states.values().cloned().collect(),
        };
        let text = serde_json::to_vec_pretty(&kept).map_err(|it| it.to_string())?;
        let beside = file.with_extension("json.new");
        let written = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, file));
        written.map_err(|it| format!("`{file}`: {it}"))
    }

    fn shown(&self, resource: &ResourceRef) -> Result<Option<State>, CloudError> {
        let mut inner = lock(&self.inner);
        if inner.faults.throttles_read() {
            return Err(throttled("simulated:Read"));
        }
        let mut state = match inner.stale.get_mut(resource) {
            Some((old, left)) if 0 < *left => {
                *left -= 1;
                Some(old.clone())
            }
            _ => inner.states.get(resource).cloned(),
        };
        if let (Some(state), Some(kind)) = (&mut state, quell_library::resource(&resource.kind)) {
            state.facts = kind.facts(state, &Trust::default());
        }
        Ok(state)
    }

    fn make(&self, change: &Change) -> Result<Applied, CloudError> {
        let mut inner = lock(&self.inner);
        inner.calls += 1;
        let call = inner.calls;
        let fail = |it: String| CloudError::unsupported(&change.action, it);
        let fault = inner.faults.on_apply();
        if fault == Some(ApplyFault::Before) {
            return Err(throttled(&change.action));
        }
        let Inner { states, faults, stale, .. } = &mut *inner;
        let state = states.get_mut(&change.resource).ok_or_else(|| gone(&change.action))?;
        faults.interfere(state);
        let old = state.clone();
        change.apply_to(&mut state.properties).map_err(|it| fail(it.to_string()))?;
        assign_ids(change, &mut state.properties, call);
        add_version(change, &mut state.properties);
        match faults.stale_reads() {
            0 => stale.remove(&change.resource),
            reads => stale.insert(change.resource.clone(), (old, reads)),
        };
        self.save(&inner).map_err(fail)?;
        if fault == Some(ApplyFault::After) {
            return Err(no_answer(&change.action));
        }
        Ok(Applied { request_ids: vec![request_id(call)], note: None })
    }
}

impl SimulatedAccount {
    fn tag(&self, heartbeat: &Heartbeat) -> Result<Applied, CloudError> {
        let mut inner = lock(&self.inner);
        inner.calls += 1;
        let call = inner.calls;
        let rule = inner.states.get_mut(&heartbeat.rule).ok_or_else(|| gone("heartbeat"))?;
        rule.tags.insert(TAG.to_owned(), heartbeat.nonce.clone());
        self.save(&inner).map_err(|it| CloudError::unsupported("heartbeat", it))?;
        Ok(Applied { request_ids: vec![request_id(call)], note: None })
    }
}

impl World for SimulatedAccount {
    fn read<'a>(
        &'a self,
        resource: &'a ResourceRef,
    ) -> BoxFuture<'a, Result<Option<State>, CloudError>> {
        Box::pin(async move { self.shown(resource) })
    }

    fn glance<'a>(
        &'a self,
        resource: &'a ResourceRef,
        properties: &'a BTreeSet<String>,
    ) -> BoxFuture<'a, Result<Option<State>, CloudError>> {
        Box::pin(async move {
            let kind = quell_library::resource(&resource.kind);
            let Some(kind) = kind.filter(|it| !it.parts().is_empty()) else { return Ok(None) };
            let Some(mut state) = self.shown(resource)? else { return Ok(None) };
            let unread = kind.parts().iter().filter(|it| !properties.contains(**it));
            let unread: BTreeSet<String> = unread.map(|it| (*it).to_owned()).collect();
            if let Some(fields) = state.properties.as_object_mut() {
                fields.retain(|name, _| !unread.contains(name));
            }
            state.tags.clear();
            state.unknown.extend(unread);
            state.facts = kind.facts(&state, &Trust::default());
            Ok(Some(state))
        })
    }

    fn apply<'a>(
        &'a self,
        change: &'a Authorized<Change>,
        _session: &'a str,
    ) -> BoxFuture<'a, Result<Applied, CloudError>> {
        Box::pin(async move { self.make(change.get()) })
    }

    fn places(&self) -> Vec<CloudScope> {
        let inner = lock(&self.inner);
        let places = inner
            .states
            .keys()
            .map(|it| CloudScope { account: it.account.clone(), region: it.region.clone() });
        places.collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn list<'a>(
        &'a self,
        kind: &'a str,
        place: &'a CloudScope,
    ) -> BoxFuture<'a, Result<Vec<ResourceRef>, CloudError>> {
        Box::pin(async move {
            let mut inner = lock(&self.inner);
            if inner.faults.throttles_read() {
                return Err(throttled("simulated:List"));
            }
            let here = inner.states.keys().filter(|it| {
                it.kind == kind && it.account == place.account && it.region == place.region
            });
            Ok(here.cloned().collect())
        })
    }

    fn beat<'a>(
        &'a self,
        heartbeat: &'a Authorized<Heartbeat>,
    ) -> BoxFuture<'a, Result<Applied, CloudError>> {
        Box::pin(async move { self.tag(heartbeat.get()) })
    }
}

/// What the provider names, it names anew when the thing is made again.
fn assign_ids(change: &Change, properties: &mut Value, call: u64) {
    let Some(id) = change.facet.element.as_ref().filter(|_| change.before.is_null()) else {
        return;
    };
    let list = properties.pointer_mut(&change.facet.pointer).and_then(Value::as_array_mut);
    let made = list.into_iter().flatten().find(|it| element_id(it) == *id);
    let Some(made) = made.and_then(Value::as_object_mut) else { return };
    for key in PROVIDER_ASSIGNED {
        if let Some(id) = made.get_mut(key) {
            *id = match key {
                "RuleId" => Value::String(rule_id(call)),
                _ => Value::String(format!("v{call}")),
            };
        }
    }
}

/// What has versions gets a new one with each write, and loses what the change discards.
fn add_version(change: &Change, properties: &mut Value) {
    let Some(Value::Array(versions)) = properties.get_mut("Versions") else { return };
    versions.retain(|it| it.as_str() != change.discards.as_deref());
    let number = |it: &Value| it.as_str()?.strip_prefix('v')?.parse::<u64>().ok();
    let newest = versions.iter().filter_map(number).max().unwrap_or(0);
    let version = Value::String(format!("v{}", newest + 1));
    versions.push(version.clone());
    if let Some(default) = properties.get_mut("DefaultVersionId") {
        *default = version;
    }
}

fn request_id(call: u64) -> String {
    format!("simulated-{call:08}")
}

fn rule_id(call: u64) -> String {
    format!("sgr-0{call:016x}")
}

fn throttled(operation: &str) -> CloudError {
    CloudError {
        kind: CloudErrorKind::Throttled,
        operation: operation.to_owned(),
        message: "Throttling: Rate exceeded (simulated)".to_owned(),
        request_id: None,
    }
}

fn no_answer(operation: &str) -> CloudError {
    CloudError {
        kind: CloudErrorKind::Unavailable,
        operation: operation.to_owned(),
        message: "no answer within the time limit (simulated)".to_owned(),
        request_id: None,
    }
}

fn gone(operation: &str) -> CloudError {
    CloudError {
        kind: CloudErrorKind::NotFound,
        operation: operation.to_owned(),
        message: "no such resource (simulated)".to_owned(),
        request_id: None,
    }
}
