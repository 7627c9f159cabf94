//! Where the story is played: the attacker's call takes effect in the account, its audit event is
//! delivered some seconds later, and all that the pipeline makes durable is kept for the telling.

use super::account::GROUP;
use super::call::Call;
use crate::clock::Clock as _;
use crate::journal::{JournalError, lock};
use crate::pipeline::{Ack, Pipeline};
use crate::simulation::SimulatedAccount;
use crate::simulation::clock::SimulatedClock;
use crate::simulation::dice::Dice;
use jiff::Timestamp;
use quell_core::event::Event;
use quell_core::normalize;
use quell_core::record::Fact;
use quell_core::resource::{ResourceRef, State};
use serde_json::Value;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use thiserror::Error;

/// How long an audit event takes at the least and at the most in the story, in seconds.
const DELIVERY_S: (u64, u64) = (2, 9);
/// How long nothing happens after a step at the least and at the most, in seconds.
const QUIET_S: (u64, u64) = (12, 40);

/// The stage.
#[derive(Debug)]
pub struct Stage {
    /// The account.
    pub account: Arc<SimulatedAccount>,
    /// Its time.
    pub clock: Arc<SimulatedClock>,
    /// The product.
    pub pipeline: Pipeline,
    /// Chance.
    pub dice: Dice,
    /// The pause after each step.
    pub pause: Duration,
    /// What happened.
    pub told: Vec<Told>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// A durable fact.
#[derive(Debug, Clone)]
pub struct Seen {
    /// When, in the story.
    pub time: Timestamp,
    /// When, in truth.
    pub instant: Instant,
    /// What.
    pub fact: Fact,
}

/// One step of the story.
#[derive(Debug)]
pub struct Told {
    /// What happens, in one line.
    pub title: String,
    /// The event that was delivered.
    pub event: Event,
    /// What became of the delivery.
    pub ack: Ack,
    /// When the delivery arrived, in the story.
    pub at: Timestamp,
    /// When it arrived, in truth.
    pub delivered: Instant,
    /// What was made durable.
    pub facts: Vec<Seen>,
    /// What a reader should notice.
    pub remark: &'static str,
}

/// Why the story broke off.
#[derive(Debug, Error)]
pub enum StageError {
    /// The ledger failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The account failed.
    #[error("the simulated account: {0}")]
    Account(String),
}

impl Stage {
    /// A stage for one story.
    pub fn new(
        account: Arc<SimulatedAccount>,
        clock: Arc<SimulatedClock>,
        mut pipeline: Pipeline,
        dice: Dice,
    ) -> Stage {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let audience = Arc::clone(&seen);
        pipeline.observer = Arc::new(move |time, fact: &Fact| {
            let instant = Instant::now();
            lock(&audience).push(Seen { time, instant, fact: fact.clone() });
        });
        Stage { account, clock, pipeline, dice, pause: Duration::ZERO, told: Vec::new(), seen }
    }

    /// Lets time pass in the story.
    pub fn wait_s(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    fn wait_between(&mut self, (least_s, most_s): (u64, u64)) {
        let wait_s = least_s + self.dice.below(1 + most_s - least_s);
        self.wait_s(wait_s);
    }

    /// Somebody's call changes a resource.
    pub fn change(
        &self,
        resource: &ResourceRef,
        edit: impl FnOnce(&mut State),
    ) -> Result<(), StageError> {
        self.account.edit(resource, edit).map_err(StageError::Account)
    }

    /// The security group of a name.
    pub fn group(&self, name: &str) -> Result<ResourceRef, StageError> {
        let named = |it: &State| {
            it.resource.kind == GROUP
                && it.properties.get("GroupName").and_then(Value::as_str) == Some(name)
        };
        let found = self.account.find(named);
        found.ok_or_else(|| StageError::Account(format!("no security group `{name}`")))
    }

    /// The audit event of a call, made now, is delivered after its time. Gives the delivery.
    pub async fn event(
        &mut self,
        title: impl Into<String>,
        call: &Call,
        remark: &'static str,
    ) -> Result<Vec<u8>, StageError> {
        let delivery = call.delivery(self.clock.now(), &mut self.dice);
        self.wait_between(DELIVERY_S);
        self.deliver(title, &delivery, remark).await?;
        self.wait_between(QUIET_S);
        Ok(delivery)
    }

    /// A delivery arrives.
    pub async fn deliver(
        &mut self,
        title: impl Into<String>,
        delivery: &[u8],
        remark: &'static str,
    ) -> Result<(), StageError> {
        let event = normalize::document(delivery).ok().into_iter().flatten().find_map(Result::ok);
        let event = event.ok_or_else(|| StageError::Account("no event".to_owned()))?;
        let (at, delivered) = (self.clock.now(), Instant::now());
        let ack = self.pipeline.handle(delivery).await?;
        let facts = std::mem::take(&mut *lock(&self.seen));
        self.told.push(Told { title: title.into(), event, ack, at, delivered, facts, remark });
        Ok(())
    }

    /// Everything that was made durable so far.
    pub fn facts(&self) -> impl Iterator<Item = &Seen> {
        self.told.iter().flat_map(|it| &it.facts)
    }

    /// The provider's id of the newest call that Quell made.
    pub fn newest_request(&self) -> Option<String> {
        let requests = self.facts().filter_map(|it| match &it.fact {
            Fact::Concluded { request_ids, .. } => request_ids.last().cloned(),
            _ => None,
        });
        requests.last()
    }
}
