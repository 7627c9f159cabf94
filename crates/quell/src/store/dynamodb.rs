//! The distributed store: two DynamoDB tables that any number of writers share.
//!
//! The ledger table holds the very lines of the embedded ledger, one item each, and nothing is ever
//! changed or removed there. The state table holds what follows from them, so that a writer learns
//! with a few reads what all others did: the facts about each resource, in order; which events are
//! done; which calls were ours; what holds for the fleet. An append is one transaction over both,
//! so the two can't disagree.
//!
//! Three things make many writers safe. A **lease** per resource gives one writer the turn; its
//! number only grows, and each transaction checks it, so a writer whose lease ran out can't record
//! any more. A **chain** is extended by one writer at a time; the place of a record in it can be
//! taken once. And the **fleet's budget** is one counter with a condition. A writer whose process
//! ends leaves all three to run out.
//!
//! Record times never fall behind what their writer had read, so all chains, merged by time, are
//! the order in which things happened.
//!
//! Nothing is called before the first turn, append or question. What is slow or refused for now is
//! tried again within limits, then it is [`JournalError::Later`]: the delivery comes again. Not
//! here: a cache of what others did (a turn always asks), and more than one region.

pub mod audit;
pub mod checkpoint;
mod actors;
mod append;
mod budget;
mod catch_up;
mod chain;
mod group;
mod items;
mod lease;
mod scan;
mod tables;

use crate::clock::Clock;
use crate::config::DynamoConfig;
use crate::journal::{
    FleetCap, Journal, JournalError, Locks, ReserveResult, Turn, Violation, lock,
};
use append::Writer;
use budget::Count;
use catch_up::Known;
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use lease::Held;
use quell_core::event::Event;
use quell_core::history::History;
use quell_core::record::Fact;
use quell_core::resource::ResourceRef;
use quell_library::aws::Aws;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use tables::Tables;

/// How long the facts about a resource are kept in its history, in seconds: 400 days. Older ones
/// are in the ledger, and decide nothing any more.
pub const RESOURCE_FACTS_KEPT_S: i64 = 400 * 24 * 3600;

/// A writer to the distributed store. Cloning it is cheap and gives the same writer.
#[derive(Clone)]
pub struct Dynamo(Arc<Inner>);

struct Inner {
    tables: Tables,
    settings: DynamoConfig,
    clock: Arc<dyn Clock>,
    history: Mutex<History>,
    known: Mutex<Known>,
    held: Mutex<HashMap<ResourceRef, Held>>,
    locks: Locks,
    count: Mutex<Option<Count>>,
    /// The last violations of actors, as far as they are known here.
    actors: Mutex<HashMap<String, Violation>>,
    /// Appends of one process wait for each other, as they extend one chain.
    writer: tokio::sync::Mutex<Writer>,
}

impl Dynamo {
    /// A writer to the tables that `settings` name. Makes no call.
    pub fn new(aws: &Aws, settings: DynamoConfig, clock: Arc<dyn Clock>) -> Dynamo {
        Dynamo(Arc::new(Inner {
            tables: Tables::new(aws, &settings),
            settings,
            clock,
            history: Mutex::default(),
            known: Mutex::default(),
            held: Mutex::default(),
            locks: Locks::default(),
            count: Mutex::default(),
            actors: Mutex::default(),
            writer: tokio::sync::Mutex::default(),
        }))
    }
}

impl Journal for Dynamo {
    fn turn<'a>(
        &'a self,
        resource: &'a ResourceRef,
        event: Option<&'a Event>,
    ) -> BoxFuture<'a, Result<Turn, JournalError>> {
        Box::pin(async move {
            let lock = self.0.locks.take(resource).await;
            let held = self.0.lease(resource).await?;
            let (writer, resource_too) = (self.clone(), resource.clone());
            let turn = Turn::leased(
                lock,
                Box::pin(async move { writer.0.give_back(&resource_too, &held).await }),
            );
            self.0.catch_up(resource, event).await?;
            Ok(turn)
        })
    }

    fn append(&self, time: Timestamp, facts: Vec<Fact>) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(self.0.append(time, facts))
    }

    fn history(&self) -> MutexGuard<'_, History> {
        lock(&self.0.history)
    }

    fn last_violation(&self, actor: &str) -> Option<Violation> {
        self.0.last_violation(actor)
    }

    fn reserve(&self, now: Timestamp, cap: FleetCap) -> BoxFuture<'_, ReserveResult> {
        Box::pin(self.0.reserve(now, cap))
    }

    fn load(&self) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(self.0.load())
    }

    fn kept_scan(&self) -> BoxFuture<'_, Result<Option<String>, JournalError>> {
        Box::pin(self.0.kept_scan())
    }

    fn keep_scan(&self, text: Option<String>) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(self.0.keep_scan(text))
    }

    fn close(&self) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(async {
            self.0.leave_chain().await;
            Ok(())
        })
    }
}

impl std::fmt::Debug for Dynamo {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Dynamo").field("name", &self.0.settings.name).finish_non_exhaustive()
    }
}

/// A moment some seconds later.
fn after(time: Timestamp, seconds: i64) -> Timestamp {
    time.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}

/// A name that nobody else has.
fn nonce() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}
