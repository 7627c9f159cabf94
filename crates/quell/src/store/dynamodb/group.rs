//! One transaction: some records, and all that they imply.

use super::items::{
    CHAIN, DONE, EXPIRES, FENCE, FLEET, HOLDER, Item, LEASE, LINE, OURS, PARTITION, SEQUENCE, SORT,
    event_partition, fact_sort, key, number, request_partition, resource_partition, text, text_of,
};
use super::lease::Held;
use super::tables::Tables;
use super::{RESOURCE_FACTS_KEPT_S, after};
use crate::journal::JournalError;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{ConditionCheck, Put, TransactWriteItem};
use jiff::Timestamp;
use quell_core::heartbeat::HEARTBEAT_WINDOW_S;
use quell_core::history::{BUDGET_WINDOW_MAX_S, DEDUPE_WINDOW_S, REQUEST_ID_WINDOW_S};
use quell_core::ledger::chain::Chain;
use quell_core::ledger::line::{FactJson, Record};
use quell_core::record::Fact;
use quell_core::resource::ResourceRef;
use std::collections::BTreeSet;

/// The most items of one transaction: the most that DynamoDB takes.
pub const TRANSACTION_ITEMS_MAX: usize = 100;
/// The most text of one transaction, in bytes. DynamoDB takes 4 MB; keys and names come on top.
pub const TRANSACTION_BYTES_MAX: usize = 3_500_000;
/// The longest line, in bytes. DynamoDB takes items of 400 kB; keys and names come on top.
pub const LINE_ITEM_BYTES_MAX: usize = 390_000;

/// A fact that is to be recorded, with the turn that it is recorded in.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub fact: Fact,
    pub json: FactJson,
    pub turn: Option<(ResourceRef, Held)>,
}

/// What an item of a transaction is there for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Role {
    /// A record takes its place in the chain.
    Record,
    /// The writer still has the turn.
    Turn(ResourceRef),
    /// The event is done, for the first time.
    Done(String),
    /// Something that follows.
    Implied,
}

/// A transaction in the making.
#[derive(Debug)]
pub(super) struct Group {
    pub chain: Chain,
    pub items: Vec<TransactWriteItem>,
    pub roles: Vec<Role>,
    pub records: Vec<Record<Fact>>,
    /// Per fact of a resource its sort key.
    pub reached: Vec<(ResourceRef, String)>,
    /// The state items that it puts: a transaction may touch an item once.
    puts: BTreeSet<String>,
    bytes: usize,
}

impl Group {
    /// An empty one that extends a chain.
    pub(super) fn new(chain: Chain) -> Group {
        Group {
            chain,
            items: Vec::new(),
            roles: Vec::new(),
            records: Vec::new(),
            reached: Vec::new(),
            puts: BTreeSet::new(),
            bytes: 0,
        }
    }

    /// Adds an entry; `false` where there is no room for it, and the group is as it was.
    pub(super) fn add(
        &mut self,
        tables: &Tables,
        time: Timestamp,
        entry: &Entry,
    ) -> Result<bool, JournalError> {
        let mut chain = self.chain.clone();
        let mut line = String::new();
        let record = chain.seal(time, entry.fact.clone(), &entry.json, &mut line);
        line.truncate(line.trim_end().len());
        if LINE_ITEM_BYTES_MAX < line.len() {
            return Err(JournalError::Refused(format!(
                "the fact takes {} bytes of JSON, the limit of this store is {LINE_ITEM_BYTES_MAX}",
                line.len()
            )));
        }
        let (mut items, mut roles) = (Vec::new(), Vec::new());
        let mut push = |role: Role, item: Result<TransactWriteItem, BuildError>| {
            roles.push(role);
            items.push(item.map_err(|it| JournalError::Broken(it.to_string()))?);
            Ok(())
        };
        push(Role::Record, ledger_put(tables, &record, &line))?;
        if let Some((resource, held)) = &entry.turn {
            let turn = Role::Turn(resource.clone());
            if !self.roles.contains(&turn) {
                push(turn, turn_check(tables, resource, held))?;
            }
        }
        let mut puts = BTreeSet::new();
        for (role, item) in implied(&record, &line, entry.turn.as_ref()) {
            puts.insert(name(&item));
            let unique = matches!(role, Role::Done(_));
            push(role, state_put(tables, item, unique.then_some(time)))?;
        }
        let bytes = items.len() * line.len();
        let full = TRANSACTION_ITEMS_MAX < self.items.len() + items.len()
            || TRANSACTION_BYTES_MAX < self.bytes + bytes
            || !self.puts.is_disjoint(&puts);
        if full && !self.items.is_empty() {
            return Ok(false);
        }
        self.chain = chain;
        self.bytes += bytes;
        self.puts.append(&mut puts);
        self.items.append(&mut items);
        self.roles.append(&mut roles);
        self.records.push(record);
        if let Some((resource, held)) = &entry.turn {
            self.reached.push((resource.clone(), fact_sort(held.fence, held.ordinal)));
        }
        Ok(true)
    }
}

