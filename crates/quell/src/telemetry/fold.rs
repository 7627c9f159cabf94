//! Metrics as a fold over the ledger's facts.
//!
//! [`Fold::apply`] says what one durable fact measures. It remembers only what later facts need:
//! when the cause of a fix under way happened, who violated what within
//! [`REPEAT_WINDOW_S`], which critical findings stand open, until when the breaker is open. A
//! process that starts takes that over from the history ([`Fold::remember`]); one that shares its
//! store with others learns it in each turn, about what the turn is of ([`Fold::recall`]).

use super::Point;
use super::metric::Metric;
use crate::journal::Violation;
use jiff::{SignedDuration, Timestamp};
use quell_core::detect::{Cause, Finding};
use quell_core::event::UNKNOWN_ACTOR;
use quell_core::heartbeat::{Beat, HEARTBEAT_LATE_S, Heartbeat};
use quell_core::history::{History, Open};
use quell_core::policy::Severity;
use quell_core::record::{Attempt, Authority, Fact, Outcome, Problem, Verdict};
use quell_core::resource::ResourceRef;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

/// Within which time a violation by the same counts as repeated, in seconds: a week.
pub const REPEAT_WINDOW_S: i64 = 7 * 24 * 3600;
/// How often what fell out of the window is forgotten, in seconds.
pub const FORGET_PERIOD_S: i64 = 3600;
/// Beginning of the ids of the policies that watch Quell itself.
pub const SELF_POLICIES: &str = "aws.self.";

/// What the facts so far say.
#[derive(Debug, Default)]
pub struct Fold {
    /// When the cause of a finding that is about to be fixed happened, by finding key.
    causes: HashMap<String, Timestamp>,
    /// The same for a change under way, by attempt id.
    attempts: HashMap<String, Timestamp>,
    resources: HashMap<(String, ResourceRef), Violation>,
    actors: HashMap<String, Violation>,
    critical: HashSet<String>,
    breaker_until: Option<Timestamp>,
    forgotten: Timestamp,
}

/// Who violated by which event, where a decision is about a violation that an event caused.
pub fn violation<'a>(finding: &'a Finding, verdict: &Verdict) -> Option<(&'a str, Violation)> {
    let harmless = matches!(verdict, Verdict::Exempt { .. } | Verdict::Indeterminate { .. });
    match &finding.cause {
        Cause::Event { uid, actor, .. } if !harmless && !finding.latent => {
            Some((actor.as_str(), Violation { event: uid.clone(), time: finding.time }))
        }
        _ => None,
    }
}

impl Fold {
    /// Takes over what the history knows of the time before.
    pub fn remember(&mut self, history: &History) {
        for open in history.findings() {
            self.known(open);
        }
        for attempt in history.unfinished() {
            self.under_way(history, attempt);
        }
        self.breaker_until = history.breaker_open(Timestamp::MIN);
    }

    /// Takes over what the history knows of one resource, perhaps from other processes, and of the
    /// breaker; and the last violation of whoever is at work there, where the store knows one.
    pub fn recall(
        &mut self,
        history: &History,
        resource: &ResourceRef,
        culprit: Option<(&str, &Violation)>,
    ) {
        for open in history.findings_on(resource) {
            self.known(open);
        }
        for attempt in history.unfinished_on(resource) {
            self.under_way(history, attempt);
        }
        self.breaker_until = history.breaker_open(Timestamp::MIN);
        if let Some((actor, last)) = culprit {
            note(&mut self.actors, actor.to_owned(), last);
        }
    }

    fn known(&mut self, open: &Open) {
        let finding = &open.finding;
        if finding.severity == Severity::Critical && open.status.is_open() {
            self.critical.insert(finding.key.clone());
        } else {
            self.critical.remove(&finding.key);
        }
        if let Some((actor, last)) = violation(finding, &open.verdict) {
            note(&mut self.resources, resource_key(finding), &last);
            if actor != UNKNOWN_ACTOR {
                note(&mut self.actors, actor.to_owned(), &last);
            }
        }
    }

