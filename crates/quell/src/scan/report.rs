//! What a scan saw and did. The report of the same findings is the same, in whatever order they
//! were come upon: what it tells one by one is in the order of places, types and ids, and where
//! there is more than fits, it is the first of that order.

use super::Step;
use super::progress::Mark;
use crate::pipeline::Pipeline;
use jiff::Timestamp;
use quell_core::history::Status;
use quell_core::policy::Severity;
use quell_core::resource::ResourceRef;
use serde::Serialize;
use std::cmp::Ordering;

/// Most findings, and most errors, that a report tells one by one; all of them are counted.
pub const REPORTED_MAX: usize = 1_000;

/// What a scan saw and did.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct ScanReport {
    /// Steps that were made to their end.
    pub steps: usize,
    /// Steps that there are.
    pub steps_in_all: usize,
    /// Resources that were read and judged, or found gone.
    pub resources: usize,
    /// Violations that were found, fixed by now or not, but for those that are known.
    pub violations: usize,
    /// Violations that stood open before [`super::What::since`]: found again, and not told.
    pub known: usize,
    /// How many of these are fixed now.
    pub corrected: usize,
    /// How many of these an exemption covers.
    pub exempt: usize,
    /// The worst of those that no exemption covers.
    pub worst: Option<Severity>,
    /// Findings that were open and are closed now: their resource is compliant or gone.
    pub resolved: usize,
    /// What could not be listed, read, judged or recorded.
    pub errors: usize,
    /// How many looks and listings were throttled, and made again at a lower rate.
    pub throttled: usize,
    /// Where it stopped because its time was over or somebody asked; `None` where it came to its
    /// end.
    pub stopped: Option<Stopped>,
    /// Behind which resource it went on where an earlier one had stopped, if it did.
    pub resumed_after: Option<Mark>,
    /// Why it began anew although it should have gone on, if so.
    pub begun_anew: Option<String>,
    /// Accounts of the organization that were not looked at, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// The violations, up to [`REPORTED_MAX`].
    pub found: Vec<Found>,
    /// The errors, up to [`REPORTED_MAX`].
    pub failed: Vec<Failed>,
}

/// A violation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// [`quell_core::detect::Finding::key`].
    pub key: String,
    /// Id of the policy.
    pub policy: String,
    /// How bad it is.
    pub severity: Severity,
    /// What violates.
    pub resource: ResourceRef,
    /// Why.
    pub reason: String,
    /// Where it stands now.
    pub status: Status,
}

/// Something that could not be seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// At which step.
    pub step: Step,
    /// The resource; `None` where the listing failed.
    pub resource: Option<String>,
    /// Why.
    pub error: String,
}

/// Where a scan stopped; in the scan's order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Stopped {
    /// The step that it did not end.
    pub step: Step,
    /// The resource that was not begun; `None` where nothing of the step was.
    pub before: Option<String>,
}

impl ScanReport {
    /// Takes in a finding, as history knows it now.
    pub(super) fn find(&mut self, pipeline: &Pipeline, since: Option<Timestamp>, key: &str) {
        let history = pipeline.journal.history();
        let open = history.finding(key);
        if open.zip(since).is_some_and(|(open, since)| open.opened < since) {
            self.known += 1;
            return;
        }
        self.violations += 1;
        let Some(open) = open else { return };
        self.corrected += usize::from(open.status == Status::Corrected);
        match open.status {
            Status::Exempt => self.exempt += 1,
            _ => self.worst = self.worst.max(Some(open.finding.severity)),
        }
        let found = Found {
            key: key.to_owned(),
            policy: open.finding.policy.clone(),
            severity: open.finding.severity,
            resource: open.finding.resource.clone(),
            reason: open.finding.reason.clone(),
            status: open.status,
        };
        insert(&mut self.found, found, Found::order);
    }

    /// Takes in what could not be seen.
    pub(super) fn fail(&mut self, step: &Step, resource: Option<String>, error: String) {
        self.errors += 1;
        insert(&mut self.failed, Failed { step: step.clone(), resource, error }, Failed::order);
    }
}

impl Found {
    fn order(&self, other: &Found) -> Ordering {
        let key = |it: &Found| {
            let ResourceRef { kind, id, account, region } = it.resource.clone();
            (account, region, kind, id, it.policy.clone(), it.key.clone())
        };
        key(self).cmp(&key(other))
    }
}

impl Failed {
    fn order(&self, other: &Failed) -> Ordering {
        (&self.step, &self.resource, &self.error).cmp(&(&other.step, &other.resource, &other.error))
    }
}

/// Puts an item in its place, if it is among the first [`REPORTED_MAX`].
fn insert<T>(list: &mut Vec<T>, item: T, order: fn(&T, &T) -> Ordering) {
    let at = list.partition_point(|it| order(it, &item) != Ordering::Greater);
    if at < REPORTED_MAX {
        list.insert(at, item);
        list.truncate(REPORTED_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_the_order_are_told_in_whatever_order_they_come() {
        let order: fn(&usize, &usize) -> Ordering = usize::cmp;
        let (mut up, mut down) = (Vec::new(), Vec::new());
        for number in 0..2 * REPORTED_MAX {
            insert(&mut up, number, order);
            insert(&mut down, 2 * REPORTED_MAX - 1 - number, order);
        }
        assert_eq!(up, (0..REPORTED_MAX).collect::<Vec<_>>());
        assert_eq!(up, down);
    }
}
