//! What people ask for: approve or deny a waiting change, undo a fix.

use super::Pipeline;
use crate::journal::JournalError;
use quell_core::action::ActionMeta;
use quell_core::change::Change;
use quell_core::decide::authorized::Authorized;
use quell_core::decide::{self, Refusal};
use quell_core::detect::detect;
use quell_core::history::{Open, Status};
use quell_core::record::{Attempt, Authority, Fact, Outcome};
use quell_library::cloud::CloudError;
use std::collections::BTreeSet;
use thiserror::Error;

/// The shortest beginning of an id that names something, in characters.
pub const NAME_MIN_CHARS: usize = 4;

/// Names a finding, an attempt, or everything that an event led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector(pub String);

/// Why a request could not be carried out.
#[derive(Debug, Error)]
pub enum PeopleError {
    /// It is refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The name fits more than one thing.
    #[error("`{name}` fits {count} findings; give more of its beginning")]
    Ambiguous {
        /// The name.
        name: String,
        /// How many fit.
        count: usize,
    },
    /// Every fix that the name stands for was undone before.
    #[error("`{0}` was undone before, so there is nothing left to undo")]
    Undone(String),
    /// The cloud failed.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// The ledger failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl Pipeline {
    /// Approves the change that a finding waits with, and makes it.
    pub async fn approve(
        &self,
        name: &Selector,
        by: &str,
        reason: &str,
    ) -> Result<Outcome, PeopleError> {
        let open = self.waiting(name)?;
        let turn = self.journal.turn(&open.finding.resource, None).await?;
        let fresh = self.fresh_change(&open).await?;
        let key = &open.finding.key;
        let now = self.clock.now();
        let (authorized, attempt) = {
            let history = self.journal.history();
            let authorized = decide::approved(&history, key, fresh.as_ref(), now)?;
            let change = authorized.get().clone();
            let action = quell_library::action(&change.action).map(|it| it.meta());
            let attempt = Attempt {
                id: history.next_attempt_id(key, &change),
                finding: key.clone(),
                policy: open.finding.policy.clone(),
                severity: open.finding.severity,
                event: None,
                change,
                authority: Authority::Approval { person: by.to_owned() },
                reversibility: action
                    .map_or(quell_core::action::Reversibility::None, |it| it.reversibility),
                undoes: None,
            };
            (authorized, attempt)
        };
        let approval = Fact::Approval {
            finding: key.clone(),
            change: attempt.change.id(),
            approved: true,
            by: by.to_owned(),
            reason: reason.to_owned(),
        };
        let outcome = self.make(vec![approval], &authorized, attempt).await;
        turn.release().await;
        outcome
    }

    /// Denies the change that a finding waits with.
    pub async fn deny(&self, name: &Selector, by: &str, reason: &str) -> Result<(), PeopleError> {
        let open = self.waiting(name)?;
        let turn = self.journal.turn(&open.finding.resource, None).await?;
        // Somebody may have answered, or the finding moved on, before we had the turn.
        let open = self.waiting(&Selector(open.finding.key))?;
        let fact = Fact::Approval {
            finding: open.finding.key.clone(),
            change: open.change.as_ref().map(Change::id).unwrap_or_default(),
            approved: false,
            by: by.to_owned(),
            reason: reason.to_owned(),
        };
        self.record(vec![fact]).await?;
        turn.release().await;
        Ok(())
    }

    /// Undoes what a name stands for, newest change first. Each attempt comes with its outcome.
    pub async fn undo(
        &self,
        name: &Selector,
        by: &str,
        reason: &str,
    ) -> Result<Vec<(Attempt, Outcome)>, PeopleError> {
        let mut outcomes = Vec::new();
        for attempt in self.undoable(name)? {
            let action: Option<&ActionMeta> =
                quell_library::action(&attempt.change.action).map(|it| it.meta());
            let action = action.ok_or_else(|| Refusal::Unknown(attempt.change.action.clone()))?;
            let authorized = decide::undo(&self.rails, &attempt, action)?;
            let turn = self.journal.turn(&attempt.change.resource, None).await?;
            if self.journal.history().is_undone(&attempt.id) {
                turn.release().await;
                continue;
            }
            let asked = Fact::UndoRequested {
                attempt: attempt.id.clone(),
                by: by.to_owned(),
                reason: reason.to_owned(),
            };
            let id = self.journal.history().next_attempt_id(&attempt.finding, authorized.get());
            let undo = Attempt {
                id,
                change: authorized.get().clone(),
                authority: Authority::Undo { person: by.to_owned() },
                undoes: Some(attempt.id.clone()),
                ..attempt.clone()
            };
            let outcome = match self.resume_undo_of(&attempt).await? {
                // Asked for before, and cut off by a stop.
                Some(outcome) => {
                    self.record(vec![asked]).await?;
                    outcome
                }
                None => self.make(vec![asked], &authorized, undo).await?,
            };
            turn.release().await;
            let stop = !matches!(outcome, Outcome::Corrected { .. } | Outcome::AlreadyCompliant);
            outcomes.push((attempt, outcome));
            if stop {
                break;
            }
        }
        Ok(outcomes)
    }

