//! A simulated account: a map of states that hands out reads and applies a change at its facet.
//!
//! It drives `quell demo`, where nothing needs to be installed, and the deterministic simulation of
//! the whole loop. It is kept as one file in the data folder, so that `quell undo` works on the
//! demo's account after the demo has ended.

use crate::journal::lock;
use camino::{Utf8Path, Utf8PathBuf};
use futures::future::BoxFuture;
use quell_core::change::Change;
use quell_core::decide::authorized::Authorized;
use quell_core::resource::{ResourceRef, State, Trust};
use quell_library::cloud::{Applied, CloudError, World};
use std::collections::BTreeMap;
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
}

impl SimulatedAccount {
    /// An account of the given resources; with a data folder it is kept there.
    pub fn new(states: Vec<State>, data_dir: Option<&Utf8Path>) -> Result<Self, String> {
        let states = states.into_iter().map(|it| (it.resource.clone(), it)).collect();
        let account = SimulatedAccount {
            file: data_dir.map(|it| it.join(ACCOUNT_FILE)),
            inner: Mutex::new(Inner { states, calls: 0 }),
        };
        account.save(&lock(&account.inner))?;
        Ok(account)
    }

    /// The account that a data folder holds.
    pub fn load(data_dir: &Utf8Path) -> Result<SimulatedAccount, String> {
        let file = data_dir.join(ACCOUNT_FILE);
        let text = std::fs::read(&file).map_err(|it| format!("`{file}`: {it}"))?;
        let states: Vec<State> =
            serde_json::from_slice(&text).map_err(|it| format!("`{file}`: {it}"))?;
        SimulatedAccount::new(states, Some(data_dir))
    }

    /// Somebody else's call: changes a resource, makes it, or (with `None`) deletes it.
    pub fn set(&self, resource: &ResourceRef, state: Option<State>) -> Result<(), String> {
        let mut inner = lock(&self.inner);
        match state {
            Some(state) => inner.states.insert(resource.clone(), state),
            None => inner.states.remove(resource),
        };
        self.save(&inner)
    }

    /// What a resource is now.
    pub fn get(&self, resource: &ResourceRef) -> Option<State> {
        lock(&self.inner).states.get(resource).cloned()
    }

    /// Written whole beside the file, then renamed: a crash leaves the old one or the new one.
    fn save(&self, inner: &Inner) -> Result<(), String> {
        let Some(file) = &self.file else { return Ok(()) };
        let states: Vec<&State> = inner.states.values().collect();
        let text = serde_json::to_vec_pretty(&states).map_err(|it| it.to_string())?;
        let beside = file.with_extension("json.new");
        let written = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, file));
        written.map_err(|it| format!("`{file}`: {it}"))
    }
}

impl World for SimulatedAccount {
    fn read<'a>(
        &'a self,
        resource: &'a ResourceRef,
    ) -> BoxFuture<'a, Result<Option<State>, CloudError>> {
        let kind = quell_library::resource(&resource.kind);
        let state = self.get(resource).map(|mut state| {
            if let Some(kind) = kind {
                state.facts = kind.facts(&state, &Trust::default());
            }
            state
        });
        Box::pin(async move { Ok(state) })
    }

    fn apply<'a>(
        &'a self,
        change: &'a Authorized<Change>,
        _session: &'a str,
    ) -> BoxFuture<'a, Result<Applied, CloudError>> {
        let change = change.get();
        let mut inner = lock(&self.inner);
        inner.calls += 1;
        let call = inner.calls;
        let fail = |it: String| CloudError::unsupported(&change.action, it);
        let applied = match inner.states.get_mut(&change.resource) {
            None => Err(fail("no such resource".to_owned())),
            Some(state) => {
                change.apply_to(&mut state.properties).map_err(|it| fail(it.to_string()))
            }
        };
        let saved = applied.and_then(|()| self.save(&inner).map_err(fail));
        let request = format!("simulated-{call:08}");
        Box::pin(async move { saved.map(|()| Applied { request_ids: vec![request], note: None }) })
    }
}
