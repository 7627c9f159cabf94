//! Reading a ledger, with or without a writer beside it.

use std::collections::VecDeque;
use std::io;
use std::marker::PhantomData;

use camino::{Utf8Path, Utf8PathBuf};
use quell_core::ledger::chain::Chain;
use quell_core::ledger::ids::{ChainId, Head};
use quell_core::ledger::line::{Line, Record};
use quell_core::ledger::verify::{Audit, Fault, Walk};
use serde::de::DeserializeOwned;

use crate::store::Projection;
use crate::store::at;
use crate::store::error::StoreError;
use crate::store::layout::{Layout, Segment};
use crate::store::lines::{Lines, Piece};

/// The records of a chain, in order, read as they are asked for.
#[derive(Debug)]
pub struct Replay<F> {
    segments: VecDeque<Segment>,
    open: Option<(Utf8PathBuf, Lines)>,
    chain: ChainId,
    walk: Option<Walk>,
    from: u64,
    to: u64,
    fact: PhantomData<fn() -> F>,
}

/// Bytes without a newline at the end of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tail {
    pub segment: Utf8PathBuf,
    pub offset: u64,
    pub bytes: Vec<u8>,
}

/// Folds the ledger in `dir` into `projection` without taking its lock: what a writer is writing
/// just now may be seen or not. Gives the head of its chain; a ledger without a chain has none.
pub fn fold<F, P>(dir: &Utf8Path, projection: &mut P) -> Result<Option<Head>, StoreError>
where
    F: DeserializeOwned,
    P: Projection<F>,
{
    let layout = Layout::existing(dir)?;
    let Some(chain) = only_chain(&layout)? else { return Ok(None) };
    let (chain, _) = fold_chain(&layout, chain, projection)?;
    Ok(Some(chain.head().clone()))
}

/// The records of the ledger in `dir` with a sequence of at least `from`, without taking its
/// lock. A ledger without a chain has none.
pub fn records<F>(dir: &Utf8Path, from: u64) -> Result<Option<Replay<F>>, StoreError>
where
    F: DeserializeOwned,
{
    let layout = Layout::existing(dir)?;
    let chain = only_chain(&layout)?;
    chain.map(|it| Replay::open(&layout, &it, from, u64::MAX)).transpose()
}

/// Hands the lines of the ledger in `dir` with a sequence of at least `from` to `take`, byte for
/// byte as they were written and each with its newline, so that what is exported can be verified.
/// Stops at the first line that is not what was written.
pub fn lines(
    dir: &Utf8Path,
    from: u64,
    take: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), StoreError> {
    let layout = Layout::existing(dir)?;
    let Some(chain) = only_chain(&layout)? else { return Ok(()) };
    let mut walk = Audit::new(&[]).walk(chain.clone());
    walk_chain(&layout, &chain, &mut walk, &mut |place, bytes, line| {
        let line = line.map_err(|fault| place.corrupt(fault))?;
        if line.sequence < from {
            return Ok(());
        }
        take(bytes).and_then(|()| take(b"\n")).map_err(|source| StoreError::Export { source })
    })?;
    Ok(())
}

/// The one chain of an embedded store, if it has begun.
pub(crate) fn only_chain(layout: &Layout) -> Result<Option<ChainId>, StoreError> {
    let mut chains = layout.chains()?;
    if 1 < chains.len() {
        let dir = layout.dir().to_owned();
        return Err(StoreError::SeveralChains { dir, chains: chains.len() });
    }
    Ok(chains.pop())
}

/// Folds a chain from its first record, holding it against the checkpoints in the directory.
/// Stops at the first fault. Gives the chain and what follows its last line.
pub(crate) fn fold_chain<F, P>(
    layout: &Layout,
    chain: ChainId,
    projection: &mut P,
) -> Result<(Chain, Option<Tail>), StoreError>
where
    F: DeserializeOwned,
    P: Projection<F>,
{
    let mut audit = Audit::new(&[]);
    crate::store::verify::add_checkpoints(&mut audit, layout)?;
    let mut walk = audit.walk(chain.clone());
    let tail = walk_chain(layout, &chain, &mut walk, &mut |place, _, line| {
        let line = line.map_err(|fault| place.corrupt(fault))?;
        let sequence = line.sequence;
        let record = line.record::<F>().map_err(|source| StoreError::Fact {
            file: place.file.to_owned(),
            sequence,
            source,
        })?;
        projection.apply(&record);
        Ok(())
    })?;
    let chain = walk.chain().clone();
    audit.walked(walk);
    match audit.report().faults().next() {
        Some(fault) => {
            let dir = layout.dir().to_owned();
            Err(StoreError::Contradicted { dir, fault: fault.clone() })
        }
        None => Ok((chain, tail)),
    }
}

