//! Heartbeats: written under the turn of their rule, and known again when they come back.

use super::{Pipeline, impostor};
use crate::journal::JournalError;
use quell_core::decide;
use quell_core::event::{Event, Status};
use quell_core::heartbeat::{self, Beat, Heartbeat};
use quell_core::record::{Fact, processed};
use quell_core::resource::ResourceRef;

impl Pipeline {
    /// Writes a heartbeat on a rule, and reports those of it that have been out for longer than
    /// `late_s` seconds. Its nonce is durable before the call. Returns what became of it, with how
    /// many were late.
    pub async fn beat(
        &self,
        rule: &ResourceRef,
        nonce: String,
        late_s: i64,
    ) -> Result<(Beat, usize), JournalError> {
        let turn = self.journal.turn(rule, None).await?;
        let now = self.clock.now();
        let mut facts: Vec<Fact> = {
            let history = self.journal.history();
            let overdue = history.pulse().overdue(rule, now, late_s).into_iter();
            overdue
                .map(|it| Fact::Heartbeat {
                    heartbeat: it.heartbeat.clone(),
                    step: Beat::Late { waited_s: now.duration_since(it.sent).as_secs() },
                })
                .collect()
        };
        let late = facts.len();
        let heartbeat = Heartbeat { rule: rule.clone(), nonce };
        facts.push(Fact::Heartbeat { heartbeat: heartbeat.clone(), step: Beat::Sent });
        self.record(facts).await?;
        let step = match self.world.beat(&decide::heartbeat(heartbeat.clone())).await {
            Ok(applied) => Beat::Written { request_ids: applied.request_ids },
            Err(error) => Beat::Failed { error: error.to_string() },
        };
        self.record(vec![Fact::Heartbeat { heartbeat, step: step.clone() }]).await?;
        turn.release().await;
        Ok((step, late))
    }

    /// Whether an event is a heartbeat's: then it is concluded here. One under our name that we did
    /// not write is an alert. A stranger's tag is an event like any other.
    pub(super) async fn is_heartbeat(&self, event: &Event) -> Result<bool, JournalError> {
        let Some(heartbeat) = heartbeat::of(event) else { return Ok(false) };
        let our_name = self.is_our_name(event);
        if event.status != Status::Success || !(our_name || self.scope.own_roles.is_empty()) {
            return Ok(false);
        }
        let turn = self.journal.turn(&heartbeat.rule, Some(event)).await?;
        let now = self.clock.now();
        let facts = {
            let history = self.journal.history();
            match history.pulse().find(&heartbeat, event.request_id.as_deref()) {
                Some(it) if it.returned => return Ok(true),
                Some(it) => {
                    let after_ms = now.duration_since(it.sent).as_millis();
                    let after_ms = i64::try_from(after_ms).unwrap_or(i64::MAX);
                    let step = Beat::Returned { event: event.uid.clone(), after_ms };
                    vec![Fact::Heartbeat { heartbeat, step }]
                }
                None if history.has_seen(&event.uid) => return Ok(true),
                None if our_name => vec![impostor(event), processed(event, 0)],
                None => return Ok(false),
            }
        };
        self.record(facts).await?;
        turn.release().await;
        Ok(true)
    }
}
