//! What the pipeline needs of a store: durable facts, the history that they fold to, and turns.
//!
//! A *turn* is the right to work on one resource. Within a process it is a lock; where several
//! processes share a store it is a lease too, and taking it brings the history up to date with what
//! all of them recorded. Whoever holds the turn may decide on the history, and record.

use futures::future::BoxFuture;
use jiff::Timestamp;
use quell_core::event::Event;
use quell_core::history::History;
use quell_core::record::Fact;
use quell_core::resource::ResourceRef;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use thiserror::Error;
use tokio::sync::OwnedMutexGuard;

/// A store, embedded or distributed.
pub trait Journal: Send + Sync {
    /// Waits for the right to work on a resource. From then on, until the turn ends, the history
    /// knows all that was recorded about the resource, and about the event that led to it.
    fn turn<'a>(
        &'a self,
        resource: &'a ResourceRef,
        event: Option<&'a Event>,
    ) -> BoxFuture<'a, Result<Turn, JournalError>>;

    /// Appends facts; when it returns they are durable and folded into [`Journal::history`]. What
    /// is about a resource is appended in its turn.
    fn append(&self, time: Timestamp, facts: Vec<Fact>) -> BoxFuture<'_, Result<(), JournalError>>;

    /// The folded history. Held only for a moment, never across an await.
    fn history(&self) -> MutexGuard<'_, History>;

    /// The last violation that this actor caused, as far as other processes noted one and the last
    /// turn for an event of theirs brought it here. Where there is one writer, its history says it.
    fn last_violation(&self, _actor: &str) -> Option<Violation> {
        None
    }

    /// Counts a change against the cap of all writers together, before its attempt is recorded.
    /// Where there is one writer, its history counts already.
    fn reserve(&self, now: Timestamp, cap: FleetCap) -> BoxFuture<'_, ReserveResult>;

    /// Brings the whole history up to date, whatever it is about: for people's questions. Where
    /// there is one writer, it always is.
    fn load(&self) -> BoxFuture<'_, Result<(), JournalError>>;

    /// Signs the present head of the ledger, where the one that writes it also signs. Where
    /// another role does, as with a distributed store, there is nothing to do here.
    fn sign(&self) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(async { Ok(()) })
    }

    /// The text that was last kept of a scan that is not at its end, if one was: see
    /// [`crate::scan::progress`]. It decides nothing but where a scan begins.
    fn kept_scan(&self) -> BoxFuture<'_, Result<Option<String>, JournalError>> {
        Box::pin(async { Ok(None) })
    }

    /// Keeps a text of a scan in place of the one before; `None` forgets it.
    fn keep_scan(&self, _text: Option<String>) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(async { Ok(()) })
    }

    /// Makes durable what was taken and gives free what is held.
    fn close(&self) -> BoxFuture<'_, Result<(), JournalError>>;
}

/// Most changes of all writers together within a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FleetCap {
    /// [`quell_core::decide::guardrails::Guardrails::fleet_changes_max`].
    pub changes_max: usize,
    /// [`quell_core::decide::guardrails::Guardrails::fleet_window_s`].
    pub window_s: i64,
}

/// What became of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reserved {
    /// It counts, and the change may be made.
    Granted,
    /// The cap is reached.
    OverCap {
        /// How many changes all writers made within the window.
        changes: usize,
    },
}

/// An event that violated, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Its id.
    pub event: String,
    /// When it happened.
    pub time: Timestamp,
}

/// The answer to [`Journal::reserve`].
pub type ReserveResult = Result<Reserved, JournalError>;

/// Why facts are not in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JournalError {
    /// The store failed: nothing may be acknowledged any more, and the process must stop.
    #[error("the ledger could not be written: {0}")]
    Broken(String),
    /// These facts can't be recorded, as they are too large or too deep; others can.
    #[error("the facts can't be recorded: {0}")]
    Refused(String),
    /// Not now: the store is busy or out of reach, or another writer has the resource's turn. What
    /// is not recorded must not be acknowledged, and comes again.
    #[error("the ledger can't be written now: {0}")]
    Later(String),
}

/// The right to work on one resource; it ends when it is dropped.
pub struct Turn {
    lock: Option<OwnedMutexGuard<()>>,
    give_back: Option<BoxFuture<'static, ()>>,
}

