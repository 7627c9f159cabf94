//! Opening a ledger that may have ended badly.
//!
//! Only bytes after the last newline are repaired. They go to a file of their own first, then they
//! are cut off, then the repair is recorded; a crash between any two of these steps leaves the file
//! behind, which tells the next start what is left to do.

use std::fs::{self, OpenOptions};
use std::io;

use quell_core::ledger::chain::Chain;
use serde::de::DeserializeOwned;

use crate::store::error::StoreError;
use crate::store::layout::{Layout, create_folder};
use crate::store::reader::{Tail, fold_chain, only_chain};
use crate::store::segments::{Segments, write_durably};
use crate::store::{Options, Projection, TornTail, at};

/// A ledger that can be continued.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub chain: Chain,
    pub segments: Segments,
    /// Repairs that are made and not recorded.
    pub torn: Vec<TornTail>,
}

/// Folds the ledger into `projection` and repairs a torn tail.
pub(crate) fn recover<F, P>(
    layout: &Layout,
    options: &Options<F>,
    projection: &mut P,
) -> Result<Recovered, StoreError>
where
    F: DeserializeOwned,
    P: Projection<F>,
{
    let id = only_chain(layout)?.unwrap_or_else(|| options.new_chain.clone());
    create_folder(&layout.chain(&id))?;
    let (chain, tail) = fold_chain(layout, id.clone(), projection)?;
    if let Some(tail) = tail {
        cut_off(layout, &chain, &tail)?;
    }
    let torn = unrecorded(layout, &chain)?;
    let segments = Segments::open(layout, &id, options.segment_bytes_max)?;
    Ok(Recovered { chain, segments, torn })
}

/// Moves what follows the last newline into a file of its own.
fn cut_off(layout: &Layout, chain: &Chain, tail: &Tail) -> Result<(), StoreError> {
    let next = chain.next_sequence();
    let files = layout.torn_files(&chain.head().chain, next)?;
    let kept_before = match files.last() {
        Some(path) => fs::read(path).map_err(at(path))? == tail.bytes,
        None => false,
    };
    let number = if kept_before { files.len().saturating_sub(1) } else { files.len() };
    let kept = layout.torn_file(&chain.head().chain, next, number);
    tracing::warn!(
        segment = %tail.segment,
        offset_bytes = tail.offset,
        torn_bytes = tail.bytes.len(),
        sequence = next,
        %kept,
        "the ledger ends in an unfinished write, which is cut off and kept"
    );
    write_durably(&kept, &tail.bytes)?;
    let truncate = || {
        let file = OpenOptions::new().write(true).open(&tail.segment)?;
        file.set_len(tail.offset)?;
        file.sync_all()
    };
    truncate().map_err(at(&tail.segment))
}

/// A repair is recorded by the record that came next; if that is still to come, it is not.
fn unrecorded(layout: &Layout, chain: &Chain) -> Result<Vec<TornTail>, StoreError> {
    let files = layout.torn_files(&chain.head().chain, chain.next_sequence())?;
    let mut torn = Vec::with_capacity(files.len());
    for path in files {
        let bytes = fs::metadata(&path).map_err(at(&path))?.len();
        let file = path.strip_prefix(layout.dir()).map_err(io::Error::other).map_err(at(&path))?;
        torn.push(TornTail { bytes, file: file.to_string() });
    }
    Ok(torn)
}
