//! What a backtest came to: a line per finding, and the sums.

use super::judge::Judge;
use super::split::Fault;
use super::verdicts::Sighting;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use quell_core::change::Change;
use quell_core::policy::Severity;
use quell_core::record::Verdict;
use quell_core::resource::{ResourceRef, arn};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Most faults that a report tells one by one; all are counted.
pub const FAULTS_SHOWN_MAX: usize = 1_000;

/// What the parallel half found, in no order.
#[derive(Debug, Default)]
pub struct Found {
    /// Findings.
    pub sightings: Vec<Sighting>,
    /// Calls that a policy looks at and that failed.
    pub failed_calls: Vec<Signal>,
    /// Judgments that hang on what the event does not prove.
    pub unproven: Vec<Signal>,
    /// What was read.
    pub tally: Tally,
    /// The first faults by name and record; all of them are in [`Found::fault_count`].
    faults: BTreeSet<(String, Fault)>,
    fault_count: usize,
}

/// A policy and an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signal {
    policy: u32,
    /// The first half of SHA-256 over the event's id: enough to know it again.
    event: [u8; 16],
}

/// What was read.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Files.
    pub files: usize,
    /// Records in them.
    pub records: usize,
    /// Records that a policy's trigger matched.
    pub matched: usize,
}

impl Signal {
    /// A policy, by its place, and an event, by its id.
    pub fn new(policy: u32, event: &str) -> Signal {
        let digest = Sha256::digest(event.as_bytes());
        let mut event = [0; 16];
        for (to, from) in event.iter_mut().zip(digest) {
            *to = from;
        }
        Signal { policy, event }
    }
}

impl Found {
    /// A fault and nothing else.
    pub fn fault(file: &str, fault: Fault) -> Found {
        let mut found = Found::default();
        found.add_fault(file, fault);
        found
    }

    /// Adds what could not be read. Which faults are kept does not depend on who comes first.
    pub fn add_fault(&mut self, file: &str, fault: Fault) {
        self.fault_count += 1;
        self.faults.insert((file.to_owned(), fault));
        if FAULTS_SHOWN_MAX < self.faults.len() {
            self.faults.pop_last();
        }
    }

    /// Adds what another file led to.
    pub fn merge(&mut self, other: Found) {
        self.sightings.extend(other.sightings);
        self.failed_calls.extend(other.failed_calls);
        self.unproven.extend(other.unproven);
        self.tally.files += other.tally.files;
        self.tally.records += other.tally.records;
        self.tally.matched += other.tally.matched;
        self.fault_count += other.fault_count;
        self.faults.extend(other.faults);
        while FAULTS_SHOWN_MAX < self.faults.len() {
            self.faults.pop_last();
        }
    }
}

/// A finding, as `--format json` prints it: the contract that other tools rely on.
#[derive(Debug, Serialize)]
pub struct Line {
    /// CloudTrail `eventID`.
    pub event_id: String,
    /// CloudTrail `eventName`.
    pub event_name: String,
    /// CloudTrail `eventTime`.
    pub time: Timestamp,
    /// The resource's account.
    pub account: String,
    /// The resource's region.
    pub region: String,
    /// Who caused it: the role's ARN for a session.
    pub actor: String,
    /// The policy's id.
    pub policy: String,
    /// The resource's ARN.
    pub resource: String,
    /// How bad it is.
    pub severity: Severity,
    /// What would have been decided: [`Verdict::word`].
    pub decision: &'static str,
    /// What would have been changed, where a change could be planned.
    pub change: Option<Change>,
    /// What is wrong, for people.
    #[serde(skip)]
    pub reason: String,
    /// Why no more would have been done, for people.
    #[serde(skip)]
    pub why: String,
}

impl Line {
    /// A decided finding.
    pub fn new(sighting: &Sighting, change: Option<Change>, verdict: &Verdict) -> Line {
        let Sighting { finding, event, .. } = sighting;
        Line {
            event_id: event.uid.clone(),
            event_name: event.api.operation.clone(),
            time: event.time,
            account: finding.resource.account.clone(),
            region: finding.resource.region.clone(),
            actor: event.actor.id().to_owned(),
            policy: finding.policy.clone(),
            resource: arn_of(&finding.resource),
            severity: finding.severity,
            decision: verdict.word(),
            change,
            reason: finding.reason.clone(),
            why: verdict.why(),
        }
    }
}

