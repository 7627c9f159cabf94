//! What can go wrong with a store.

use std::io;
use std::sync::Arc;

use camino::Utf8PathBuf;
use quell_core::ledger::checkpoint::CheckpointError;
use quell_core::ledger::ids::IdError;
use quell_core::ledger::line::FactError;
use quell_core::ledger::verify::Fault;

use crate::store::APPEND_FACTS_MAX;

/// A store that cannot be opened, read or closed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process writes to the directory.
    #[error("`{dir}` is in use by {holder}: stop it first, or name another directory for this one")]
    Locked {
        /// The store.
        dir: Utf8PathBuf,
        /// The process that holds the lock, as far as it is known.
        holder: String,
    },
    /// The ledger is not what was written.
    #[error("the ledger is corrupt in `{file}`, line {line}: {fault}")]
    Corrupt {
        /// The segment.
        file: Utf8PathBuf,
        /// The line in it, from 1.
        line: u64,
        /// What is wrong, and with which record.
        fault: Fault,
    },
    /// The ledger and its checkpoints contradict each other.
    #[error("the ledger in `{dir}` contradicts its checkpoints: {fault}")]
    Contradicted {
        /// The store.
        dir: Utf8PathBuf,
        /// What is wrong.
        fault: Fault,
    },
    /// A record's fact is none that this version knows.
    #[error("record {sequence} in `{file}` holds a fact that this version of quell cannot read")]
    Fact {
        /// The segment.
        file: Utf8PathBuf,
        /// The record.
        sequence: u64,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// There is no store.
    #[error("`{dir}` holds no ledger")]
    NoLedger {
        /// Where one was looked for.
        dir: Utf8PathBuf,
    },
    /// More chains than the one that this store could continue.
    #[error("`{dir}` holds {chains} chains, an embedded store has one: give it its own directory")]
    SeveralChains {
        /// The store.
        dir: Utf8PathBuf,
        /// How many.
        chains: usize,
    },
    /// A name that no chain can have.
    #[error(transparent)]
    Name(#[from] IdError),
    /// A checkpoint was asked for and there is no key to sign it.
    #[error("no signing key is configured, so no checkpoint can be signed")]
    NoSigningKey,
    /// The anchor is no checkpoint.
    #[error("`{path}` is not a checkpoint")]
    Anchor {
        /// The anchor.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: CheckpointError,
    },
    /// The repair of a torn tail could not be recorded.
    #[error("the repair of a torn tail could not be recorded")]
    Repair(#[source] AppendError),
    /// The file system refused.
    #[error("`{path}`")]
    Io {
        /// The file or folder.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Whoever took the ledger's lines took no more.
    #[error("the ledger's lines could not be written out")]
    Export {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The writer could not be started.
    #[error("the ledger's writer could not be started")]
    Thread {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The store was closed, or its writer ended.
    #[error("the store is closed")]
    Closed,
}

/// Facts that were not recorded, or not for certain.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// A fact cannot be recorded; none of this append was.
    #[error(transparent)]
    Fact(Arc<FactError>),
    /// More than [`APPEND_FACTS_MAX`]; none was recorded.
    #[error("one append holds {facts} facts, the limit is {APPEND_FACTS_MAX}")]
    TooManyFacts {
        /// How many.
        facts: usize,
    },
    /// A write to the ledger failed, now or earlier, and what it holds is unknown until the store
    /// is opened again. Facts of this append may be on disk.
    #[error("the ledger could not be written, and records nothing more until it is opened again")]
    Write(#[source] Arc<StoreError>),
    /// The store was closed, or its writer ended.
    #[error("the store is closed")]
    Closed,
}

impl From<FactError> for AppendError {
    fn from(error: FactError) -> Self {
        Self::Fact(Arc::new(error))
    }
}
