//! Who violated lately: for the alarm of an actor who keeps violating, whichever process sees it.
//!
//! One item per actor, beside the ledger and outside of its transactions: in a storm that one actor
//! makes, they would all be in each other's way. It decides nothing, so a mark that could not be
//! written or read is a log line and no more. While a mark is young it is not written again.

use super::items::{
    EVENT, EXPIRES, Item, TIME_MS, VIOLATED, actor_partition, key, milliseconds, number, number_of,
    text, text_of,
};
use super::tables::Update;
use super::{Inner, after};
use crate::journal::{Violation, lock};
use crate::telemetry::fold::{REPEAT_WINDOW_S, violation};
use jiff::{SignedDuration, Timestamp};
use quell_core::event::{Event, UNKNOWN_ACTOR};
use quell_core::record::Fact;
use std::collections::BTreeMap;

/// How old a mark may be that is not written anew, in seconds.
const MARK_YOUNG_S: i64 = 3600;
/// Most actors whose marks a process knows; beyond it, it begins anew.
const ACTORS_KNOWN_MAX: usize = 10_000;

impl Inner {
    /// Learns the mark of the actor of an event.
    pub(super) async fn catch_up_with_actor(&self, event: Option<&Event>) {
        let actor = event.map(|it| it.actor.id()).filter(|it| *it != UNKNOWN_ACTOR);
        let Some(actor) = actor else { return };
        if self.has_young_mark(actor, self.clock.now()) {
            return;
        }
        match self.tables.get(key(&actor_partition(actor), VIOLATED)).await {
            Ok(item) => {
                if let Some(last) = item.as_ref().and_then(marked) {
                    self.know(actor, last);
                }
            }
            Err(error) => tracing::warn!(%error, "an actor's last violation is not known"),
        }
    }

    /// Marks actors whose violations are durable.
    pub(super) async fn mark_actors(&self, culprits: BTreeMap<String, Violation>) {
        for (actor, last) in culprits {
            if self.has_young_mark(&actor, last.time) {
                continue;
            }
            let update = Update {
                key: key(&actor_partition(&actor), VIOLATED),
                change: &format!("SET {EVENT} = :event, {TIME_MS} = :time, {EXPIRES} = :expires"),
                condition: &format!("attribute_not_exists({TIME_MS}) OR {TIME_MS} < :time"),
                values: vec![
                    (":event", text(&last.event)),
                    (":time", milliseconds(last.time)),
                    (":expires", number(after(last.time, REPEAT_WINDOW_S).as_second())),
                ],
            };
            match self.tables.update(update).await {
                Ok(_) => self.know(&actor, last),
                Err(error) => tracing::warn!(%error, "an actor's violation is not marked"),
            }
        }
    }

    /// The newest violation of an actor that is known here.
    pub(super) fn last_violation(&self, actor: &str) -> Option<Violation> {
        lock(&self.actors).get(actor).cloned()
    }

    fn has_young_mark(&self, actor: &str, now: Timestamp) -> bool {
        let young = SignedDuration::from_secs(MARK_YOUNG_S);
        self.last_violation(actor).is_some_and(|it| now.duration_since(it.time) < young)
    }

    fn know(&self, actor: &str, last: Violation) {
        let mut actors = lock(&self.actors);
        if ACTORS_KNOWN_MAX <= actors.len() && !actors.contains_key(actor) {
            actors.clear();
        }
        actors.insert(actor.to_owned(), last);
    }
}

/// Who violated by these facts, each with one of the events.
pub(super) fn culprits(facts: &[Fact]) -> BTreeMap<String, Violation> {
    let violated = facts.iter().filter_map(|it| match it {
        Fact::Decided { finding, verdict, .. } => violation(finding, verdict),
        _ => None,
    });
    let named = violated.filter(|(actor, _)| *actor != UNKNOWN_ACTOR);
    named.map(|(actor, last)| (actor.to_owned(), last)).collect()
}

fn marked(item: &Item) -> Option<Violation> {
    let time = Timestamp::from_millisecond(number_of(item, TIME_MS)?).ok()?;
    Some(Violation { event: text_of(item, EVENT)?.to_owned(), time })
}