    fn under_way(&mut self, history: &History, attempt: &Attempt) {
        let open = history.finding(&attempt.finding).filter(|_| is_our_fix(attempt));
        if let Some(open) = open {
            self.attempts.insert(attempt.id.clone(), open.finding.time);
        }
    }

    /// How long the breaker stays open, in seconds; 0 while it is closed.
    pub fn breaker_open_s(&self, now: Timestamp) -> f64 {
        self.breaker_until.map_or(0.0, |until| seconds(now, until))
    }

    /// Folds one durable fact in, and says what it measures.
    pub fn apply(&mut self, time: Timestamp, fact: &Fact) -> Vec<Point> {
        self.forget(time);
        let one = |metric, labels: &[&str]| vec![Point::new(metric, labels, 1.0)];
        match fact {
            Fact::Decided { finding, verdict, .. } => self.decided(finding, verdict),
            Fact::Attempted(attempt) => {
                let cause = self.causes.remove(&attempt.finding);
                if let Some(cause) = cause.filter(|_| is_our_fix(attempt)) {
                    self.attempts.insert(attempt.id.clone(), cause);
                }
                Vec::new()
            }
            Fact::Concluded { attempt, outcome, .. } => self.concluded(time, attempt, outcome),
            Fact::Processed { event_time, .. } => {
                let mut points = one(Metric::Events, &[]);
                points.push(Point::new(Metric::EventLag, &[], seconds(*event_time, time)));
                points
            }
            Fact::Failed { problem, .. } => one(Metric::JudgmentErrors, &[problem_word(*problem)]),
            Fact::DeadLettered { .. } => one(Metric::DeadLetters, &[]),
            Fact::Impostor { .. } => one(Metric::Tampering, &["impostor"]),
            Fact::BreakerOpened { until, .. } => {
                self.breaker_until = Some(*until);
                Vec::new()
            }
            Fact::Heartbeat { heartbeat, step } => heartbeat_age(heartbeat, step),
            Fact::Resolved { finding, .. } => {
                self.critical.remove(finding);
                Vec::new()
            }
            Fact::CallFailed { .. }
            | Fact::Approval { .. }
            | Fact::UndoRequested { .. }
            | Fact::Exempted(_)
            | Fact::ExemptionRemoved { .. }
            | Fact::TailRepaired { .. } => Vec::new(),
        }
    }

    fn decided(&mut self, finding: &Finding, verdict: &Verdict) -> Vec<Point> {
        let severity = finding.severity.word();
        let mut points = vec![
            Point::new(Metric::Findings, &[severity], 1.0),
            Point::new(Metric::Decisions, &[verdict.word()], 1.0),
        ];
        let mut count = |metric, labels: &[&str]| points.push(Point::new(metric, labels, 1.0));
        if *verdict == Verdict::Remediate {
            self.causes.insert(finding.key.clone(), finding.time);
        }
        let harmless = matches!(verdict, Verdict::Exempt { .. } | Verdict::Indeterminate { .. });
        if harmless || finding.latent {
            return points;
        }
        let event = match &finding.cause {
            Cause::Event { uid, actor, .. } => Some((uid, actor)),
            Cause::Scan => None,
        };
        // A look again at what stands open is no new violation; an event is.
        let is_critical = finding.severity == Severity::Critical;
        if is_critical && (self.critical.insert(finding.key.clone()) || event.is_some()) {
            count(Metric::CriticalViolations, &[]);
        }
        let Some((uid, actor)) = event else { return points };
        if finding.policy.starts_with(SELF_POLICIES) {
            count(Metric::Tampering, &["pipeline"]);
        }
        if self.is_repeated_resource(finding, uid) {
            count(Metric::RepeatedViolations, &["resource"]);
        }
        if self.is_repeated_actor(finding, uid, actor) {
            count(Metric::RepeatedViolations, &["actor"]);
        }
        points
    }

