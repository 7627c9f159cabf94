//! What was left behind: attempts that a crash cut off, and findings that a guardrail held back or
//! that nobody has answered in time.

use super::{Pipeline, PipelineError};
use crate::journal::JournalError;
use jiff::{SignedDuration, Timestamp};
use quell_core::decide;
use quell_core::history::{Open, Status};
use quell_core::policy::Policy;
use quell_core::reason::Reason;
use quell_core::record::{Attempt, Fact, Outcome, Verdict};
use quell_core::resource::ResourceRef;
use quell_core::scope::glob;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// How long after a pipeline's time what was left to it is looked at again and again until that
/// succeeds, in seconds; after that a scan looks, or a person.
pub const AFTER_GRACE_MAX_S: i64 = 3600;

/// Which findings are looked at again.
#[derive(Debug, Clone, Default)]
pub struct RetryFilter {
    /// Finding keys or their beginnings; none means all.
    pub keys: Vec<String>,
    /// Policy ids, may hold `*`; none means all.
    pub policies: Vec<String>,
}

/// What a retry did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct RetryReport {
    /// Findings looked at again.
    pub looked_at: usize,
    /// Of these, how many are now fixed or gone.
    pub settled: usize,
    /// Of these, how many still stand open.
    pub open: usize,
    /// How many could not be looked at, or concluded, now: what they are about was not readable, or
    /// another writer was at it.
    pub failed: usize,
}

/// What became of the attempts that a stop cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ResumeReport {
    /// Attempts that are concluded now.
    pub concluded: usize,
    /// Resources whose turn another writer has, or that the ledger is too busy for: what comes next
    /// to them concludes what was cut off there.
    pub failed: usize,
}

impl Pipeline {
    /// Concludes every fix that has no conclusion: re-read, then conclude or make it again. An undo
    /// is left to people ([`Pipeline::resume_with_undos`]): what handles events may not use its
    /// role.
    pub async fn resume(&self) -> Result<ResumeReport, JournalError> {
        self.resume_those(|it| it.undoes.is_none()).await
    }

    /// As [`Pipeline::resume`], undos included: for the command of a person.
    pub async fn resume_with_undos(&self) -> Result<ResumeReport, JournalError> {
        self.resume_those(|_| true).await
    }

    async fn resume_those(
        &self,
        wanted: fn(&Attempt) -> bool,
    ) -> Result<ResumeReport, JournalError> {
        let unfinished: BTreeSet<ResourceRef> = {
            let history = self.journal.history();
            let unfinished = history.unfinished().filter(|it| wanted(it));
            unfinished.map(|it| it.change.resource.clone()).collect()
        };
        let mut report = ResumeReport::default();
        for resource in &unfinished {
            match self.resume_wanted_on(resource, wanted).await {
                Ok(concluded) => report.concluded += concluded,
                // The others are concluded all the same.
                Err(error @ (JournalError::Later(_) | JournalError::Refused(_))) => {
                    tracing::warn!(%resource, %error, "a change that was cut off is not concluded");
                    report.failed += 1;
                }
                Err(error @ JournalError::Broken(_)) => return Err(error),
            }
        }
        Ok(report)
    }

    async fn resume_wanted_on(
        &self,
        resource: &ResourceRef,
        wanted: fn(&Attempt) -> bool,
    ) -> Result<usize, JournalError> {
        let turn = self.journal.turn(resource, None).await?;
        let mut concluded = 0;
        for attempt in self.unfinished_on(resource) {
            if wanted(&attempt) {
                self.finish(&attempt).await?;
                concluded += 1;
            }
        }
        turn.release().await;
        Ok(concluded)
    }

    /// Concludes the undo of `fix` that a stop cut off, if there is one, and says how it ended. The
    /// caller has the resource's turn and was asked by a person.
    pub(super) async fn resume_undo_of(
        &self,
        fix: &Attempt,
    ) -> Result<Option<Outcome>, JournalError> {
        let unfinished = self.unfinished_on(&fix.change.resource);
        let cut_off = unfinished.iter().find(|it| it.undoes.as_deref() == Some(fix.id.as_str()));
        let Some(undo) = cut_off else { return Ok(None) };
        self.finish(undo).await?;
        Ok(self.journal.history().outcome(&undo.id).cloned())
    }

    /// Concludes what a stop cut off on one resource, before it is judged anew; the caller has its
    /// turn, so nobody else is still at it. An undo is left to people: events may not use its role.
    pub(super) async fn resume_on(&self, resource: &ResourceRef) -> Result<(), PipelineError> {
        for attempt in self.unfinished_on(resource) {
            if attempt.undoes.is_some() {
                continue;
            }
            if let Some(reason) = self.deadline.too_late(self.clock.now()) {
                return Err(PipelineError::TooLate(reason));
            }
            self.finish(&attempt).await?;
        }
        Ok(())
    }

    fn unfinished_on(&self, resource: &ResourceRef) -> Vec<Attempt> {
        self.journal.history().unfinished_on(resource).cloned().collect()
    }

