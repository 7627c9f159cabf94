//! What the pipeline needs of a store: durable facts, and the history that they fold to.

use futures::future::BoxFuture;
use jiff::Timestamp;
use quell_core::history::History;
use quell_core::record::Fact;
use std::sync::{Mutex, MutexGuard, PoisonError};
use thiserror::Error;

/// A store, embedded or distributed.
pub trait Journal: Send + Sync {
    /// Appends facts; when it returns they are durable and folded into [`Journal::history`].
    fn append(&self, time: Timestamp, facts: Vec<Fact>) -> BoxFuture<'_, Result<(), JournalError>>;

    /// The folded history. Held only for a moment, never across an await.
    fn history(&self) -> MutexGuard<'_, History>;
}

/// Why facts are not in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JournalError {
    /// The store failed: nothing may be acknowledged any more, and the process must stop.
    #[error("the ledger could not be written: {0}")]
    Broken(String),
    /// These facts can't be recorded, as they are too large or too deep; others can.
    #[error("the facts can't be recorded: {0}")]
    Refused(String),
}

/// A journal in memory: for dry runs and tests of the pipeline, never for a service.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    history: Mutex<History>,
    facts: Mutex<Vec<(Timestamp, Fact)>>,
}

impl MemoryJournal {
    /// All facts so far.
    pub fn facts(&self) -> Vec<(Timestamp, Fact)> {
        lock(&self.facts).clone()
    }
}

impl Journal for MemoryJournal {
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
}

/// A lock that a panicked holder does not take away from everybody else.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
