//! Is this ledger what was written? A total, streaming fold over its lines.
//!
//! Give an [`Audit`] the evidence first (public keys, the checkpoints found in the ledger, an
//! anchor), then walk each chain line by line, then ask for the [`Report`]. Memory grows with the
//! number of checkpoints, never with the ledger.
//!
//! What can be proved depends on what is at hand. The chain alone shows an edit, a drop, a swap or
//! a double of some records. A signed checkpoint and its public key show that everything up to it
//! was rewritten consistently. Only an anchor, a checkpoint kept elsewhere, shows that the end was
//! cut off; without one the report says from which record on the tail rests on nothing.
//!
//! A time that goes backwards is not tampering: clocks jump.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use serde::Serialize;

use crate::ledger::{
    chain::{Break, Chain},
    checkpoint::{Checkpoint, CheckpointError},
    ids::{ChainId, Digest, Head, IdError},
    keys::PublicKey,
    line::{Line, LineError},
};

/// How a ledger differs from what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tampering {
    /// A record's bytes are not those that were hashed.
    Edited,
    /// A record does not continue the one before it: one of the two was rewritten whole.
    BrokenLink,
    /// One or more records are gone.
    Missing,
    /// A record stands at another place than the one where it was written.
    Reordered,
    /// A record stands there twice.
    Duplicated,
    /// A record belongs to another chain.
    ForeignChain,
    /// A line, or a checkpoint, is not the one way in which such a thing is written.
    Malformed,
    /// The last line has no end: a write was cut short. A writer repairs it when it opens.
    TornTail,
    /// A checkpoint's signature does not hold, or is by none of the given keys.
    BadCheckpointSignature,
    /// A checkpoint names another record than the ledger holds, or one that it does not hold.
    CheckpointMismatch,
    /// The chain ends before the record that the anchor names.
    Truncated,
}

/// The first thing that is wrong with a chain or with a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The chain, where one is known.
    pub chain: Option<ChainId>,
    /// The number of the first bad record, where it is about a record.
    pub sequence: Option<u64>,
    /// The kind of tampering.
    pub tampering: Tampering,
    /// What was found, for a human.
    pub detail: String,
}

/// What was found in one chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChainReport {
    /// The last record before the first fault.
    pub head: Head,
    /// The first record that neither an anchor nor a signed checkpoint vouches for: from here on
    /// the tail could be cut or rewritten without a trace. `None` when an anchor names the head.
    pub unanchored_since: Option<u64>,
    /// The first fault.
    pub fault: Option<Fault>,
}

/// What was found in a ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The chains, by name.
    pub chains: Vec<ChainReport>,
    /// The checkpoints and anchors that were compared with the chains.
    pub checkpoints: usize,
    /// Whether their signatures were checked: only if public keys were given.
    pub signatures_checked: bool,
    /// Checkpoints that are wrong in themselves, and what stands among the chains and is none.
    pub checkpoint_faults: Vec<Fault>,
}

/// The evidence, and what was found so far.
#[derive(Debug)]
pub struct Audit {
    keys: Vec<PublicKey>,
    marks: BTreeMap<ChainId, Marks>,
    anchored: BTreeSet<ChainId>,
    report: Report,
}

/// The walk along one chain.
#[derive(Debug)]
pub struct Walk {
    chain: Chain,
    marks: Marks,
    anchored: bool,
    vouched: u64,
    fault: Option<Fault>,
}

/// By sequence: what checkpoints say about a chain.
type Marks = BTreeMap<u64, Vec<Mark>>;

/// What one checkpoint says about one record.
#[derive(Clone, Debug)]
struct Mark {
    digest: Digest,
    name: Arc<str>,
    anchor: bool,
    /// Whoever edits the ledger could not have written this mark.
    vouches: bool,
}

impl Audit {
    /// An audit that checks signatures against `keys`; without keys no signature is checked.
    pub fn new(keys: &[PublicKey]) -> Self {
        let report = Report {
            chains: Vec::new(),
            checkpoints: 0,
            signatures_checked: !keys.is_empty(),
            checkpoint_faults: Vec::new(),
        };
        Self { keys: keys.to_vec(), marks: BTreeMap::new(), anchored: BTreeSet::new(), report }
    }

    /// Takes a checkpoint that lies in the ledger; `name` says where, for the report.
    pub fn checkpoint(&mut self, name: &str, json: &[u8]) {
        match Checkpoint::parse(json) {
            Ok(checkpoint) => self.mark(name, &checkpoint, false),
            Err(error) => {
                let detail = format!("`{name}`: {error}");
                let fault = Fault::new(None, None, Tampering::Malformed, detail);
                self.report.checkpoint_faults.push(fault);
            }
        }
    }