    async fn make(
        &self,
        mut facts: Vec<Fact>,
        authorized: &Authorized<Change>,
        attempt: Attempt,
    ) -> Result<Outcome, PeopleError> {
        facts.push(Fact::Attempted(attempt.clone()));
        self.record(facts).await?;
        let (fact, _) = self.enact(authorized, &attempt).await;
        let outcome = match &fact {
            Fact::Concluded { outcome, .. } => outcome.clone(),
            _ => Outcome::Failed { error: "no conclusion".to_owned() },
        };
        self.record(vec![fact]).await?;
        Ok(outcome)
    }

    /// The change that the finding's resource demands as it is now.
    async fn fresh_change(&self, open: &Open) -> Result<Option<Change>, PeopleError> {
        let finding = &open.finding;
        let policy = self
            .library
            .policy(&finding.policy)
            .ok_or_else(|| Refusal::Unknown(finding.policy.clone()))?;
        let Some(state) = self.world.read(&finding.resource).await? else {
            return Ok(None);
        };
        let detection = detect(&[policy], None, &state);
        let Some(found) = detection.findings.iter().find(|it| it.key == finding.key) else {
            return Ok(None);
        };
        let plan = self.plan(found, policy, &state).ok().flatten();
        Ok(plan.map(|it| it.change))
    }

    fn waiting(&self, name: &Selector) -> Result<Open, PeopleError> {
        let history = self.journal.history();
        let found: Vec<&Open> = history.findings().filter(|it| names_finding(name, it)).collect();
        match found.as_slice() {
            [] => Err(Refusal::Unknown(name.0.clone()).into()),
            [one] if one.status == Status::AwaitingApproval => Ok((*one).clone()),
            [one] => Err(Refusal::NotWaiting {
                key: one.finding.key.clone(),
                status: format!("{:?}", one.status).to_lowercase(),
            }
            .into()),
            many => Err(PeopleError::Ambiguous { name: name.0.clone(), count: many.len() }),
        }
    }

    /// Fixes that a name stands for and that are not undone yet, newest first.
    fn undoable(&self, name: &Selector) -> Result<Vec<Attempt>, PeopleError> {
        let history = self.journal.history();
        let of_event = |it: &Attempt| it.event.as_deref() == Some(name.0.as_str());
        let mut found: Vec<(usize, Attempt)> = history
            .attempts()
            .filter(|(_, it)| it.undoes.is_none())
            .filter(|(_, it)| {
                of_event(it)
                    || begins(name, &it.id)
                    || history.finding(&it.finding).is_some_and(|it| names_finding(name, it))
            })
            .map(|(order, it)| (order, it.clone()))
            .collect();
        if found.is_empty() {
            return Err(Refusal::Unknown(name.0.clone()).into());
        }
        // An event names all that it led to; the beginning of an id must name one thing.
        let findings: BTreeSet<&str> = found.iter().map(|(_, it)| it.finding.as_str()).collect();
        if 1 < findings.len() && !found.iter().all(|(_, it)| of_event(it)) {
            return Err(PeopleError::Ambiguous { name: name.0.clone(), count: findings.len() });
        }
        let some_undone = found.iter().any(|(_, it)| history.is_undone(&it.id));
        found.retain(|(_, it)| history.made_a_change(&it.id) && !history.is_undone(&it.id));
        match (found.is_empty(), some_undone) {
            (true, true) => return Err(PeopleError::Undone(name.0.clone())),
            (true, false) => return Err(Refusal::NothingToUndo(name.0.clone()).into()),
            (false, _) => {}
        }
        found.sort_by_key(|(order, _)| std::cmp::Reverse(*order));
        Ok(found.into_iter().map(|(_, it)| it).collect())
    }
}

/// A finding is named by the beginning of its key or of its newest occurrence's id.
fn names_finding(name: &Selector, open: &Open) -> bool {
    begins(name, &open.finding.key) || begins(name, &open.finding.uid)
}

/// Whether a name is the beginning of an id, and long enough to be meant.
fn begins(name: &Selector, id: &str) -> bool {
    NAME_MIN_CHARS <= name.0.len() && id.starts_with(&name.0)
}
