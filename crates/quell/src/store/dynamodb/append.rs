//! Recording: one transaction over ledger and state, or several where one can't hold it all.
//!
//! A transaction that is refused says which of its items was in the way, and each has one answer: a
//! record's place that is taken means that another writer has our chain; a lost turn means that we
//! are too late; an event that is done already needs no second mark; and a conflict or a throttled
//! table means to wait a moment. After an error without an answer nobody knows what happened: the
//! end of the chain is read again, and what was recorded all the same is found by the next turn.

use super::Inner;
use super::actors::culprits;
use super::chain::Claim;
use super::group::{Entry, Group, Role};
use super::tables::failed;
use crate::journal::{JournalError, chain as with_causes, lock};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::CancellationReason;
use jiff::Timestamp;
use quell_core::ledger::chain::Chain;
use quell_core::ledger::line::FactJson;
use quell_core::record::Fact;
use rand::Rng as _;
use std::collections::VecDeque;
use std::time::Duration;

/// How often one append is tried anew, each time for a reason of its own.
const APPEND_ATTEMPTS_MAX: u32 = 12;
/// First wait after a conflict, in milliseconds; it doubles, and each is jittered.
const CONFLICT_WAIT_MS: u64 = 20;
/// Longest wait after a conflict, in milliseconds.
const CONFLICT_WAIT_MAX_MS: u64 = 1_000;

/// The end of the chain that this process extends.
#[derive(Debug, Default)]
pub(super) struct Writer {
    /// The chain that it has.
    pub claim: Option<Claim>,
    /// Where that chain ends, if that is known.
    pub chain: Option<Chain>,
}

/// What to do about a transaction that was refused.
#[derive(Debug, PartialEq)]
enum Obstacle {
    /// The next place of the chain is taken.
    ChainTaken,
    /// The lease ran out, and another writer may have the turn.
    TurnLost(String),
    /// Another delivery of the event was done first.
    AlreadyDone(String),
    /// Another transaction, or a throttled table, was in the way.
    Busy(String),
    /// It will never be taken.
    Never(String),
}

impl Inner {
    /// Records facts; a crash may keep the first few, never a later one without an earlier one.
    pub(super) async fn append(
        &self,
        time: Timestamp,
        facts: Vec<Fact>,
    ) -> Result<(), JournalError> {
        let culprits = culprits(&facts);
        let mut waiting = self.entries(facts)?;
        let mut writer = self.writer.lock().await;
        let mut attempt = 0;
        let mut wait_ms = CONFLICT_WAIT_MS;
        while !waiting.is_empty() {
            let chain = self.chain(&mut writer).await?;
            let time = lock(&self.known).next_time(time);
            let group = self.group(chain.clone(), time, &waiting)?;
            let Err(obstacle) = self.write(&mut writer, &group).await? else {
                waiting.drain(..group.records.len().min(waiting.len()));
                continue;
            };
            attempt += 1;
            let given_up = APPEND_ATTEMPTS_MAX <= attempt;
            writer.chain = Some(chain);
            match obstacle {
                Obstacle::ChainTaken => *writer = Writer::default(),
                Obstacle::AlreadyDone(event) => waiting.retain(|it| !tells(&it.fact, &event)),
                Obstacle::Never(why) => return Err(JournalError::Refused(why)),
                Obstacle::TurnLost(why) => return Err(JournalError::Later(why)),
                Obstacle::Busy(why) if given_up => return Err(JournalError::Later(why)),
                Obstacle::Busy(_) => {
                    let jittered = rand::rng().random_range(wait_ms / 2..=wait_ms);
                    self.clock.sleep(Duration::from_millis(jittered)).await;
                    wait_ms = CONFLICT_WAIT_MAX_MS.min(wait_ms * 2);
                }
            }
            if given_up {
                let text = format!("refused {attempt} times for different reasons");
                return Err(JournalError::Later(text));
            }
        }
        drop(writer);
        self.mark_actors(culprits).await;
        Ok(())
    }

    /// The facts as JSON, each with its turn.
    fn entries(&self, facts: Vec<Fact>) -> Result<VecDeque<Entry>, JournalError> {
        let history = lock(&self.history);
        let mut held = lock(&self.held);
        let entry = |fact: Fact| {
            let json = FactJson::encode(&fact);
            let json = json.map_err(|it| JournalError::Refused(with_causes(&it)))?;
            let turn = match history.subject(&fact) {
                None => None,
                Some(resource) => {
                    let turn = held.get_mut(resource).ok_or_else(|| {
                        JournalError::Later(format!("the turn of {resource} is over"))
                    })?;
                    turn.ordinal += 1;
                    Some((resource.clone(), turn.clone()))
                }
            };
            Ok(Entry { fact, json, turn })
        };
        facts.into_iter().map(entry).collect()
    }

    fn group(
        &self,
        chain: Chain,
        time: Timestamp,
        waiting: &VecDeque<Entry>,
    ) -> Result<Group, JournalError> {
        let mut group = Group::new(chain);
        for entry in waiting {
            if !group.add(&self.tables, time, entry)? {
                break;
            }
        }
        Ok(group)
    }

    /// Writes a group and folds it in. An error without an answer leaves the chain's end unknown.
    async fn write(
        &self,
        writer: &mut Writer,
        group: &Group,
    ) -> Result<Result<(), Obstacle>, JournalError> {
        let call = self.tables.client.transact_write_items();
        let error = match call.set_transact_items(Some(group.items.clone())).send().await {
            Ok(_) => {
                writer.chain = Some(group.chain.clone());
                self.fold(&group.records);
                let mut known = lock(&self.known);
                for (resource, sort) in &group.reached {
                    known.reached(resource, sort);
                }
                return Ok(Ok(()));
            }
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(TransactWriteItemsError::TransactionCanceledException(canceled)) => {
                Ok(Err(obstacle(&group.roles, canceled.cancellation_reasons())))
            }
            _ => Err(failed("dynamodb:TransactWriteItems", &error)),
        }
    }
}

/// Whether a fact tells nothing but that an event was delivered, or what is told once: the first
/// delivery has told it.
fn tells(fact: &Fact, uid: &str) -> bool {
    if fact.once().is_some_and(|it| it == uid) {
        return true;
    }
    match fact {
        Fact::Processed { event, .. }
        | Fact::CallFailed { event, .. }
        | Fact::Impostor { event, .. }
        | Fact::Failed { event: Some(event), resource: None, .. } => event == uid,
        _ => false,
    }
}

/// The reason that decides, of all that are given: they stand in the order of the items.
fn obstacle(roles: &[Role], reasons: &[CancellationReason]) -> Obstacle {
    let mut busy = None;
    let mut taken = false;
    for (role, reason) in roles.iter().zip(reasons) {
        let code = reason.code().unwrap_or("None");
        let message = reason.message().unwrap_or_default();
        match (code, role) {
            ("None", _) => {}
            ("ConditionalCheckFailed", Role::Turn(resource)) => {
                return Obstacle::TurnLost(format!("the turn of {resource} ran out"));
            }
            ("ConditionalCheckFailed", Role::Done(event)) => {
                return Obstacle::AlreadyDone(event.clone());
            }
            ("ConditionalCheckFailed", _) => taken = true,
            ("ValidationError" | "ItemCollectionSizeLimitExceeded", _) => {
                return Obstacle::Never(format!("{code}: {message}"));
            }
            _ => busy = Some(format!("{code}: {message}")),
        }
    }
    match (busy, taken) {
        (_, true) => Obstacle::ChainTaken,
        (busy, false) => Obstacle::Busy(busy.unwrap_or_else(|| "no reason was given".to_owned())),
    }
}
