//! The embedded store as the pipeline's [`Journal`].

use crate::clock::Clock;
use crate::journal::{
    FleetCap, Journal, JournalError, Locks, ReserveResult, Reserved, Turn, chain, lock,
};
use crate::scan::progress::PROGRESS_MAX_BYTES;
use crate::store::error::{AppendError, StoreError};
use crate::store::{Options, Projection, Store, TornTail};
use camino::{Utf8Path, Utf8PathBuf};
use ed25519_dalek::SigningKey;
use futures::future::BoxFuture;
use jiff::Timestamp;
use quell_core::event::Event;
use quell_core::history::History;
use quell_core::ledger::checkpoint::Checkpoint;
use quell_core::ledger::line::Record;
use quell_core::record::Fact;
use quell_core::resource::ResourceRef;
use std::io::{self, Read as _};
use std::sync::{Arc, Mutex, MutexGuard};

/// The file in the directory that tells how far a scan has come that is not at its end.
pub const SCAN_FILE: &str = "scan-progress.json";

/// A directory that holds the ledger, and the history that it folds to.
pub struct Embedded {
    dir: Utf8PathBuf,
    store: Store<Fact, Shared>,
    history: Arc<Mutex<History>>,
    locks: Locks,
}

/// The history, shared with whoever decides.
struct Shared(Arc<Mutex<History>>);

impl Projection<Fact> for Shared {
    fn apply(&mut self, record: &Record<Fact>) {
        lock(&self.0).apply(record.time, &record.fact);
    }
}

impl Embedded {
    /// Opens the store in `dir`, making it if it is not there. Blocks while it reads the ledger.
    pub fn open(
        dir: &Utf8Path,
        clock: Arc<dyn Clock>,
        signing_key: Option<SigningKey>,
    ) -> Result<Embedded, StoreError> {
        let history = Arc::new(Mutex::new(History::default()));
        let mut options = Options::new(tail_repaired)?;
        options.clock = Arc::new(move || clock.now());
        options.signing_key = signing_key;
        let store = Store::open(dir, options, Shared(Arc::clone(&history)))?;
        Ok(Embedded { dir: dir.to_owned(), store, history, locks: Locks::default() })
    }

    /// Signs the present head; needs a signing key.
    pub async fn checkpoint(&self) -> Result<Checkpoint, StoreError> {
        self.store.checkpoint().await
    }
}

impl Embedded {
    fn read_scan(&self) -> io::Result<Option<String>> {
        let file = std::fs::File::open(self.dir.join(SCAN_FILE));
        let file = match file {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        // What is longer than any progress is refused by whoever reads it as one.
        let mut bytes = Vec::new();
        file.take(PROGRESS_MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Written whole beside the file, then renamed: a crash leaves the old one or the new one.
    fn write_scan(&self, text: Option<String>) -> io::Result<()> {
        let file = self.dir.join(SCAN_FILE);
        match text {
            Some(text) => {
                let beside = file.with_extension("json.new");
                std::fs::write(&beside, text)?;
                std::fs::rename(&beside, &file)
            }
            None => match std::fs::remove_file(&file) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                other => other,
            },
        }
    }
}

fn tail_repaired(torn: TornTail) -> Fact {
    Fact::TailRepaired { bytes: torn.bytes, file: torn.file }
}

impl Journal for Embedded {
    fn turn<'a>(
        &'a self,
        resource: &'a ResourceRef,
        _event: Option<&'a Event>,
    ) -> BoxFuture<'a, Result<Turn, JournalError>> {
        self.locks.turn(resource)
    }

    fn append(&self, _: Timestamp, facts: Vec<Fact>) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(async move {
            let appended = self.store.append(facts).await;
            appended.map(|_| ()).map_err(|it| match it {
                AppendError::Fact(_) | AppendError::TooManyFacts { .. } => {
                    JournalError::Refused(chain(&it))
                }
                AppendError::Write(_) | AppendError::Closed => JournalError::Broken(chain(&it)),
            })
        })
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

    fn sign(&self) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(async {
            let signed = self.checkpoint().await;
            signed.map(drop).map_err(|it| JournalError::Later(chain(&it)))
        })
    }

    fn kept_scan(&self) -> BoxFuture<'_, Result<Option<String>, JournalError>> {
        Box::pin(async { self.read_scan().map_err(|it| JournalError::Later(it.to_string())) })
    }

    fn keep_scan(&self, text: Option<String>) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(
            async move { self.write_scan(text).map_err(|it| JournalError::Later(it.to_string())) },
        )
    }

    fn close(&self) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(async { self.store.close().await.map_err(|it| JournalError::Broken(chain(&it))) })
    }
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Embedded").finish_non_exhaustive()
    }
}
