//! A journal whose failures are counted: the one thing that can't be told by a fact. What a turn
//! brings from other processes is told to the metrics, too, before anything is decided in it.

use super::metric::Metric;
use super::{Point, Telemetry};
use crate::journal::{FleetCap, Journal, JournalError, ReserveResult, Turn, Violation};
use futures::future::BoxFuture;
use jiff::Timestamp;
use quell_core::event::Event;
use quell_core::history::History;
use quell_core::record::Fact;
use quell_core::resource::ResourceRef;
use std::sync::{Arc, MutexGuard};

/// A journal, and who counts its failures.
pub struct Watched {
    journal: Arc<dyn Journal>,
    telemetry: Arc<Telemetry>,
}

impl Watched {
    /// Counts the failures of `journal`.
    pub fn new(journal: Arc<dyn Journal>, telemetry: Arc<Telemetry>) -> Watched {
        Watched { journal, telemetry }
    }

    /// Counts what failed.
    fn told<T>(&self, answer: Result<T, JournalError>) -> Result<T, JournalError> {
        if let Err(error) = &answer {
            tracing::error!(%error, "ledger did not answer as it should");
            self.telemetry.add(Point::new(Metric::StoreErrors, &[], 1.0));
        }
        answer
    }
}

impl Journal for Watched {
    fn turn<'a>(
        &'a self,
        resource: &'a ResourceRef,
        event: Option<&'a Event>,
    ) -> BoxFuture<'a, Result<Turn, JournalError>> {
        Box::pin(async move {
            let turn = self.told(self.journal.turn(resource, event).await)?;
            let actor = event.map(|it| it.actor.id());
            let last = actor.and_then(|it| self.journal.last_violation(it));
            let culprit = actor.zip(last.as_ref());
            self.telemetry.recall(&self.journal.history(), resource, culprit);
            Ok(turn)
        })
    }

    fn last_violation(&self, actor: &str) -> Option<Violation> {
        self.journal.last_violation(actor)
    }

    fn append(&self, time: Timestamp, facts: Vec<Fact>) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(async move { self.told(self.journal.append(time, facts).await) })
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.journal.history()
    }

    fn reserve(&self, now: Timestamp, cap: FleetCap) -> BoxFuture<'_, ReserveResult> {
        Box::pin(async move { self.told(self.journal.reserve(now, cap).await) })
    }

    fn load(&self) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(async move { self.told(self.journal.load().await) })
    }

    fn sign(&self) -> BoxFuture<'_, Result<(), JournalError>> {
        self.journal.sign()
    }

    fn kept_scan(&self) -> BoxFuture<'_, Result<Option<String>, JournalError>> {
        Box::pin(async move { self.told(self.journal.kept_scan().await) })
    }

    fn keep_scan(&self, text: Option<String>) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(async move { self.told(self.journal.keep_scan(text).await) })
    }

    fn close(&self) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(async move { self.told(self.journal.close().await) })
    }
}

impl std::fmt::Debug for Watched {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Watched").finish_non_exhaustive()
    }
}
