//! The state of a chain: where it ends and what may come next.
//!
//! A writer extends it with [`Chain::seal`], a reader with [`Chain::accept`]; both leave the same
//! state behind, and neither can leave a hole.

use jiff::Timestamp;

use crate::ledger::{
    ids::{ChainId, Head},
    line::{FactJson, Line, LineError, Record, write_line},
};

/// A chain up to its last record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    head: Head,
}

/// Why a line is not the next record of a chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Break {
    /// The line itself is wrong.
    #[error(transparent)]
    Line(#[from] LineError),
    /// It belongs to another chain.
    #[error("the record belongs to the chain `{found}`, not to `{expected}`")]
    ForeignChain {
        /// This chain.
        expected: ChainId,
        /// The record's chain.
        found: ChainId,
    },
    /// Its place in the chain is taken.
    #[error("record {found} stands where record {expected} belongs: it has been here before")]
    Duplicated {
        /// The sequence that comes next.
        expected: u64,
        /// The record's sequence.
        found: u64,
    },
    /// Records are missing before it.
    #[error("record {found} stands where record {expected} belongs")]
    Missing {
        /// The sequence that comes next.
        expected: u64,
        /// The record's sequence.
        found: u64,
    },
    /// It continues another record than the one before it.
    #[error("record {sequence} does not continue the record before it: one was rewritten")]
    BrokenLink {
        /// The record's sequence.
        sequence: u64,
    },
}

impl Chain {
    /// A chain without records.
    pub fn new(chain: ChainId) -> Self {
        Self { head: Head::empty(chain) }
    }

    /// A chain that ends at `head`.
    pub fn resume(head: Head) -> Self {
        Self { head }
    }

    /// Where the chain ends.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The number of the record that comes next.
    pub fn next_sequence(&self) -> u64 {
        self.head.sequence.saturating_add(1)
    }

    /// Extends the chain by a fact: appends its line, with the newline, to `lines`.
    ///
    /// `json` is `fact` as [`FactJson::encode`] gives it; the two go apart so that the writer, of
    /// which there is one, does not spend its time on what the callers can do.
    pub fn seal<F>(
        &mut self,
        time: Timestamp,
        fact: F,
        json: &FactJson,
        lines: &mut String,
    ) -> Record<F> {
        let Head { chain, digest: prev, .. } = self.head.clone();
        let sequence = self.next_sequence();
        let digest = write_line(lines, &chain, sequence, time, &prev, json);
        self.head.sequence = sequence;
        self.head.digest = digest;
        Record { chain, sequence, time, prev, fact, digest }
    }

    /// Extends the chain by a line (without its newline) that was written before. A line that is
    /// not the next record leaves the chain as it was.
    pub fn accept<'a>(&mut self, line: &'a [u8]) -> Result<Line<'a>, Break> {
        let line = Line::parse(line)?;
        let expected = self.next_sequence();
        let found = line.sequence;
        if line.chain != self.head.chain {
            let expected = self.head.chain.clone();
            return Err(Break::ForeignChain { expected, found: line.chain });
        }
        if found < expected {
            return Err(Break::Duplicated { expected, found });
        }
        if expected < found {
            return Err(Break::Missing { expected, found });
        }
        if line.prev != self.head.digest {
            return Err(Break::BrokenLink { sequence: found });
        }
        self.head.sequence = found;
        self.head.digest = line.digest;
        Ok(line)
    }
}
