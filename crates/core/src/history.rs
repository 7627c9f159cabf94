//! What the past says: a fold over the ledger's facts.
//!
//! Dedupe, budgets, cooldown, the breaker, open findings, waiting approvals and unfinished attempts
//! are all read from here, and all of it can be made again from the ledger. [`History::apply`] is
//! the only writer.

use crate::change::{Change, digest};
use crate::detect::Finding;
use crate::exemption::Exemption;
use crate::heartbeat::Pulse;
use crate::record::{Attempt, Authority, Fact, Outcome, Verdict};
use crate::resource::ResourceRef;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};

/// How long an event's id is remembered for dedupe, in seconds: a week.
pub const DEDUPE_WINDOW_S: i64 = 7 * 24 * 3600;
/// How long a change counts for budgets at the most, in seconds: a day. No window may be longer.
pub const BUDGET_WINDOW_MAX_S: i64 = 24 * 3600;
/// How far the time of an audit event may lie before the attempt that it is of, in seconds: clocks
/// differ.
pub const CALL_BEFORE_ATTEMPT_MAX_S: i64 = 60;
/// How far it may lie behind the attempt's end, in seconds: a call that was cut off may take effect
/// later than the next delivery concludes it, but not after the longest run of a function.
pub const CALL_AFTER_END_MAX_S: i64 = 900;
/// How long our own request ids are remembered, in seconds: a day, far beyond any delivery delay.
pub const REQUEST_ID_WINDOW_S: i64 = 24 * 3600;

/// The folded ledger.
#[derive(Debug, Clone, Default)]
pub struct History {
    seen: HashSet<String>,
    seen_order: VecDeque<(Timestamp, String)>,
    made: VecDeque<Made>,
    requests: HashSet<String>,
    request_order: VecDeque<(Timestamp, String)>,
    findings: BTreeMap<String, Open>,
    by_resource: BTreeMap<ResourceRef, BTreeSet<String>>,
    attempts: HashMap<String, Tried>,
    unfinished: BTreeMap<String, Attempt>,
    exemptions: BTreeMap<String, Exemption>,
    breaker_until: Option<Timestamp>,
    pulse: Pulse,
}

/// A change that was made (or is being made): what budgets count.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// When it was attempted.
    pub time: Timestamp,
    /// On what.
    pub resource: ResourceRef,
    /// For which policy.
    pub policy: String,
    /// For which event, if one caused it.
    pub event: Option<String>,
    /// Which facet, as text.
    pub facet: String,
    /// [`Attempt::id`].
    pub attempt: String,
    /// Whether it was verified.
    pub corrected: bool,
}

/// An attempt with how it ended.
#[derive(Debug, Clone)]
struct Tried {
    attempt: Attempt,
    order: usize,
    outcome: Option<Outcome>,
    undone: bool,
    /// When it was about to be made.
    began: Timestamp,
    /// When it ended, if it has.
    ended: Option<Timestamp>,
    /// Whether a call of it may bear a request id that we were not told.
    untold: bool,
}

impl Tried {
    /// Whether a call in a session of this name, at this time, may be one of its calls that we were
    /// not told the request id of.
    fn may_have_called(&self, session: &str, time: Timestamp) -> bool {
        let since = seconds_from(self.began, -CALL_BEFORE_ATTEMPT_MAX_S);
        let until = self.ended.map(|it| seconds_from(it, CALL_AFTER_END_MAX_S));
        self.untold
            && since <= time
            && until.is_none_or(|it| time <= it)
            && self.attempt.session() == session
    }
}

fn seconds_from(time: Timestamp, seconds: i64) -> Timestamp {
    let edge = if seconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
    time.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(edge)
}

/// A finding with where it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Open {
    /// The newest occurrence.
    pub finding: Finding,
    /// Where it stands.
    pub status: Status,
    /// What was decided last.
    pub verdict: Verdict,
    /// The planned change, if there is one.
    pub change: Option<Change>,
    /// The attempt that fixed it or tried to, newest last.
    pub attempts: Vec<String>,
    /// When it was seen first.
    pub first_seen: Timestamp,
    /// When it was recorded last after it had not stood open: what was closed and comes back is
    /// opened anew.
    pub opened: Timestamp,
    /// When its status changed last.
    pub updated: Timestamp,
    /// How often it was seen.
    pub occurrences: usize,
    /// Who undid the fix last, and when.
    pub undone: Option<(String, Timestamp)>,
    /// Who denied which change.
    pub denied: Option<(String, String)>,
}

