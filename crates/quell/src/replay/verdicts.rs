//! What would have been done: the findings in the order in which they happened, decided one after
//! the other.
//!
//! `now` is the event's own time. A change that would have been made is taken as made and verified,
//! so the next decision finds it in the history, as it would have live.

use super::judge::Judge;
use super::report::{Found, Line, Report};
use quell_core::action::{ActionMeta, Plan, PlanError, Reversibility, Stage};
use quell_core::change::{Change, digest};
use quell_core::decide::guardrails::Guardrails;
use quell_core::decide::{Case, Decision, decide};
use quell_core::detect::Finding;
use quell_core::event::Event;
use quell_core::history::History;
use quell_core::reason::Reason;
use quell_core::record::{Attempt, Authority, Fact, Outcome, Verdict};
use quell_core::resource::State;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A finding, with what deciding about it needs.
#[derive(Debug)]
pub struct Sighting {
    /// What was found.
    pub finding: Finding,
    /// What would fix it.
    pub plan: Result<Option<Plan>, PlanError>,
    /// Elements come before blocks.
    pub stage: Option<Stage>,
    /// The policy's place in the [`Judge`].
    pub policy: u32,
    /// The event, without its envelope.
    pub event: Arc<Event>,
    /// The resource, without its properties.
    pub state: State,
    /// The file that the event was in.
    pub file: Arc<str>,
    /// The record's number in it.
    pub number: u64,
}

/// Decides about all findings, and tells how the past would have gone.
pub fn decide_all(mut found: Found, judge: &Judge<'_>, rails: &Guardrails) -> Report {
    found.sightings.sort_by(|left, right| left.order().cmp(&right.order()));
    let sightings = std::mem::take(&mut found.sightings);
    let mut report = Report::new(found, judge);
    let mut past = Past::default();
    // The same event lies in several archives: of several trails, or delivered twice.
    let mut places: HashMap<String, (Arc<str>, u64)> = HashMap::new();
    for sighting in sightings {
        let place = (Arc::clone(&sighting.file), sighting.number);
        let first = places.entry(sighting.event.uid.clone()).or_insert_with(|| place.clone());
        if *first == place {
            report.add(decide_one(&sighting, judge, rails, &mut past));
        } else {
            report.add_duplicate();
        }
    }
    report
}

impl Sighting {
    fn order(&self) -> impl Ord {
        let Sighting { finding, stage, event, file, number, .. } = self;
        (
            (event.time, &event.uid, file, number),
            (&finding.resource, *stage, &finding.policy, &finding.element),
        )
    }
}

/// What would have happened so far.
#[derive(Default)]
struct Past {
    history: History,
    /// The event that is decided about, and the changes that were made because of it.
    event: String,
    made: HashSet<String>,
}

impl Past {
    /// Two policies may want the same change: live, the second one finds it made.
    fn is_made(&mut self, event: &Event, change: &Change) -> bool {
        if self.event != event.uid {
            self.event.clone_from(&event.uid);
            self.made.clear();
        }
        self.made.contains(&change.id())
    }
}

fn decide_one(sighting: &Sighting, judge: &Judge<'_>, rails: &Guardrails, past: &mut Past) -> Line {
    let Some(policy) = judge.policy(sighting.policy) else {
        // Sightings are made by this judge, by these very places.
        return Line::new(sighting, None, &Verdict::Observe { reason: Reason::NoRemediation });
    };
    let kind = &sighting.finding.resource.kind;
    let action = judge.library().action_of(policy, kind).map(|it| it.meta());
    let plan = match &sighting.plan {
        Ok(Some(plan)) if past.is_made(&sighting.event, &plan.change) => Ok(None),
        plan => plan.clone(),
    };
    let case = Case {
        finding: &sighting.finding,
        state: &sighting.state,
        event: Some(&sighting.event),
        policy: policy.meta(),
        action,
        plan: &plan,
    };
    let now = sighting.event.time;
    let Decision { verdict, authorized, opens_breaker } = decide(rails, &past.history, &case, now);
    let verdict = hangs_on_unknown(verdict, &plan);
    let change = plan.ok().flatten().map(|it| it.change);
    past.history.apply(
        now,
        &Fact::Decided {
            finding: sighting.finding.clone(),
            verdict: verdict.clone(),
            change: change.clone(),
            actor: Some(sighting.event.actor.clone()),
        },
    );
    if let Some((until, reason)) = opens_breaker {
        past.history.apply(now, &Fact::BreakerOpened { until, reason });
    }
    if let (Some(change), Some(action)) = (authorized, action) {
        let after = change.get().after.clone();
        let attempt = attempt(sighting, change.get().clone(), action);
        let id = attempt.id.clone();
        past.made.insert(attempt.change.id());
        past.history.apply(now, &Fact::Attempted(attempt));
        let concluded = Fact::Concluded {
            attempt: id,
            outcome: Outcome::Corrected { after },
            request_ids: Vec::new(),
            note: None,
            resumed: false,
        };
        past.history.apply(now, &concluded);
    }
    Line::new(sighting, change, &verdict)
}

/// Live, the plan would have read what the event does not tell.
fn hangs_on_unknown(verdict: Verdict, plan: &Result<Option<Plan>, PlanError>) -> Verdict {
    match (verdict, plan) {
        (Verdict::Withhold { reason: Reason::PlanFailed { .. } }, Err(PlanError::Unknown(it))) => {
            Verdict::Indeterminate { unknown: it.clone() }
        }
        (verdict, _) => verdict,
    }
}

fn attempt(sighting: &Sighting, change: Change, action: &ActionMeta) -> Attempt {
    let Sighting { finding, event, .. } = sighting;
    let reversibility: Reversibility = action.reversibility;
    Attempt {
        id: digest(&["replay", &finding.uid, &change.id()]),
        finding: finding.key.clone(),
        policy: finding.policy.clone(),
        severity: finding.severity,
        event: Some(event.uid.clone()),
        change,
        authority: Authority::Policy,
        reversibility,
        undoes: None,
    }
}