/// The items of the state table that follow from a record.
fn implied(
    record: &Record<Fact>,
    line: &str,
    turn: Option<&(ResourceRef, Held)>,
) -> Vec<(Role, Item)> {
    let mut items = Vec::new();
    let mut told = |role: Role, key: Item, kept_s: i64| {
        let mut item = key;
        item.insert(LINE.to_owned(), text(line));
        item.insert(EXPIRES.to_owned(), number(after(record.time, kept_s).as_second()));
        items.push((role, item));
    };
    if let Some((resource, held)) = turn {
        let sort = fact_sort(held.fence, held.ordinal);
        let key = key(&resource_partition(resource), &sort);
        let kept_s = match &record.fact {
            // One every few minutes, and nobody asks for an old one.
            Fact::Heartbeat { .. } => 2 * HEARTBEAT_WINDOW_S,
            _ => RESOURCE_FACTS_KEPT_S,
        };
        told(Role::Implied, key, kept_s);
    }
    match &record.fact {
        Fact::Processed { event, .. } => {
            let key = key(&event_partition(event), DONE);
            told(Role::Done(event.clone()), key, DEDUPE_WINDOW_S);
        }
        Fact::Concluded { request_ids, .. } => {
            let ids: BTreeSet<&String> = request_ids.iter().filter(|it| !it.is_empty()).collect();
            for id in ids {
                told(Role::Implied, key(&request_partition(id), OURS), REQUEST_ID_WINDOW_S);
            }
        }
        Fact::Exempted(it) => {
            let sort = format!("exemption#{}", it.id);
            // Without its item it would be forgotten, and what it covers would be fixed.
            let lasts_s = it.expires.duration_since(record.time).as_secs();
            told(Role::Implied, key(FLEET, &sort), lasts_s.max(RESOURCE_FACTS_KEPT_S));
        }
        Fact::ExemptionRemoved { id, .. } => {
            let sort = format!("exemption#{id}");
            told(Role::Implied, key(FLEET, &sort), RESOURCE_FACTS_KEPT_S);
        }
        Fact::BreakerOpened { until, .. } => {
            let open_s = until.duration_since(record.time).as_secs().max(0);
            told(Role::Implied, key(FLEET, "breaker"), open_s.saturating_add(BUDGET_WINDOW_MAX_S));
        }
        _ => {}
    }
    // The same again within this time is the same delivery's, and tells nothing new.
    if let Some(name) = record.fact.once() {
        told(Role::Done(name.clone()), key(&event_partition(&name), DONE), DEDUPE_WINDOW_S);
    }
    items
}

/// What names a state item.
fn name(item: &Item) -> String {
    let part = |name: &str| text_of(item, name).unwrap_or_default();
    format!("{} {}", part(PARTITION), part(SORT))
}

fn ledger_put(
    tables: &Tables,
    record: &Record<Fact>,
    line: &str,
) -> Result<TransactWriteItem, BuildError> {
    let put = Put::builder()
        .table_name(&tables.ledger)
        .item(CHAIN, text(record.chain.as_str()))
        .item(SEQUENCE, number(record.sequence))
        .item(LINE, text(line))
        .condition_expression("attribute_not_exists(#chain)")
        .expression_attribute_names("#chain", CHAIN)
        .build()?;
    Ok(TransactWriteItem::builder().put(put).build())
}

/// Puts an item; one that may be there once, unless it has run out by now.
fn state_put(
    tables: &Tables,
    item: Item,
    unique: Option<Timestamp>,
) -> Result<TransactWriteItem, BuildError> {
    let mut put = Put::builder().table_name(&tables.state).set_item(Some(item));
    if let Some(now) = unique {
        put = put
            .condition_expression(format!("attribute_not_exists({PARTITION}) OR {EXPIRES} < :now"))
            .expression_attribute_values(":now", number(now.as_second()));
    }
    Ok(TransactWriteItem::builder().put(put.build()?).build())
}

/// The lease is still this turn's.
fn turn_check(
    tables: &Tables,
    resource: &ResourceRef,
    held: &Held,
) -> Result<TransactWriteItem, BuildError> {
    let check = ConditionCheck::builder()
        .table_name(&tables.state)
        .set_key(Some(key(&resource_partition(resource), LEASE)))
        .condition_expression(format!("{FENCE} = :fence AND {HOLDER} = :me"))
        .expression_attribute_values(":fence", number(held.fence))
        .expression_attribute_values(":me", text(&held.holder))
        .build()?;
    Ok(TransactWriteItem::builder().condition_check(check).build())
}
