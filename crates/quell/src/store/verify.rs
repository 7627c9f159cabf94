//! `quell audit verify`: is the ledger in this directory what was written?
//!
//! Needs no lock, changes nothing and may run beside a writer.

use std::fs;

use camino::Utf8Path;
use quell_core::ledger::ids::ChainId;
use quell_core::ledger::keys::PublicKey;
use quell_core::ledger::verify::{Audit, Report};

use crate::store::at;
use crate::store::error::StoreError;
use crate::store::layout::Layout;
use crate::store::lock;
use crate::store::reader::walk_chain;

/// Verifies all chains in `dir` against its checkpoints, whose signatures are checked if `keys` are
/// given, and against an anchor: a checkpoint that was kept elsewhere.
pub fn verify(
    dir: &Utf8Path,
    keys: &[PublicKey],
    anchor: Option<&Utf8Path>,
) -> Result<Report, StoreError> {
    let layout = Layout::existing(dir)?;
    let live = lock::is_held(&layout)?;
    let mut audit = Audit::new(keys);
    // Checkpoints first: what they name is in the ledger by then, even beside a writer.
    add_checkpoints(&mut audit, &layout)?;
    if let Some(path) = anchor {
        let json = fs::read(path).map_err(at(path))?;
        let wrong = |source| StoreError::Anchor { path: path.to_owned(), source };
        audit.anchor(path.as_str(), &json).map_err(wrong)?;
    }
    for name in layout.chain_names()? {
        let chain = match ChainId::new(&name) {
            Ok(chain) => chain,
            Err(error) => {
                audit.stray(&name, &error);
                continue;
            }
        };
        let mut walk = audit.walk(chain.clone());
        let tail = walk_chain(&layout, &chain, &mut walk, &mut |_, _, _| Ok(()))?;
        // Beside a writer the last line may be one that is being written.
        if let Some(tail) = tail
            && !live
            && !lock::is_held(&layout)?
        {
            walk.torn_tail(tail.bytes.len());
        }
        audit.walked(walk);
    }
    Ok(audit.report())
}

/// Takes the checkpoints in the directory as evidence.
pub(crate) fn add_checkpoints(audit: &mut Audit, layout: &Layout) -> Result<(), StoreError> {
    for path in layout.checkpoint_files()? {
        let json = fs::read(&path).map_err(at(&path))?;
        audit.checkpoint(path.as_str(), &json);
    }
    Ok(())
}
