//! Making a change: one path for fix, approved fix, resumed fix and undo.
//!
//! The attempt is durable before the first call. Then: read → is it already so? → does it start
//! from `before`? → apply → read back with bounded patience → conclude. Nothing is called a success
//! that was not read back.

use super::Pipeline;
use jiff::Timestamp;
use quell_core::action::Reversibility;
use quell_core::change::Change;
use quell_core::decide::authorized::Authorized;
use quell_core::decide::{Case, Decision};
use quell_core::detect::Cause;
use quell_core::history::History;
use quell_core::record::{Attempt, Authority, Fact, Outcome, Verdict};
use quell_core::resource::State;
use quell_library::cloud::{Applied, CloudError};
use std::time::Duration;

impl Pipeline {
    /// Withholds a change that could not be made and read back before the process is stopped.
    pub(super) fn in_time(&self, decision: Decision, now: Timestamp) -> Decision {
        match self.deadline.too_late(now).filter(|_| decision.authorized.is_some()) {
            Some(reason) => Decision {
                verdict: Verdict::Withhold { reason },
                authorized: None,
                opens_breaker: None,
            },
            None => decision,
        }
    }

    /// The attempt that a decision leads to.
    pub(super) fn attempt(
        &self,
        case: &Case<'_>,
        decision: &Decision,
        history: &History,
    ) -> Option<Attempt> {
        let change = decision.authorized.as_ref()?.get().clone();
        let finding = case.finding;
        let event = match &finding.cause {
            Cause::Event { uid, .. } => Some(uid.clone()),
            Cause::Scan => None,
        };
        Some(Attempt {
            id: history.next_attempt_id(&finding.key, &change),
            finding: finding.key.clone(),
            policy: finding.policy.clone(),
            severity: finding.severity,
            event,
            change,
            authority: Authority::Policy,
            reversibility: case.action.map_or(Reversibility::None, |it| it.reversibility),
            undoes: None,
        })
    }

    /// Makes a change whose attempt is durable. Returns its conclusion, and the state after it.
    pub(super) async fn enact(
        &self,
        change: &Authorized<Change>,
        attempt: &Attempt,
    ) -> (Fact, Option<State>) {
        let conclude = |outcome: Outcome, applied: Applied| Fact::Concluded {
            attempt: attempt.id.clone(),
            outcome,
            request_ids: applied.request_ids,
            note: applied.note,
            resumed: false,
        };
        let found = match self.world.read(&change.get().resource).await {
            Ok(Some(state)) => state,
            Ok(None) => return (conclude(Outcome::Gone, Applied::default()), None),
            Err(error) => {
                let outcome = Outcome::Failed { error: error.to_string() };
                return (conclude(outcome, Applied::default()), None);
            }
        };
        if let Some(outcome) = premature(change.get(), &found) {
            return (conclude(outcome, Applied::default()), Some(found));
        }
        match self.world.apply(change, &attempt.session()).await {
            Ok(applied) => {
                let attempts = self.readback.readback_attempts_max;
                let (outcome, after) = self.read_back(change.get(), attempts).await;
                (conclude(outcome, applied), after)
            }
            Err(error) => self.failed(change.get(), &error, conclude).await,
        }
    }

    /// A call that failed may have taken effect all the same, where an answer was lost and the
    /// call was made again; and what it did not find need not be the resource. Only a read tells.
    async fn failed(
        &self,
        change: &Change,
        error: &CloudError,
        conclude: impl Fn(Outcome, Applied) -> Fact,
    ) -> (Fact, Option<State>) {
        let request_ids = error.request_id.clone().into_iter().collect();
        let attempts = if error.is_transient() { self.readback.readback_attempts_max } else { 1 };
        match self.read_back(change, attempts).await {
            (outcome @ (Outcome::Corrected { .. } | Outcome::Gone), after) => {
                let note = Some(format!("the call failed: {error}"));
                (conclude(outcome, Applied { request_ids, note }), after)
            }
            _ => {
                let applied = Applied { request_ids, note: None };
                (conclude(Outcome::Failed { error: error.to_string() }, applied), None)
            }
        }
    }

    /// Reads until the change shows or patience ends.
    async fn read_back(&self, change: &Change, attempts_max: u32) -> (Outcome, Option<State>) {
        let mut wait = Duration::from_millis(self.readback.readback_wait_ms);
        let mut last = Outcome::Uncorrected { after: serde_json::Value::Null };
        let mut state = None;
        for attempt in 1..=attempts_max {
            match self.world.read(&change.resource).await {
                Ok(None) => return (Outcome::Gone, None),
                Ok(Some(found)) => {
                    let after = change.facet.read(&found.properties);
                    if change.is_done(&found.properties) {
                        return (Outcome::Corrected { after }, Some(found));
                    }
                    last = Outcome::Uncorrected { after };
                    state = Some(found);
                }
                Err(error) => {
                    tracing::warn!(%error, resource = %change.resource, "read-back failed")
                }
            }
            if attempt < attempts_max {
                self.clock.sleep(wait).await;
                wait = wait.saturating_mul(2);
            }
        }
        (last, state)
    }
}

/// Why nothing needs to be, or may be, called.
fn premature(change: &Change, found: &State) -> Option<Outcome> {
    if change.is_done(&found.properties) {
        return Some(Outcome::AlreadyCompliant);
    }
    if !change.starts_from(&found.properties) {
        let found = change.facet.read(&found.properties);
        return Some(Outcome::Conflict { found });
    }
    None
}
