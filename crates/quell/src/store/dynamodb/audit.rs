//! Reading the whole ledger: for people's questions, and to prove that it is what was written.

use super::checkpoint;
use super::items::{CHAIN, Item, SORT, text_of};
use super::tables::{Tables, failed};
use crate::config::DynamoConfig;
use crate::journal::JournalError;
use aws_sdk_dynamodb::types::AttributeValue;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use quell_core::ledger::ids::{ChainId, Head};
use quell_core::ledger::keys::PublicKey;
use quell_core::ledger::line::Record;
use quell_core::ledger::verify::{Audit, Report, Walk};
use quell_core::record::Fact;
use quell_library::aws::Aws;
use std::collections::{BTreeSet, HashMap, VecDeque};
use thiserror::Error;

/// How many chains are read at once.
pub const CHAINS_AT_ONCE_MAX: usize = 8;

/// Why the ledger could not be read.
#[derive(Debug, Error)]
pub enum AuditError {
    /// The store did not answer, or holds something unreadable.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The checkpoints could not be read.
    #[error(transparent)]
    Checkpoints(#[from] checkpoint::CheckpointingError),
    /// The anchor is no checkpoint.
    #[error("`{name}` is not a checkpoint: {problem}")]
    Anchor {
        /// Where it came from.
        name: String,
        /// What is wrong.
        problem: String,
    },
}

/// The ledger of a distributed store, as an auditor reads it: nothing is written, no lease taken.
#[derive(Debug)]
pub struct Reader<'a> {
    aws: &'a Aws,
    settings: &'a DynamoConfig,
    tables: Tables,
}

impl<'a> Reader<'a> {
    /// A reader of the tables that `settings` name. Makes no call.
    pub fn new(aws: &'a Aws, settings: &'a DynamoConfig) -> Reader<'a> {
        Reader { aws, settings, tables: Tables::new(aws, settings) }
    }

    /// Whether the ledger is what was written: all chains, against the newest checkpoints where a
    /// place for them is configured, and against an anchor: its name and its JSON. Signatures are
    /// checked if `keys` are given.
    pub async fn verify(
        &self,
        keys: &[PublicKey],
        anchor: Option<(&str, &[u8])>,
    ) -> Result<Report, AuditError> {
        let mut audit = Audit::new(keys);
        // Checkpoints first: what they name is in the ledger by then, even beside writers.
        if self.settings.checkpoints.is_some() {
            for (url, json) in checkpoint::kept(self.aws, self.settings).await? {
                audit.checkpoint(&url, &json);
            }
        }
        if let Some((name, json)) = anchor {
            audit.anchor(name, json).map_err(|it| AuditError::Anchor {
                name: name.to_owned(),
                problem: it.to_string(),
            })?;
        }
        for chain in self.tables.all_chains().await? {
            let mut walk = audit.walk(chain.clone());
            self.tables.walk(&chain, &mut walk).await?;
            audit.walked(walk);
        }
        Ok(audit.report())
    }

    /// All records, in the order in which things happened.
    pub async fn records(&self) -> Result<Vec<Record<Fact>>, JournalError> {
        self.tables.all_records().await
    }

    /// All lines as they were written, chain by chain, each chain from its record `from`.
    pub async fn lines(&self, from: u64) -> Result<Vec<String>, JournalError> {
        let mut lines = Vec::new();
        for chain in self.tables.all_chains().await? {
            let of_chain = self.tables.chain_lines(&chain, from.saturating_sub(1)).await?;
            lines.extend(of_chain.into_iter().map(|(_, line)| line));
        }
        Ok(lines)
    }

    /// Where each chain ends.
    pub async fn heads(&self) -> Result<Vec<Head>, JournalError> {
        self.tables.heads(&self.tables.chain_names().await?).await
    }
}

impl Tables {
    /// The chains that writers have listed.
    pub(super) async fn chain_names(&self) -> Result<BTreeSet<ChainId>, JournalError> {
        let listed = self.listed_chains().await?;
        let names = listed.iter().filter_map(|it| text_of(it, SORT));
        Ok(names.filter_map(|it| ChainId::new(it).ok()).collect())
    }