fn arn_of(resource: &ResourceRef) -> String {
    let template = quell_library::resource(&resource.kind).map_or("{id}", |it| it.meta().arn);
    arn(template, resource)
}

/// How often each decision was made.
pub type Decisions = BTreeMap<&'static str, usize>;

/// The sums.
#[derive(Debug, Default, Serialize)]
pub struct Summary {
    /// Files read.
    pub files: usize,
    /// Records in them.
    pub records: usize,
    /// Records that a policy's trigger matched.
    pub matched: usize,
    /// Findings.
    pub findings: usize,
    /// Findings of events that were in the archive before.
    pub duplicates: usize,
    /// All decisions.
    pub by_decision: Decisions,
    /// Decisions by policy.
    pub by_policy: BTreeMap<String, Decisions>,
    /// Decisions by who caused the finding.
    pub by_actor: BTreeMap<String, Decisions>,
    /// Decisions by account.
    pub by_account: BTreeMap<String, Decisions>,
    /// Decisions by day, in UTC.
    pub by_day: BTreeMap<String, Decisions>,
    /// Failed calls that would have violated, by policy: somebody tried.
    pub failed_calls: BTreeMap<String, usize>,
    /// Events whose verdict hangs on what they do not prove, by policy.
    pub unproven: BTreeMap<String, usize>,
    /// How many inputs, records and judgments failed.
    pub error_count: usize,
    /// The first [`FAULTS_SHOWN_MAX`] of them, by file and record.
    pub errors: Vec<ErrorEntry>,
}

/// Something that could not be read or judged.
#[derive(Debug, Serialize)]
pub struct ErrorEntry {
    /// The file.
    pub file: String,
    /// The record's number in it, from 1; null where it is the file as a whole.
    pub record: Option<u64>,
    /// What is wrong.
    pub error: String,
}

/// What a backtest came to.
#[derive(Debug)]
pub struct Report {
    /// Findings, in the order in which they happened.
    pub lines: Vec<Line>,
    /// The sums.
    pub summary: Summary,
}

impl Report {
    /// The sums of what was found, without the findings themselves.
    pub(super) fn new(found: Found, judge: &Judge<'_>) -> Report {
        let errors = found.faults.into_iter().map(|(file, fault)| ErrorEntry {
            file,
            record: fault.record,
            error: fault.problem,
        });
        let summary = Summary {
            files: found.tally.files,
            records: found.tally.records,
            matched: found.tally.matched,
            failed_calls: by_policy(found.failed_calls, judge),
            unproven: by_policy(found.unproven, judge),
            error_count: found.fault_count,
            errors: errors.collect(),
            ..Summary::default()
        };
        Report { lines: Vec::new(), summary }
    }

    pub(super) fn add(&mut self, line: Line) {
        let sums = &mut self.summary;
        sums.findings += 1;
        *sums.by_decision.entry(line.decision).or_default() += 1;
        let day = line.time.to_zoned(TimeZone::UTC).date().to_string();
        for (group, key) in [
            (&mut sums.by_policy, &line.policy),
            (&mut sums.by_actor, &line.actor),
            (&mut sums.by_account, &line.account),
            (&mut sums.by_day, &day),
        ] {
            let decisions = group.entry(key.clone()).or_default();
            *decisions.entry(line.decision).or_default() += 1;
        }
        self.lines.push(line);
    }

    pub(super) fn add_duplicate(&mut self) {
        self.summary.duplicates += 1;
    }
}

/// How many events each policy was signaled for, each event once.
fn by_policy(signals: Vec<Signal>, judge: &Judge<'_>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for signal in signals.into_iter().collect::<HashSet<Signal>>() {
        if let Some(policy) = judge.policy(signal.policy) {
            *counts.entry(policy.id().to_owned()).or_default() += 1;
        }
    }
    counts
}