/// Where a line stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub file: &'a Utf8Path,
    pub line: u64,
}

impl Place<'_> {
    fn corrupt(self, fault: Fault) -> StoreError {
        StoreError::Corrupt { file: self.file.to_owned(), line: self.line, fault }
    }
}

/// Takes a line's bytes, and the line or what is wrong with it; may end the walk.
type Visit<'v> =
    dyn FnMut(Place<'_>, &[u8], Result<Line<'_>, Fault>) -> Result<(), StoreError> + 'v;

/// Walks all lines of a chain. What follows the last newline is given back and not judged; what
/// follows the last newline of an earlier segment is a fault.
pub(crate) fn walk_chain(
    layout: &Layout,
    chain: &ChainId,
    walk: &mut Walk,
    visit: &mut Visit<'_>,
) -> Result<Option<Tail>, StoreError> {
    let segments = layout.segments(chain)?;
    let mut tail = None;
    for (index, Segment { path, .. }) in segments.iter().enumerate() {
        let mut lines = Lines::open(path).map_err(at(path))?;
        loop {
            let number = lines.number() + 1;
            let place = Place { file: path, line: number };
            match lines.advance().map_err(at(path))? {
                Piece::Line(line) => visit(place, line, walk.line(line))?,
                Piece::Torn { bytes, offset } if index + 1 == segments.len() => {
                    tail = Some(Tail { segment: path.clone(), offset, bytes: bytes.to_vec() });
                }
                Piece::Torn { bytes, .. } => {
                    walk.torn_tail(bytes.len());
                    visit(place, bytes, walk.line(bytes))?;
                }
                Piece::End => break,
            }
        }
    }
    Ok(tail)
}

impl<F: DeserializeOwned> Replay<F> {
    /// The records `from..=to` of a chain.
    pub(crate) fn open(
        layout: &Layout,
        chain: &ChainId,
        from: u64,
        to: u64,
    ) -> Result<Self, StoreError> {
        let mut segments: VecDeque<Segment> = layout.segments(chain)?.into();
        while segments.get(1).and_then(|it| it.first).is_some_and(|it| it <= from) {
            segments.pop_front();
        }
        let chain = chain.clone();
        Ok(Self { segments, open: None, chain, walk: None, from, to, fact: PhantomData })
    }

    /// The next record in range, or `None` at the end.
    fn advance(&mut self) -> Result<Option<Record<F>>, StoreError> {
        loop {
            let Some((file, lines)) = &mut self.open else {
                let Some(Segment { path, .. }) = self.segments.pop_front() else {
                    return Ok(None);
                };
                let lines = Lines::open(&path).map_err(at(&path))?;
                self.open = Some((path, lines));
                continue;
            };
            let number = lines.number() + 1;
            let piece = lines.advance().map_err(at(file))?;
            let Piece::Line(bytes) = piece else {
                self.open = None;
                continue;
            };
            let chain = &self.chain;
            let walk = self.walk.get_or_insert_with(|| Walk::after(head_before(bytes, chain)));
            let place = Place { file, line: number };
            let line = walk.line(bytes).map_err(|fault| place.corrupt(fault))?;
            let sequence = line.sequence;
            if self.to < sequence {
                return Ok(None);
            }
            if self.from <= sequence {
                let file = file.clone();
                let fact = |source| StoreError::Fact { file, sequence, source };
                return line.record().map(Some).map_err(fact);
            }
        }
    }
}

impl<F: DeserializeOwned> Iterator for Replay<F> {
    type Item = Result<Record<F>, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.advance().transpose();
        if !matches!(next, Some(Ok(_))) {
            // After an error, or the end, there is no more.
            self.open = None;
            self.segments.clear();
        }
        next
    }
}

/// The head that a chain had before the record in `line`; this record is believed.
fn head_before(line: &[u8], chain: &ChainId) -> Head {
    match Line::parse(line) {
        Ok(Line { chain, sequence, prev, .. }) => {
            Head { chain, sequence: sequence.saturating_sub(1), digest: prev }
        }
        Err(_) => Head::empty(chain.clone()),
    }
}