/// Where a finding stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Seen, and nothing more is to be done by us.
    Open,
    /// An unknown decides.
    Indeterminate,
    /// A guardrail holds the fix back.
    Withheld,
    /// A person must approve.
    AwaitingApproval,
    /// An exemption covers it.
    Exempt,
    /// A person denied the fix.
    Denied,
    /// A change is being made.
    Attempting,
    /// Fixed and verified.
    Corrected,
    /// Changed, but the read-back does not show it.
    Uncorrected,
    /// The change failed, or met a conflict.
    Failed,
    /// A person undid the fix.
    Undone,
    /// Compliant or gone without us.
    Resolved,
}

impl Status {
    /// Whether somebody still has to do something.
    pub fn is_open(self) -> bool {
        !matches!(self, Status::Corrected | Status::Resolved | Status::Exempt)
    }
}

impl History {
    /// Folds one fact in.
    pub fn apply(&mut self, time: Timestamp, fact: &Fact) {
        self.forget(time);
        match fact {
            Fact::Decided { finding, verdict, change, .. } => {
                self.decided(time, finding, verdict, change.as_ref());
            }
            Fact::Attempted(attempt) => self.attempted(time, attempt),
            Fact::Concluded { attempt, outcome, request_ids, resumed, .. } => {
                for id in request_ids {
                    self.requests.insert(id.clone());
                    self.request_order.push_back((time, id.clone()));
                }
                let unanswered = request_ids.is_empty() && !outcome.is_without_call();
                self.concluded(time, attempt, outcome, *resumed || unanswered);
            }
            Fact::Processed { event, .. } => self.saw(time, event.clone()),
            Fact::Approval { finding, change, approved, by, .. } => {
                self.approval(time, finding, change, *approved, by);
            }
            Fact::Heartbeat { heartbeat, step } => {
                self.pulse.apply(time, heartbeat, step);
            }
            Fact::Exempted(it) => {
                self.exemptions.insert(it.exemption.id.clone(), it.exemption.clone());
            }
            Fact::ExemptionRemoved { id, .. } => {
                self.exemptions.remove(id);
            }
            Fact::BreakerOpened { until, .. } => self.breaker_until = Some(*until),
            Fact::Resolved { finding, .. } => {
                if let Some(open) = self.findings.get_mut(finding) {
                    open.status = Status::Resolved;
                    open.updated = time;
                }
            }
            Fact::Failed { .. } | Fact::DeadLettered { .. } => {
                if let Some(name) = fact.once() {
                    self.saw(time, name);
                }
            }
            Fact::UndoRequested { .. }
            | Fact::CallFailed { .. }
            | Fact::Impostor { .. }
            | Fact::TailRepaired { .. } => {}
        }
    }

    /// What heartbeats were written, and which came back.
    pub fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    /// Whether an event was processed before, or a fact of this name ([`Fact::once`]) recorded.
    pub fn has_seen(&self, event: &str) -> bool {
        self.seen.contains(event)
    }

    /// Whether a request id is that of a call of ours.
    pub fn is_our_request(&self, request_id: &str) -> bool {
        self.requests.contains(request_id)
    }

    /// The attempt on a resource that a call under our name may belong to although its request id
    /// is not known: its answer was lost, or a stop cut the attempt off. The call is known by its
    /// session and its time.
    pub fn untold_on(
        &self,
        resource: &ResourceRef,
        session: &str,
        time: Timestamp,
    ) -> Option<&Attempt> {
        let ids = self.findings_on(resource).flat_map(|it| &it.attempts);
        let mut tried = ids.filter_map(|it| self.attempts.get(it));
        tried.find(|it| it.may_have_called(session, time)).map(|it| &it.attempt)
    }

    /// Changes made since a moment, newest last.
    pub fn made_since(&self, since: Timestamp) -> impl Iterator<Item = &Made> {
        self.made.iter().filter(move |it| since <= it.time)
    }

    /// Until when the breaker is open, if it is.
    pub fn breaker_open(&self, now: Timestamp) -> Option<Timestamp> {
        self.breaker_until.filter(|until| now < *until)
    }

    /// One finding by its key.
    pub fn finding(&self, key: &str) -> Option<&Open> {
        self.findings.get(key)
    }

    /// All findings by key.
    pub fn findings(&self) -> impl Iterator<Item = &Open> {
        self.findings.values()
    }

    /// Attempts without a conclusion: what a crash left behind.
    pub fn unfinished(&self) -> impl Iterator<Item = &Attempt> {
        self.unfinished.values()
    }