    /// Takes a checkpoint that was kept elsewhere.
    pub fn anchor(&mut self, name: &str, json: &[u8]) -> Result<(), CheckpointError> {
        let checkpoint = Checkpoint::parse(json)?;
        self.anchored.extend(checkpoint.heads.iter().map(|it| it.chain.clone()));
        self.mark(name, &checkpoint, true);
        Ok(())
    }

    /// Takes note of something among the chains that cannot be one: we did not write it.
    pub fn stray(&mut self, name: &str, error: &IdError) {
        let fault = Fault::new(None, None, Tampering::Malformed, format!("`{name}`: {error}"));
        self.report.checkpoint_faults.push(fault);
    }

    /// Starts the walk along a chain from its first record.
    pub fn walk(&mut self, chain: ChainId) -> Walk {
        Walk {
            marks: self.marks.remove(&chain).unwrap_or_default(),
            anchored: self.anchored.remove(&chain),
            chain: Chain::new(chain),
            vouched: 0,
            fault: None,
        }
    }

    /// Takes back a walk that has seen every line of its chain.
    pub fn walked(&mut self, walk: Walk) {
        self.report.chains.push(walk.finish());
    }

    /// What was found. A chain that a checkpoint names and that was not walked is empty.
    pub fn report(mut self) -> Report {
        let lost: Vec<_> = self.marks.keys().chain(&self.anchored).cloned().collect();
        for chain in BTreeSet::from_iter(lost) {
            let walk = self.walk(chain);
            self.walked(walk);
        }
        self.report.chains.sort_by(|a, b| a.head.chain.cmp(&b.head.chain));
        self.report
    }

    fn mark(&mut self, name: &str, checkpoint: &Checkpoint, anchor: bool) {
        self.report.checkpoints += 1;
        let checked = !self.keys.is_empty();
        if checked && let Err(error) = checkpoint.verify(&self.keys) {
            let first = checkpoint.heads.first();
            self.report.checkpoint_faults.push(Fault::new(
                first.map(|it| it.chain.clone()),
                first.map(|it| it.sequence),
                Tampering::BadCheckpointSignature,
                format!("`{name}`: {error}"),
            ));
            return;
        }
        let name: Arc<str> = name.into();
        for Head { chain, sequence, digest } in &checkpoint.heads {
            let vouches = anchor || checked;
            let mark = Mark { digest: *digest, name: Arc::clone(&name), anchor, vouches };
            let marks = self.marks.entry(chain.clone()).or_default();
            marks.entry(*sequence).or_default().push(mark);
        }
    }
}

impl Walk {
    /// A walk along the part of a chain that follows the record `before`, without evidence.
    pub fn after(before: Head) -> Self {
        let vouched = before.sequence;
        let chain = Chain::resume(before);
        Self { chain, marks: Marks::new(), anchored: false, vouched, fault: None }
    }