    /// Makes an attempt that has no conclusion to its end. The caller has the resource's turn.
    async fn finish(&self, attempt: &Attempt) -> Result<(), JournalError> {
        let authorized = decide::resume(attempt);
        let (mut fact, _) = self.enact(&authorized, attempt).await;
        if let Fact::Concluded { outcome, note, resumed, .. } = &mut fact {
            *resumed = true;
            // Found as wanted after a crash. Whether our call made it so, or somebody else did
            // before it was made, nobody can tell: it is concluded as ours, and the note says so.
            if *outcome == Outcome::AlreadyCompliant {
                *outcome = Outcome::Corrected { after: attempt.change.after.clone() };
                let words = "found so when resuming after a stop: our call may have made it so, \
                             or somebody else";
                *note = Some(words.to_owned());
            }
        }
        self.record(vec![fact]).await
    }

    /// Re-reads and re-decides what stands open because something held it back. What can't be
    /// looked at now is counted as failed, and the others are looked at all the same.
    pub async fn retry(&self, filter: &RetryFilter) -> Result<RetryReport, JournalError> {
        let mut report = RetryReport::default();
        for (key, resource, policy) in self.held_back(filter) {
            report.looked_at += 1;
            let Some(policy) = self.library.policy(&policy) else {
                report.failed += 1;
                continue;
            };
            match self.look_again(&resource, policy).await {
                Err(PipelineError::Journal(error @ JournalError::Broken(_))) => return Err(error),
                Err(error) => {
                    tracing::warn!(finding = key, %error, "a finding was not looked at again");
                    report.failed += 1;
                }
                Ok(()) => {
                    let history = self.journal.history();
                    let open = history.finding(&key).is_some_and(|it| it.status.is_open());
                    report.open += usize::from(open);
                    report.settled += usize::from(!open);
                }
            }
        }
        Ok(report)
    }

    /// Re-reads and re-decides what was left to a known pipeline, where its time ended at `since`
    /// or later. What can't be read leaves a record each time, so that nobody may ask for ever.
    pub async fn retry_after_grace(&self, since: Timestamp) -> Result<RetryReport, JournalError> {
        let now = self.clock.now();
        let ended = since..=now;
        let keys: Vec<String> = {
            let history = self.journal.history();
            let over = history
                .findings()
                .filter(|it| it.status == Status::Withheld && grace_ends_in(&it.verdict, &ended));
            over.map(|it| it.finding.key.clone()).collect()
        };
        let mut report = RetryReport::default();
        for key in keys {
            // What is begun too late is withheld for that, and then for nothing that ends.
            if self.deadline.too_late(self.clock.now()).is_some() {
                break;
            }
            let filter = RetryFilter { keys: vec![key], policies: Vec::new() };
            let RetryReport { looked_at, settled, open, failed } = self.retry(&filter).await?;
            report.looked_at += looked_at;
            report.settled += settled;
            report.open += open;
            report.failed += failed;
        }
        Ok(report)
    }

    async fn look_again(
        &self,
        resource: &ResourceRef,
        policy: &Policy,
    ) -> Result<(), PipelineError> {
        let turn = self.journal.turn(resource, None).await?;
        let mut facts = Vec::new();
        self.look(resource, &[policy], None, &mut facts).await?;
        self.record(facts).await?;
        turn.release().await;
        Ok(())
    }

    /// What waits for a person is looked at again where the time to answer is over, or where it is
    /// named: its resource may have moved, and then another change must be approved.
    fn held_back(&self, filter: &RetryFilter) -> Vec<(String, ResourceRef, String)> {
        let any = |wanted: &[String], fits: &dyn Fn(&str) -> bool| {
            wanted.is_empty() || wanted.iter().any(|it| fits(it))
        };
        let now = self.clock.now();
        let is_held_back = |it: &Open| match it.status {
            Status::Withheld | Status::Failed | Status::Uncorrected | Status::Indeterminate => true,
            Status::AwaitingApproval => !filter.keys.is_empty() || is_expired(&it.verdict, now),
            _ => false,
        };
        self.journal
            .history()
            .findings()
            .filter(|it| is_held_back(it))
            .filter(|it| any(&filter.keys, &|key| it.finding.key.starts_with(key)))
            .filter(|it| any(&filter.policies, &|pattern| glob(pattern, &it.finding.policy)))
            .map(|it| {
                let finding = &it.finding;
                (finding.key.clone(), finding.resource.clone(), finding.policy.clone())
            })
            .collect()
    }
}

/// Whether a finding was left to a pipeline until a moment of these.
fn grace_ends_in(verdict: &Verdict, moments: &RangeInclusive<Timestamp>) -> bool {
    let Verdict::Withhold { reason: Reason::Grace { until, .. } } = verdict else { return false };
    moments.contains(until)
}

/// Since when a pipeline's time must be over for what was left to it to be looked at again and
/// again.
pub(crate) fn after_grace_since(now: Timestamp) -> Timestamp {
    let ago = SignedDuration::from_secs(AFTER_GRACE_MAX_S);
    now.checked_sub(ago).unwrap_or(Timestamp::MIN)
}

/// Whether no approval is taken any more.
fn is_expired(verdict: &Verdict, now: Timestamp) -> bool {
    matches!(verdict, Verdict::AwaitApproval { expires, .. } if *expires <= now)
}
