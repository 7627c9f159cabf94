//! A journal whose failures are counted: the one thing that can't be told by a fact.

use super::metric::Metric;
use super::{Point, Telemetry};
use crate::journal::{Journal, JournalError};
use futures::future::BoxFuture;
use jiff::Timestamp;
use quell_core::history::History;
use quell_core::record::Fact;
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
}

impl Journal for Watched {
    fn append(&self, time: Timestamp, facts: Vec<Fact>) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(async move {
            let appended = self.journal.append(time, facts).await;
            if let Err(error) = &appended {
                tracing::error!(%error, "ledger did not take facts");
                self.telemetry.add(Point::new(Metric::StoreErrors, &[], 1.0));
            }
            appended
        })
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.journal.history()
    }
}

impl std::fmt::Debug for Watched {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Watched").finish_non_exhaustive()
    }
}