    /// One attempt by its id.
    pub fn attempt(&self, id: &str) -> Option<&Attempt> {
        self.attempts.get(id).map(|it| &it.attempt)
    }

    /// How an attempt ended, if it has.
    pub fn outcome(&self, id: &str) -> Option<&Outcome> {
        self.attempts.get(id).and_then(|it| it.outcome.as_ref())
    }

    /// All attempts with their place in time, in no order.
    pub fn attempts(&self) -> impl Iterator<Item = (usize, &Attempt)> {
        self.attempts.values().map(|it| (it.order, &it.attempt))
    }

    /// Whether an attempt may have changed the cloud: verified or not.
    pub fn made_a_change(&self, id: &str) -> bool {
        let outcome = self.attempts.get(id).and_then(|it| it.outcome.as_ref());
        matches!(outcome, Some(Outcome::Corrected { .. } | Outcome::Uncorrected { .. }))
    }

    /// Whether an attempt was undone.
    pub fn is_undone(&self, id: &str) -> bool {
        self.attempts.get(id).is_some_and(|it| it.undone)
    }

    /// The id of the next attempt to make a change for a finding: the same facts give the same id.
    pub fn next_attempt_id(&self, finding: &str, change: &Change) -> String {
        let before = self.findings.get(finding).map_or(0, |it| it.attempts.len());
        digest(&[finding, &change.id(), &before.to_string()])
    }

    /// Counts an attempt before it is durable, so that a decision made meanwhile sees it.
    pub fn reserve(&mut self, time: Timestamp, attempt: &Attempt) {
        if attempt.undoes.is_some() || self.made.iter().rev().any(|it| it.attempt == attempt.id) {
            return;
        }
        self.made.push_back(Made {
            time,
            resource: attempt.change.resource.clone(),
            policy: attempt.policy.clone(),
            event: attempt.event.clone(),
            facet: attempt.change.facet.to_string(),
            attempt: attempt.id.clone(),
            corrected: false,
        });
    }

    /// Takes a reservation back: the attempt will not be made.
    pub fn cancel(&mut self, attempt: &str) {
        self.made.retain(|it| it.attempt != attempt);
    }

    /// The resource in whose history a fact counts; `None` for one that is about no resource, or
    /// that nothing is decided by.
    pub fn subject<'a>(&'a self, fact: &'a Fact) -> Option<&'a ResourceRef> {
        let of_finding = |key: &str| self.findings.get(key).map(|it| &it.finding.resource);
        match fact {
            Fact::Decided { finding, .. } => Some(&finding.resource),
            Fact::Attempted(attempt) => Some(&attempt.change.resource),
            Fact::Heartbeat { heartbeat, .. } => Some(&heartbeat.rule),
            Fact::Concluded { attempt, .. } => self.attempt(attempt).map(|it| &it.change.resource),
            Fact::Approval { finding, .. } | Fact::Resolved { finding, .. } => of_finding(finding),
            Fact::Processed { .. }
            | Fact::CallFailed { .. }
            | Fact::Failed { .. }
            | Fact::DeadLettered { .. }
            | Fact::Impostor { .. }
            | Fact::UndoRequested { .. }
            | Fact::Exempted(_)
            | Fact::ExemptionRemoved { .. }
            | Fact::BreakerOpened { .. }
            | Fact::TailRepaired { .. } => None,
        }
    }

    /// Attempts without a conclusion on one resource.
    pub fn unfinished_on(&self, resource: &ResourceRef) -> impl Iterator<Item = &Attempt> {
        self.unfinished.values().filter(move |it| it.change.resource == *resource)
    }

    /// Findings on one resource.
    pub fn findings_on(&self, resource: &ResourceRef) -> impl Iterator<Item = &Open> {
        let keys = self.by_resource.get(resource).into_iter().flatten();
        keys.filter_map(|it| self.findings.get(it))
    }

    /// Exemptions that were added by command, by id; expired ones included.
    pub fn exemptions(&self) -> impl Iterator<Item = &Exemption> {
        self.exemptions.values()
    }