    fn concluded(&mut self, time: Timestamp, attempt: &str, outcome: &Outcome) -> Vec<Point> {
        let mut points = vec![Point::new(Metric::Actions, &[outcome.word()], 1.0)];
        let cause = self.attempts.remove(attempt);
        if let (Some(cause), Outcome::Corrected { .. }) = (cause, outcome) {
            points.push(Point::new(Metric::EventToFix, &[], seconds(cause, time)));
        }
        points
    }

    fn is_repeated_resource(&mut self, finding: &Finding, event: &str) -> bool {
        is_repeated(&mut self.resources, resource_key(finding), event, finding.time)
    }

    fn is_repeated_actor(&mut self, finding: &Finding, event: &str, actor: &str) -> bool {
        // Two who can't be named need not be the same.
        actor != UNKNOWN_ACTOR
            && is_repeated(&mut self.actors, actor.to_owned(), event, finding.time)
    }

    /// Forgets what fell out of the window.
    fn forget(&mut self, now: Timestamp) {
        if now.duration_since(self.forgotten) < SignedDuration::from_secs(FORGET_PERIOD_S) {
            return;
        }
        self.forgotten = now;
        let since = SignedDuration::from_secs(REPEAT_WINDOW_S);
        self.resources.retain(|_, last| now.duration_since(last.time) <= since);
        self.actors.retain(|_, last| now.duration_since(last.time) <= since);
    }
}

fn resource_key(finding: &Finding) -> (String, ResourceRef) {
    (finding.policy.clone(), finding.resource.clone())
}

/// Notes a violation of the time before, if it is the newest that is known.
fn note<K: Hash + Eq>(known: &mut HashMap<K, Violation>, key: K, last: &Violation) {
    let newest = known.entry(key).or_insert_with(|| last.clone());
    if newest.time < last.time {
        newest.clone_from(last);
    }
}

/// Notes who violated, and says whether another event of theirs did so before.
fn is_repeated<K: Hash + Eq>(
    known: &mut HashMap<K, Violation>,
    key: K,
    event: &str,
    time: Timestamp,
) -> bool {
    let last = known.insert(key, Violation { event: event.to_owned(), time });
    let window = SignedDuration::from_secs(REPEAT_WINDOW_S);
    last.is_some_and(|it| it.event != event && time.duration_since(it.time).abs() <= window)
}

/// How old a heartbeat is that comes back, or that has not come back in time. One that could not be
/// written counts as late at once: else a place that refuses us would be silent beside others that
/// beat. Silence everywhere has no age: its alarm is that nothing is measured.
fn heartbeat_age(heartbeat: &Heartbeat, step: &Beat) -> Vec<Point> {
    let age_s = match step {
        Beat::Sent | Beat::Written { .. } => return Vec::new(),
        Beat::Failed { .. } => SignedDuration::from_secs(HEARTBEAT_LATE_S),
        Beat::Returned { after_ms, .. } => SignedDuration::from_millis(*after_ms),
        Beat::Late { waited_s } => SignedDuration::from_secs(*waited_s),
    };
    let rule = &heartbeat.rule;
    let labels = [rule.account.as_str(), rule.region.as_str()];
    vec![Point::new(Metric::HeartbeatAge, &labels, age_s.as_secs_f64())]
}

/// A fix that no person had to wait for, and that an event led to.
fn is_our_fix(attempt: &Attempt) -> bool {
    attempt.authority == Authority::Policy && attempt.event.is_some()
}

/// Seconds from one moment to a later one; 0 where clocks disagree about the order.
fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}

/// The problem in one word.
pub fn problem_word(problem: Problem) -> &'static str {
    match problem {
        Problem::Read => "read",
        Problem::Policy => "policy",
        Problem::Plan => "plan",
        Problem::Indeterminate => "indeterminate",
    }
}
