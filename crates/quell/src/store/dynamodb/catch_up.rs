//! Learning what other writers did.
//!
//! All that is read is lines of the ledger, wherever a copy of them stands, and each is folded into
//! the history once. So the history is the same fold as the embedded store's, over the part that
//! matters for the turn.
//!
//! The state table alone commands nothing: anybody who may write to it can make a line whose digest
//! is right. So a line that would have something done or let something pass is believed only if the
//! ledger, which is chained and signed, has the very same.

use super::Inner;
use super::items::{DONE, FACT, FLEET, Item, LINE, OURS, SORT, event_partition, key};
use super::items::{request_partition, resource_partition, text_of};
use crate::journal::{JournalError, lock};
use futures::future::{join, try_join, try_join3};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use quell_core::event::Event;
use quell_core::history::History;
use quell_core::ledger::ids::ChainId;
use quell_core::ledger::line::{Line, Record};
use quell_core::record::Fact;
use quell_core::resource::ResourceRef;
use std::collections::{HashMap, HashSet};

/// How many lines are looked for in the ledger at once.
const LINES_AT_ONCE_MAX: usize = 8;

/// What is folded into the history already.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Records, by chain and number.
    records: HashSet<(ChainId, u64)>,
    /// Per resource the sort key of the last fact.
    last: HashMap<ResourceRef, String>,
    /// The newest time of a record that was read or written.
    newest: Timestamp,
}

impl Known {
    /// The time of a record that is written now: after all that its writer knows.
    pub(super) fn next_time(&self, now: Timestamp) -> Timestamp {
        let next = self.newest.checked_add(jiff::SignedDuration::from_nanos(1));
        now.max(next.unwrap_or(Timestamp::MAX))
    }

    /// Facts of a resource up to this sort key are known.
    pub(super) fn reached(&mut self, resource: &ResourceRef, sort: &str) {
        self.last.insert(resource.clone(), sort.to_owned());
    }

    /// Whether a record is folded in.
    fn has(&self, record: &Record<Fact>) -> bool {
        self.records.contains(&(record.chain.clone(), record.sequence))
    }

    /// Folds a record in, if it is new.
    pub(super) fn fold(&mut self, history: &mut History, record: &Record<Fact>) {
        if self.records.insert((record.chain.clone(), record.sequence)) {
            self.newest = self.newest.max(record.time);
            history.apply(record.time, &record.fact);
        }
    }
}

impl Inner {
    /// Brings the history up to date about a resource whose lease is held, about an event and about
    /// the fleet.
    pub(super) async fn catch_up(
        &self,
        resource: &ResourceRef,
        event: Option<&Event>,
    ) -> Result<(), JournalError> {
        let partition = resource_partition(resource);
        let last = lock(&self.known).last.get(resource).cloned();
        let last = last.unwrap_or_else(|| FACT.to_owned());
        // The lease's own sort key follows those of facts.
        let facts = self.tables.partition(&partition, &last);
        let told = try_join3(facts, self.marks(event), self.catch_up_with_fleet());
        let (told, ()) = join(told, self.catch_up_with_actor(event)).await;
        let (mut facts, marks, ()) = told?;
        facts.retain(|it| text_of(it, SORT).is_some_and(|it| it.starts_with(FACT)));
        self.fold_items(&facts).await?;
        self.fold_items(&marks).await?;
        if let Some(sort) = facts.last().and_then(|it| text_of(it, SORT)) {
            lock(&self.known).reached(resource, sort);
        }
        Ok(())
    }

    /// Exemptions and the breaker.
    pub(super) async fn catch_up_with_fleet(&self) -> Result<(), JournalError> {
        let items = self.tables.partition(FLEET, " ").await?;
        let told: Vec<Item> = items.into_iter().filter(|it| it.contains_key(LINE)).collect();
        self.fold_items(&told).await
    }

    /// Whether the event is done, and whether its request was ours.
    async fn marks(&self, event: Option<&Event>) -> Result<Vec<Item>, JournalError> {
        let Some(event) = event else { return Ok(Vec::new()) };
        let done = self.tables.get(key(&event_partition(&event.uid), DONE));
        let ours = async {
            match event.request_id.as_deref().filter(|it| !it.is_empty()) {
                Some(id) => self.tables.get(key(&request_partition(id), OURS)).await,
                None => Ok(None),
            }
        };
        let (done, ours) = try_join(done, ours).await?;
        Ok(done.into_iter().chain(ours).collect())
    }

    /// Replaces the history by the fold over the whole ledger.
    pub(super) async fn load(&self) -> Result<(), JournalError> {
        let (mut fresh, mut known) = (History::default(), Known::default());
        self.tables.each_record(|it| known.fold(&mut fresh, &it)).await?;
        let mut current = lock(&self.known);
        *lock(&self.history) = fresh;
        *current = known;
        Ok(())
    }

    async fn fold_items(&self, items: &[Item]) -> Result<(), JournalError> {
        let records: Vec<Record<Fact>> = items.iter().map(record).collect::<Result<_, _>>()?;
        let mut looks = Vec::new();
        {
            let known = lock(&self.known);
            let ended: HashSet<&str> = records.iter().filter_map(|it| ended(&it.fact)).collect();
            for (record, item) in records.iter().zip(items) {
                if !known.has(record) && commands(&record.fact, &ended) {
                    let line = text_of(item, LINE).unwrap_or_default();
                    looks.push(self.stands_in_ledger(record, line));
                }
            }
        }
        stream::iter(looks).buffer_unordered(LINES_AT_ONCE_MAX).try_collect::<()>().await?;
        self.fold(&records);
        Ok(())
    }

    async fn stands_in_ledger(
        &self,
        record: &Record<Fact>,
        line: &str,
    ) -> Result<(), JournalError> {
        let (chain, sequence) = (&record.chain, record.sequence);
        let kept = self.tables.line(chain, sequence).await?;
        if kept.as_deref() == Some(line) {
            return Ok(());
        }
        Err(JournalError::Broken(format!(
            "the state table tells of record {sequence} of chain `{chain}`, and the ledger does \
             not: somebody wrote to the state table"
        )))
    }

    /// Folds durable records in.
    pub(super) fn fold(&self, records: &[Record<Fact>]) {
        let mut known = lock(&self.known);
        let mut history = lock(&self.history);
        for record in records {
            known.fold(&mut history, record);
        }
    }
}

/// The attempt that a fact ends.
fn ended(fact: &Fact) -> Option<&str> {
    match fact {
        Fact::Concluded { attempt, .. } => Some(attempt),
        _ => None,
    }
}

/// Whether a fact has something done, or lets something pass: an attempt that did not end is made
/// again, an approval is carried out, an exemption holds everything back.
fn commands(fact: &Fact, ended: &HashSet<&str>) -> bool {
    match fact {
        Fact::Attempted(attempt) => !ended.contains(attempt.id.as_str()),
        Fact::Approval { .. } | Fact::Exempted(_) | Fact::ExemptionRemoved { .. } => true,
        _ => false,
    }
}

/// The record in an item's line.
fn record(item: &Item) -> Result<Record<Fact>, JournalError> {
    let line = text_of(item, LINE).unwrap_or_default();
    let broken = |problem: String| {
        let sort = text_of(item, SORT).unwrap_or_default();
        JournalError::Broken(format!("the state item `{sort}` is corrupt: {problem}"))
    };
    let line = Line::parse(line.as_bytes()).map_err(|it| broken(it.to_string()))?;
    // A newer version may be taking over; it will understand.
    line.record().map_err(|it| {
        JournalError::Later(format!("a fact that this version of quell cannot read: {it}"))
    })
}