    fn decided(
        &mut self,
        time: Timestamp,
        finding: &Finding,
        verdict: &Verdict,
        change: Option<&Change>,
    ) {
        let status = match verdict {
            Verdict::Observe { .. } | Verdict::Notify { .. } => Status::Open,
            Verdict::Exempt { .. } => Status::Exempt,
            Verdict::Withhold { .. } => Status::Withheld,
            Verdict::AwaitApproval { .. } => Status::AwaitingApproval,
            Verdict::Remediate => Status::Attempting,
            Verdict::Indeterminate { .. } => Status::Indeterminate,
        };
        self.by_resource.entry(finding.resource.clone()).or_default().insert(finding.key.clone());
        let open = self.findings.entry(finding.key.clone()).or_insert_with(|| Open {
            finding: finding.clone(),
            status,
            verdict: verdict.clone(),
            change: None,
            attempts: Vec::new(),
            first_seen: finding.time,
            opened: time,
            updated: time,
            occurrences: 0,
            undone: None,
            denied: None,
        });
        if !open.status.is_open() {
            open.opened = time;
        }
        open.occurrences += usize::from(open.occurrences == 0 || open.finding.uid != finding.uid);
        open.finding = finding.clone();
        open.status = status;
        open.verdict = verdict.clone();
        open.change = change.cloned();
        open.updated = time;
    }

    fn attempted(&mut self, time: Timestamp, attempt: &Attempt) {
        self.reserve(time, attempt);
        let order = self.attempts.len();
        let tried = Tried {
            attempt: attempt.clone(),
            order,
            outcome: None,
            undone: false,
            began: time,
            ended: None,
            untold: true,
        };
        self.attempts.insert(attempt.id.clone(), tried);
        self.unfinished.insert(attempt.id.clone(), attempt.clone());
        if let Some(open) = self.findings.get_mut(&attempt.finding) {
            open.status = Status::Attempting;
            open.attempts.push(attempt.id.clone());
            open.updated = time;
        }
    }

    fn saw(&mut self, time: Timestamp, name: String) {
        if self.seen.insert(name.clone()) {
            self.seen_order.push_back((time, name));
        }
    }

    /// `untold` where a call that was made may be missing among the request ids.
    fn concluded(&mut self, time: Timestamp, id: &str, outcome: &Outcome, untold: bool) {
        let Some(attempt) = self.unfinished.remove(id) else { return };
        let done = matches!(outcome, Outcome::Corrected { .. } | Outcome::AlreadyCompliant);
        if let Some(undone) = attempt.undoes.as_ref().filter(|_| done)
            && let Some(fix) = self.attempts.get_mut(undone)
        {
            fix.undone = true;
        }
        if let Some(tried) = self.attempts.get_mut(id) {
            tried.outcome = Some(outcome.clone());
            tried.ended = Some(time);
            tried.untold = untold;
        }
        let changed = matches!(outcome, Outcome::Corrected { .. } | Outcome::Uncorrected { .. });
        if let Some(made) = self.made.iter_mut().rev().find(|it| it.attempt == id) {
            made.corrected = changed;
        }
        let Some(open) = self.findings.get_mut(&attempt.finding) else { return };
        open.updated = time;
        let undo = attempt.undoes.is_some();
        open.status = match outcome {
            Outcome::Corrected { .. } | Outcome::AlreadyCompliant if undo => Status::Undone,
            Outcome::Corrected { .. } => Status::Corrected,
            Outcome::AlreadyCompliant | Outcome::Gone => Status::Resolved,
            Outcome::Uncorrected { .. } => Status::Uncorrected,
            Outcome::Conflict { .. } | Outcome::Failed { .. } => Status::Failed,
        };
        if let (Status::Undone, Authority::Undo { person }) = (open.status, &attempt.authority) {
            open.undone = Some((person.clone(), time));
        }
    }

    fn approval(&mut self, time: Timestamp, key: &str, change: &str, approved: bool, by: &str) {
        let Some(open) = self.findings.get_mut(key) else { return };
        open.updated = time;
        if !approved {
            open.denied = Some((by.to_owned(), change.to_owned()));
            open.status = Status::Denied;
        }
    }

    /// Drops what no rule can ask for any more. Times are the ledger's, which never run ahead of
    /// it.
    fn forget(&mut self, now: Timestamp) {
        let before = |window_s: i64| {
            now.checked_sub(SignedDuration::from_secs(window_s)).unwrap_or(Timestamp::MIN)
        };
        let edge = before(DEDUPE_WINDOW_S);
        while self.seen_order.front().is_some_and(|(time, _)| *time < edge) {
            if let Some((_, id)) = self.seen_order.pop_front() {
                self.seen.remove(&id);
            }
        }
        let edge = before(REQUEST_ID_WINDOW_S);
        while self.request_order.front().is_some_and(|(time, _)| *time < edge) {
            if let Some((_, id)) = self.request_order.pop_front() {
                self.requests.remove(&id);
            }
        }
        let edge = before(BUDGET_WINDOW_MAX_S);
        while self.made.front().is_some_and(|it| it.time < edge) {
            self.made.pop_front();
        }
    }
}
