//! What was left behind: attempts that a crash cut off, and findings that a guardrail held back.

use super::{Pipeline, PipelineError};
use crate::journal::JournalError;
use quell_core::decide;
use quell_core::history::Status;
use quell_core::record::{Attempt, Fact, Outcome};
use quell_core::resource::ResourceRef;
use quell_core::scope::glob;
use std::collections::BTreeSet;

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
    /// Of these, how many could not be read.
    pub failed: usize,
}

impl Pipeline {
    /// Concludes every attempt that has no conclusion: re-read, then conclude or make it again.
    pub async fn resume(&self) -> Result<usize, JournalError> {
        let unfinished: BTreeSet<ResourceRef> =
            self.journal.history().unfinished().map(|it| it.change.resource.clone()).collect();
        let mut resumed = 0;
        for resource in &unfinished {
            let turn = self.journal.turn(resource, None).await?;
            for attempt in self.unfinished_on(resource) {
                self.finish(&attempt).await?;
                resumed += 1;
            }
            turn.release().await;
        }
        Ok(resumed)
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

    /// Re-reads and re-decides what stands open because something held it back.
    pub async fn retry(&self, filter: &RetryFilter) -> Result<RetryReport, JournalError> {
        let mut report = RetryReport::default();
        for (key, resource, policy) in self.held_back(filter) {
            report.looked_at += 1;
            let Some(policy) = self.library.policy(&policy) else {
                report.failed += 1;
                continue;
            };
            let turn = self.journal.turn(&resource, None).await?;
            let mut facts = Vec::new();
            match self.look(&resource, &[policy], None, &mut facts).await {
                Err(PipelineError::Journal(error)) => return Err(error),
                Err(_) => report.failed += 1,
                Ok(_) => {
                    self.record(facts).await?;
                    turn.release().await;
                    let history = self.journal.history();
                    let open = history.finding(&key).is_some_and(|it| it.status.is_open());
                    report.open += usize::from(open);
                    report.settled += usize::from(!open);
                }
            }
        }
        Ok(report)
    }

    fn held_back(&self, filter: &RetryFilter) -> Vec<(String, ResourceRef, String)> {
        let any = |wanted: &[String], fits: &dyn Fn(&str) -> bool| {
            wanted.is_empty() || wanted.iter().any(|it| fits(it))
        };
        self.journal
            .history()
            .findings()
            .filter(|it| {
                matches!(
                    it.status,
                    Status::Withheld | Status::Failed | Status::Uncorrected | Status::Indeterminate
                )
            })
            .filter(|it| any(&filter.keys, &|key| it.finding.key.starts_with(key)))
            .filter(|it| any(&filter.policies, &|pattern| glob(pattern, &it.finding.policy)))
            .map(|it| {
                let finding = &it.finding;
                (finding.key.clone(), finding.resource.clone(), finding.policy.clone())
            })
            .collect()
    }
}