    /// Takes the next line, without its newline. After a fault no line is accepted any more, but
    /// keep on: later lines tell a record that is missing from one that stands elsewhere.
    pub fn line<'a>(&mut self, line: &'a [u8]) -> Result<Line<'a>, Fault> {
        if let Some(fault) = &mut self.fault {
            if fault.tampering == Tampering::Missing && self.chain.clone().accept(line).is_ok() {
                fault.tampering = Tampering::Reordered;
            }
            return Err(fault.clone());
        }
        let accepted = match self.chain.accept(line) {
            Ok(line) => match self.check_marks(line.sequence, line.digest) {
                None => return Ok(line),
                Some(fault) => fault,
            },
            Err(error) => self.fault_of(&error),
        };
        self.fault = Some(accepted.clone());
        Err(accepted)
    }

    /// Takes the bytes after the last newline, if there are any.
    pub fn torn_tail(&mut self, bytes: usize) {
        if bytes == 0 || self.fault.is_some() {
            return;
        }
        let detail = format!("the last line has no end: {bytes} bytes of an unfinished write");
        self.fault = Some(self.fault(self.chain.next_sequence(), Tampering::TornTail, detail));
    }

    /// Where the accepted part of the chain ends.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Compares the end of the chain with the evidence.
    pub fn finish(mut self) -> ChainReport {
        let head = self.chain.head().clone();
        if self.fault.is_none() {
            self.fault = self.beyond(head.sequence);
        }
        let at_head = self.anchored && self.vouched == head.sequence;
        let unanchored_since = if at_head { None } else { Some(self.vouched.saturating_add(1)) };
        ChainReport { head, unanchored_since, fault: self.fault }
    }

    fn check_marks(&mut self, sequence: u64, digest: Digest) -> Option<Fault> {
        let marks = self.marks.remove(&sequence)?;
        if let Some(mark) = marks.iter().find(|it| it.digest != digest) {
            let detail = format!("`{}` names another record {sequence}", mark.name);
            return Some(self.fault(sequence, Tampering::CheckpointMismatch, detail));
        }
        if marks.iter().any(|it| it.vouches) {
            self.vouched = sequence;
        }
        None
    }

    /// A mark beyond the end of the chain; an anchor's goes first, since it proves more.
    fn beyond(&self, end: u64) -> Option<Fault> {
        let marks = self.marks.range(end.saturating_add(1)..);
        let mut beyond = marks.flat_map(|(sequence, marks)| marks.iter().map(|it| (*sequence, it)));
        let first = beyond.clone().next()?;
        let (named, mark) = beyond.find(|(_, it)| it.anchor).unwrap_or(first);
        let detail = format!("`{}` names record {named}, the chain ends at {end}", mark.name);
        let tampering =
            if mark.anchor { Tampering::Truncated } else { Tampering::CheckpointMismatch };
        Some(self.fault(end.saturating_add(1), tampering, detail))
    }

    fn fault_of(&self, error: &Break) -> Fault {
        let next = self.chain.next_sequence();
        let (sequence, tampering) = match error {
            Break::Line(LineError::Malformed(_)) => (next, Tampering::Malformed),
            Break::Line(LineError::Edited { .. }) => (next, Tampering::Edited),
            Break::ForeignChain { .. } => (next, Tampering::ForeignChain),
            Break::Duplicated { found, .. } => (*found, Tampering::Duplicated),
            Break::Missing { expected, .. } => (*expected, Tampering::Missing),
            Break::BrokenLink { sequence } => (*sequence, Tampering::BrokenLink),
        };
        self.fault(sequence, tampering, error.to_string())
    }

    fn fault(&self, sequence: u64, tampering: Tampering, detail: String) -> Fault {
        Fault::new(Some(self.chain.head().chain.clone()), Some(sequence), tampering, detail)
    }
}

impl Report {
    /// Nothing is wrong.
    pub fn intact(&self) -> bool {
        self.faults().next().is_none()
    }

    /// Everything that is wrong: per chain the first fault, then the checkpoints.
    pub fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.chains.iter().filter_map(|it| it.fault.as_ref()).chain(&self.checkpoint_faults)
    }

    /// The records up to each chain's first fault.
    pub fn records(&self) -> u64 {
        self.chains.iter().map(|it| it.head.sequence).sum()
    }
}

impl Fault {
    fn new(
        chain: Option<ChainId>,
        sequence: Option<u64>,
        tampering: Tampering,
        detail: String,
    ) -> Self {
        Self { chain, sequence, tampering, detail }
    }
}

impl Tampering {
    /// The name under which reports know it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Edited => "edited",
            Self::BrokenLink => "broken_link",
            Self::Missing => "missing",
            Self::Reordered => "reordered",
            Self::Duplicated => "duplicated",
            Self::ForeignChain => "foreign_chain",
            Self::Malformed => "malformed",
            Self::TornTail => "torn_tail",
            Self::BadCheckpointSignature => "bad_checkpoint_signature",
            Self::CheckpointMismatch => "checkpoint_mismatch",
            Self::Truncated => "truncated",
        }
    }
}

impl fmt::Display for Tampering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.tampering)?;
        if let Some(sequence) = self.sequence {
            write!(f, " at sequence {sequence}")?;
        }
        if let Some(chain) = &self.chain {
            write!(f, " of chain `{chain}`")?;
        }
        write!(f, ": {}", self.detail)
    }
}

/// The lines that `quell audit verify` prints.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in self.faults() {
            writeln!(f, "{fault}")?;
        }
        writeln!(f, "{} records", self.records())?;
        for chain in &self.chains {
            let Head { chain: name, sequence, .. } = &chain.head;
            write!(f, "chain `{name}`: {sequence} records")?;
            match chain.unanchored_since {
                Some(since) => writeln!(f, ", tail unanchored since {since}")?,
                None => writeln!(f, ", anchored at its head")?,
            }
        }
        match (self.checkpoints, self.signatures_checked) {
            (0, _) => Ok(()),
            (count, true) => writeln!(f, "{count} checkpoints, signatures checked"),
            (count, false) => writeln!(f, "{count} checkpoints, signatures not checked: no key"),
        }
    }
}
