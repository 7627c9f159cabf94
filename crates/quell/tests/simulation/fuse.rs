//! Crashes: a fuse that burns with every step of the world and of the journal. When it is burnt
//! down, that step never returns, and the process around it is dropped.

use futures::future::BoxFuture;
use jiff::Timestamp;
use quell::journal::{FleetCap, Journal, JournalError, MemoryJournal, ReserveResult, Turn};
use quell::simulation::SimulatedAccount;
use quell_core::change::Change;
use quell_core::decide::authorized::Authorized;
use quell_core::event::Event;
use quell_core::history::History;
use quell_core::record::Fact;
use quell_core::resource::{ResourceRef, State};
use quell_library::cloud::{Applied, CloudError, World};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::Notify;

/// Burns one step at a time.
#[derive(Debug)]
pub struct Fuse {
    left: AtomicI64,
    burnt: Notify,
}

impl Fuse {
    pub fn of(steps: i64) -> Fuse {
        Fuse { left: AtomicI64::new(steps), burnt: Notify::new() }
    }

    /// Returns when the process crashes.
    pub async fn burnt(&self) {
        self.burnt.notified().await;
    }

    async fn step(&self) {
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.burnt.notify_one();
        }
        if self.left.load(Ordering::SeqCst) <= 0 {
            futures::future::pending::<()>().await;
        }
    }
}

/// One effective change of Quell's: the resource before and after it.
#[derive(Debug, Clone)]
pub struct Made {
    pub change: Change,
    pub before: State,
    pub after: State,
}

/// The account as one process sees it, watched.
pub struct Watched {
    pub account: Arc<SimulatedAccount>,
    pub made: Arc<Mutex<Vec<Made>>>,
    pub fuse: Arc<Fuse>,
}

impl World for Watched {
    fn read<'a>(
        &'a self,
        resource: &'a ResourceRef,
    ) -> BoxFuture<'a, Result<Option<State>, CloudError>> {
        Box::pin(async move {
            self.fuse.step().await;
            self.account.read(resource).await
        })
    }

    fn apply<'a>(
        &'a self,
        change: &'a Authorized<Change>,
        session: &'a str,
    ) -> BoxFuture<'a, Result<Applied, CloudError>> {
        Box::pin(async move {
            self.fuse.step().await;
            let before = self.account.get(&change.get().resource);
            let applied = self.account.apply(change, session).await;
            let after = self.account.get(&change.get().resource);
            if let (Some(before), Some(after)) = (before, after)
                && before.properties != after.properties
            {
                let change = change.get().clone();
                self.made.lock().unwrap().push(Made { change, before, after });
            }
            // The call took effect, and nobody is left to hear of it.
            self.fuse.step().await;
            applied
        })
    }
}

/// The journal as one process sees it.
pub struct Fused {
    pub journal: Arc<MemoryJournal>,
    pub fuse: Arc<Fuse>,
}

impl Journal for Fused {
    fn turn<'a>(
        &'a self,
        resource: &'a ResourceRef,
        event: Option<&'a Event>,
    ) -> BoxFuture<'a, Result<Turn, JournalError>> {
        self.journal.turn(resource, event)
    }

    fn append(&self, time: Timestamp, facts: Vec<Fact>) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(async move {
            self.fuse.step().await;
            self.journal.append(time, facts).await?;
            self.fuse.step().await;
            Ok(())
        })
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.journal.history()
    }

    fn reserve(&self, now: Timestamp, cap: FleetCap) -> BoxFuture<'_, ReserveResult> {
        self.journal.reserve(now, cap)
    }

    fn load(&self) -> BoxFuture<'_, Result<(), JournalError>> {
        self.journal.load()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), JournalError>> {
        self.journal.close()
    }
}

/// What a new process makes of the durable facts of the old one.
pub async fn reopened(journal: &MemoryJournal) -> MemoryJournal {
    let fresh = MemoryJournal::default();
    for (time, fact) in journal.facts() {
        fresh.append(time, vec![fact]).await.unwrap();
    }
    fresh
}