    /// The chains that are listed, and those that are not, found by looking at every record.
    async fn all_chains(&self) -> Result<BTreeSet<ChainId>, JournalError> {
        let mut chains = self.chain_names().await?;
        let mut next: Option<HashMap<String, AttributeValue>> = None;
        loop {
            let call = self.client.scan().table_name(&self.ledger).consistent_read(true);
            let page = call
                .projection_expression("#chain")
                .expression_attribute_names("#chain", CHAIN)
                .set_exclusive_start_key(next)
                .send()
                .await
                .map_err(|it| failed("dynamodb:Scan", &it))?;
            let items: Vec<Item> = page.items.unwrap_or_default();
            let names = items.iter().filter_map(|it| text_of(it, CHAIN));
            chains.extend(names.filter_map(|it| ChainId::new(it).ok()));
            next = page.last_evaluated_key;
            if next.is_none() {
                return Ok(chains);
            }
        }
    }

    /// Where chains end; those that hold nothing are left out.
    pub(super) async fn heads(
        &self,
        chains: &BTreeSet<ChainId>,
    ) -> Result<Vec<Head>, JournalError> {
        let heads: Vec<Head> = stream::iter(chains.clone())
            .map(|it| async move { self.head(&it).await })
            .buffered(CHAINS_AT_ONCE_MAX)
            .try_collect()
            .await?;
        Ok(heads.into_iter().filter(|it| 0 < it.sequence).collect())
    }

    /// The records of all listed chains, merged by time. A writer's clock never falls behind what
    /// it had read, so a record stands after all that led to it.
    pub(super) async fn all_records(&self) -> Result<Vec<Record<Fact>>, JournalError> {
        let mut records = Vec::new();
        self.each_record(|it| records.push(it)).await?;
        Ok(records)
    }

    /// Hands over what [`Tables::all_records`] gives, one by one: a page of each chain is held.
    pub(super) async fn each_record(
        &self,
        mut each: impl FnMut(Record<Fact>),
    ) -> Result<(), JournalError> {
        let chains = self.chain_names().await?;
        let mut chains: Vec<Chain> = stream::iter(chains)
            .map(|it| async move {
                let mut chain = Chain::new(it);
                chain.turn_page(self).await.map(|()| chain)
            })
            .buffered(CHAINS_AT_ONCE_MAX)
            .try_collect()
            .await?;
        // The chains stand in the order of their names, so equal times are merged by name.
        while let Some(chain) =
            chains.iter_mut().filter(|it| it.next_time().is_some()).min_by_key(|it| it.next_time())
        {
            if let Some(record) = chain.page.pop_front() {
                each(record);
            }
            if chain.page.is_empty() && chain.more {
                chain.turn_page(self).await?;
            }
        }
        Ok(())
    }

    async fn chain_lines(
        &self,
        chain: &ChainId,
        after: u64,
    ) -> Result<Vec<(u64, String)>, JournalError> {
        let mut all = Vec::new();
        let mut last = after;
        loop {
            let (mut lines, more) = self.lines(chain, last).await?;
            last = lines.last().map_or(last, |(sequence, _)| *sequence);
            all.append(&mut lines);
            if !more {
                return Ok(all);
            }
        }
    }

    /// Shows a walk every line of its chain, page by page.
    async fn walk(&self, chain: &ChainId, walk: &mut Walk) -> Result<(), JournalError> {
        let mut last = 0;
        loop {
            let (lines, more) = self.lines(chain, last).await?;
            last = lines.last().map_or(last, |(sequence, _)| *sequence);
            for (_, line) in &lines {
                // After a fault the walk goes on: the rest tells what kind of fault it is.
                let _ = walk.line(line.as_bytes());
            }
            if !more {
                return Ok(());
            }
        }
    }
}

/// A chain that is read page by page, each record held against the one before.
struct Chain {
    name: ChainId,
    walk: Walk,
    page: VecDeque<Record<Fact>>,
    last: u64,
    more: bool,
}

impl Chain {
    fn new(name: ChainId) -> Chain {
        let walk = Audit::new(&[]).walk(name.clone());
        Chain { name, walk, page: VecDeque::new(), last: 0, more: true }
    }

    fn next_time(&self) -> Option<Timestamp> {
        self.page.front().map(|it| it.time)
    }

    /// Reads on until there is a record or no page is left.
    async fn turn_page(&mut self, tables: &Tables) -> Result<(), JournalError> {
        let broken = |it: String| JournalError::Broken(format!("the ledger is corrupt: {it}"));
        while self.page.is_empty() && self.more {
            let (lines, more) = tables.lines(&self.name, self.last).await?;
            self.more = more;
            for (sequence, line) in &lines {
                let line = self.walk.line(line.as_bytes()).map_err(|it| broken(it.to_string()))?;
                self.page.push_back(line.record().map_err(|it| broken(it.to_string()))?);
                self.last = *sequence;
            }
        }
        Ok(())
    }
}