impl Turn {
    /// A turn among the tasks of this process.
    pub fn local(lock: OwnedMutexGuard<()>) -> Turn {
        Turn { lock: Some(lock), give_back: None }
    }

    /// A turn among processes too, which `give_back` ends for the others.
    pub fn leased(lock: OwnedMutexGuard<()>, give_back: BoxFuture<'static, ()>) -> Turn {
        Turn { lock: Some(lock), give_back: Some(give_back) }
    }

    /// Ends the turn, and waits until others can see that.
    pub async fn release(mut self) {
        if let Some(give_back) = self.give_back.take() {
            give_back.await;
        }
    }
}

impl Drop for Turn {
    /// A turn that an error cut short is given back beside what comes next; if the process ends
    /// before, the lease runs out.
    fn drop(&mut self) {
        let (Some(give_back), Ok(runtime)) =
            (self.give_back.take(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        let lock = self.lock.take();
        runtime.spawn(async move {
            give_back.await;
            drop(lock);
        });
    }
}

impl std::fmt::Debug for Turn {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Turn").field("leased", &self.give_back.is_some()).finish()
    }
}

/// A lock per resource, made when it is first asked for and dropped when nobody holds it.
#[derive(Debug, Default)]
pub struct Locks(Mutex<HashMap<ResourceRef, Arc<tokio::sync::Mutex<()>>>>);

impl Locks {
    /// Waits for the resource's lock; it is held until the guard is dropped.
    pub async fn take(&self, resource: &ResourceRef) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = lock(&self.0);
            // Whoever holds or waits has a clone; the map alone means that nobody does.
            turns.retain(|_, it| 1 < Arc::strong_count(it));
            Arc::clone(turns.entry(resource.clone()).or_default())
        };
        turn.lock_owned().await
    }

    /// Waits for the turn of a resource that only this process works on.
    pub fn turn<'a>(
        &'a self,
        resource: &'a ResourceRef,
    ) -> BoxFuture<'a, Result<Turn, JournalError>> {
        Box::pin(async { Ok(Turn::local(self.take(resource).await)) })
    }
}

/// A journal in memory: for dry runs and tests of the pipeline, never for a service.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    history: Mutex<History>,
    facts: Mutex<Vec<(Timestamp, Fact)>>,
    locks: Locks,
    scan: Mutex<Option<String>>,
}

impl MemoryJournal {
    /// All facts so far.
    pub fn facts(&self) -> Vec<(Timestamp, Fact)> {
        lock(&self.facts).clone()
    }
}

impl Journal for MemoryJournal {
    fn turn<'a>(
        &'a self,
        resource: &'a ResourceRef,
        _event: Option<&'a Event>,
    ) -> BoxFuture<'a, Result<Turn, JournalError>> {
        self.locks.turn(resource)
    }

    fn append(&self, time: Timestamp, facts: Vec<Fact>) -> BoxFuture<'_, Result<(), JournalError>> {
        let mut history = lock(&self.history);
        for fact in &facts {
            history.apply(time, fact);
        }
        lock(&self.facts).extend(facts.into_iter().map(|it| (time, it)));
        Box::pin(async { Ok(()) })
    }

    fn history(&self) -> MutexGuard<'_, History> {
        lock(&self.history)
    }

    fn reserve(&self, _now: Timestamp, _cap: FleetCap) -> BoxFuture<'_, ReserveResult> {
        Box::pin(async { Ok(Reserved::Granted) })
    }

    fn load(&self) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(async { Ok(()) })
    }

    fn kept_scan(&self) -> BoxFuture<'_, Result<Option<String>, JournalError>> {
        Box::pin(async { Ok(lock(&self.scan).clone()) })
    }

    fn keep_scan(&self, text: Option<String>) -> BoxFuture<'_, Result<(), JournalError>> {
        *lock(&self.scan) = text;
        Box::pin(async { Ok(()) })
    }

    fn close(&self) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(async { Ok(()) })
    }
}

/// A lock that a panicked holder does not take away from everybody else.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An error with all its causes.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |it| it.source());
    causes.fold(error.to_string(), |text, it| format!("{text}: {it}"))
}
