//! Deciding: may this finding be fixed now? Total, pure, and the only place that can authorize.
//!
//! [`decide`] asks the guardrails in one order, from "is it certain" over "is it wanted" to "is it
//! safe now", and the first that objects names itself in the verdict. What passes them all comes
//! out as an [`Authorized`] change; nothing else can change the cloud.

pub mod authorized;
pub mod grace;
pub mod guardrails;
pub mod mode;
pub mod window;

use crate::action::{ActionMeta, Plan, PlanError, Reversibility};
use crate::change::Change;
use crate::detect::Finding;
use crate::event::Event;
use crate::heartbeat::Heartbeat;
use crate::history::{History, Status};
use crate::policy::{Mode, PolicyMeta};
use crate::reason::Reason;
use crate::record::{Attempt, Verdict};
use crate::resource::State;
use crate::scope;
use authorized::Authorized;
use guardrails::Guardrails;
use jiff::{SignedDuration, Timestamp};
use thiserror::Error;

/// All that a decision looks at besides rules and history.
#[derive(Debug)]
pub struct Case<'a> {
    /// What was found.
    pub finding: &'a Finding,
    /// The state that was judged.
    pub state: &'a State,
    /// The event that led to the look, if one did.
    pub event: Option<&'a Event>,
    /// The policy.
    pub policy: &'a PolicyMeta,
    /// The policy's action; `None` where it has no remediation.
    pub action: Option<&'a ActionMeta>,
    /// What the action planned.
    pub plan: &'a Result<Option<Plan>, PlanError>,
}

/// A verdict; a change that may be made comes with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What the ledger tells.
    pub verdict: Verdict,
    /// The change, where the verdict is [`Verdict::Remediate`].
    pub authorized: Option<Authorized<Change>>,
    /// Whether the fleet-wide breaker must open now, until when and why.
    pub opens_breaker: Option<(Timestamp, String)>,
}

/// Decides about one finding.
pub fn decide(rails: &Guardrails, history: &History, case: &Case<'_>, now: Timestamp) -> Decision {
    match verdict(rails, history, case, now) {
        Ok(change) => Decision {
            verdict: Verdict::Remediate,
            authorized: Some(Authorized::new(change)),
            opens_breaker: None,
        },
        Err(verdict) => refused(rails, verdict, now),
    }
}

/// What becomes of an authorized change when the fleet's common count says that the cap is
/// reached: `changes` were made by all writers together. One that has opened the breaker is enough.
pub fn over_cap(rails: &Guardrails, history: &History, changes: usize, now: Timestamp) -> Decision {
    let open = history.breaker_open(now).filter(|_| !rails.override_breaker);
    let reason = match open {
        Some(until) => Reason::BreakerOpen { until },
        None => Reason::BlastRadius { changes, fleet_changes_max: rails.fleet_changes_max },
    };
    refused(rails, withhold(reason), now)
}

fn refused(rails: &Guardrails, verdict: Verdict, now: Timestamp) -> Decision {
    let opens_breaker = match &verdict {
        Verdict::Withhold { reason: reason @ Reason::BlastRadius { .. } } => {
            Some((later(now, rails.breaker_open_s), reason.to_string()))
        }
        _ => None,
    };
    Decision { verdict, authorized: None, opens_breaker }
}

/// The guardrails in their order; `Err` is the first objection.
fn verdict(
    rails: &Guardrails,
    history: &History,
    case: &Case<'_>,
    now: Timestamp,
) -> Result<Change, Verdict> {
    let finding = case.finding;
    if let Some(unknown) = &finding.indeterminate {
        return Err(Verdict::Indeterminate { unknown: unknown.clone() });
    }
    if finding.latent {
        return Err(Verdict::Observe { reason: Reason::Latent });
    }
    let tags = &case.state.tags;
    let exemptions = rails.exemptions.iter().chain(history.exemptions());
    if let Some(it) = exemptions.into_iter().find(|it| it.covers(finding, tags, now)) {
        return Err(Verdict::Exempt {
            exemption: it.id.clone(),
            owner: it.owner.clone(),
            expires: it.expires,
        });
    }
    let (mode, rule) = rails.modes.of(finding, tags, case.policy.highest_mode);
    match mode {
        Mode::Observe => return Err(Verdict::Observe { reason: Reason::Mode { mode, rule } }),
        Mode::Notify => return Err(Verdict::Notify { reason: Reason::Mode { mode, rule } }),
        Mode::Approve | Mode::Enforce => {}
    }
    if let Some(reason) = &finding.notify_only {
        return Err(Verdict::Notify { reason: Reason::NotifyOnly { reason: reason.clone() } });
    }
    let (action, plan) = planned(case)?;
    if let Some(event) = case.event {
        timely(rails, event, now).map_err(withhold)?;
    }
    person_said(rails, history, finding, &plan.change, now).map_err(withhold)?;
    let open = history.finding(&finding.key);
    if let Some(reason) = grace::grace(&rails.pipelines, open, finding, now) {
        return Err(withhold(reason));
    }
    settled(rails, history, finding, &plan.change, now).map_err(withhold)?;
    affordable(rails, history, finding, now).map_err(withhold)?;
    if !rails.windows.is_empty() && !rails.windows.iter().any(|it| it.is_open(now)) {
        return Err(withhold(Reason::OutsideWindow));
    }
    if let Some(reason) = approval(mode, rule, finding, action, &plan) {
        return Err(Verdict::AwaitApproval {
            reason,
            expires: later(now, rails.approval_expires_s),
        });
    }
    Ok(plan.change)
}

fn withhold(reason: Reason) -> Verdict {
    Verdict::Withhold { reason }
}

fn planned<'a>(case: &Case<'a>) -> Result<(&'a ActionMeta, Plan), Verdict> {
    let Some(action) = case.action else {
        return Err(Verdict::Notify { reason: Reason::NoRemediation });
    };
    match case.plan {
        Err(error) => Err(withhold(Reason::PlanFailed { error: error.to_string() })),
        Ok(None) => Err(Verdict::Observe { reason: Reason::NothingToDo }),
        Ok(Some(plan)) => Ok((action, plan.clone())),
    }
}

/// A replayed or delayed event is no reason to act now; neither is one from the future.
fn timely(rails: &Guardrails, event: &Event, now: Timestamp) -> Result<(), Reason> {
    let age_s = now.duration_since(event.time).as_secs();
    if rails.event_age_max_s < age_s {
        return Err(Reason::StaleEvent { age_s, event_age_max_s: rails.event_age_max_s });
    }
    if age_s < -rails.clock_skew_max_s {
        return Err(Reason::FutureEvent {
            ahead_s: -age_s,
            clock_skew_max_s: rails.clock_skew_max_s,
        });
    }
    Ok(())
}

/// What a person said about this finding holds until it runs out.
fn person_said(
    rails: &Guardrails,
    history: &History,
    finding: &Finding,
    change: &Change,
    now: Timestamp,
) -> Result<(), Reason> {
    let Some(open) = history.finding(&finding.key) else { return Ok(()) };
    if let Some((person, when)) = &open.undone {
        let until = later(*when, rails.undo_hold_s);
        if now < until {
            return Err(Reason::UndoneBy { person: person.clone(), until });
        }
    }
    match &open.denied {
        Some((person, denied)) if *denied == change.id() => {
            Err(Reason::DeniedBy { person: person.clone() })
        }
        _ => Ok(()),
    }
}

/// Nobody fights with us over this facet, and the resource is not cooling down.
fn settled(
    rails: &Guardrails,
    history: &History,
    finding: &Finding,
    change: &Change,
    now: Timestamp,
) -> Result<(), Reason> {
    let facet = change.facet.to_string();
    let rounds = history
        .made_since(earlier(now, rails.oscillation_window_s))
        .filter(|it| it.corrected && it.resource == finding.resource && it.facet == facet)
        .count();
    if rails.oscillation_rounds_max <= rounds {
        return Err(Reason::Oscillation { rounds, other: other(history, finding) });
    }
    let cause = cause(finding);
    let last = history
        .made_since(earlier(now, rails.cooldown_s))
        .filter(|it| it.resource == finding.resource && it.policy == finding.policy)
        // What one look finds is fixed together, and a look may have no event: a retry has none.
        .filter(|it| it.event.as_deref() != cause)
        .last();
    match last {
        Some(made) if 0 < rails.cooldown_s => {
            Err(Reason::Cooldown { until: later(made.time, rails.cooldown_s) })
        }
        _ => Ok(()),
    }
}

/// Who moves a facet back: the event's actor, else whom an earlier look at the finding named.
fn other(history: &History, finding: &Finding) -> String {
    let actor = |it: &Finding| Some(scope::actor(it).to_owned()).filter(|it| !it.is_empty());
    let earlier = || history.finding(&finding.key);
    let named = || match &earlier()?.verdict {
        Verdict::Withhold { reason: Reason::Oscillation { other, .. } } => Some(other.clone()),
        _ => None,
    };
    let found = actor(finding).or_else(|| actor(&earlier()?.finding)).or_else(named);
    found.unwrap_or_else(|| "somebody that no event names".to_owned())
}

/// Budgets of the resource and of the fleet, and the breaker.
fn affordable(
    rails: &Guardrails,
    history: &History,
    finding: &Finding,
    now: Timestamp,
) -> Result<(), Reason> {
    let breaker = history.breaker_open(now).filter(|_| !rails.override_breaker);
    if let Some(until) = breaker {
        return Err(Reason::BreakerOpen { until });
    }
    let changes = history
        .made_since(earlier(now, rails.resource_window_s))
        .filter(|it| it.resource == finding.resource)
        .count();
    if rails.resource_changes_max <= changes {
        let resource_changes_max = rails.resource_changes_max;
        return Err(Reason::ResourceBudget { changes, resource_changes_max });
    }
    let changes = history.made_since(earlier(now, rails.fleet_window_s)).count();
    if rails.fleet_changes_max <= changes {
        let fleet_changes_max = rails.fleet_changes_max;
        return Err(Reason::BlastRadius { changes, fleet_changes_max });
    }
    Ok(())
}

fn approval(
    mode: Mode,
    rule: String,
    finding: &Finding,
    action: &ActionMeta,
    plan: &Plan,
) -> Option<Reason> {
    if action.reversibility == Reversibility::None {
        return Some(Reason::Irreversible);
    }
    if let Some(reason) = finding.approval.as_ref().or(plan.approval.as_ref()) {
        return Some(Reason::NeedsApproval { reason: reason.clone() });
    }
    (mode == Mode::Approve).then_some(Reason::Mode { mode, rule })
}

fn cause(finding: &Finding) -> Option<&str> {
    match &finding.cause {
        crate::detect::Cause::Event { uid, .. } => Some(uid),
        crate::detect::Cause::Scan => None,
    }
}

/// Why a person's request is refused.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such finding or attempt.
    #[error("no `{0}` in the ledger")]
    Unknown(String),
    /// The finding waits for nobody.
    #[error("finding `{key}` is {status}, not waiting for approval")]
    NotWaiting {
        /// The finding's key.
        key: String,
        /// Where it stands.
        status: String,
    },
    /// The approval came too late.
    #[error("the approval expired at {0}; `quell findings retry` asks again")]
    Expired(Timestamp),
    /// The resource moved since the change was shown.
    #[error("the resource has moved since the change was shown; it must be approved again")]
    Moved,
    /// The fix was never known to change anything.
    #[error("attempt `{0}` did not change anything, so there is nothing to undo")]
    NothingToUndo(String),
    /// The fix cannot be undone.
    #[error("`{0}` cannot be undone")]
    Irreversible(String),
    /// The undo would grant IAM permissions again, which is off by default.
    #[error("undoing `{0}` grants IAM permissions again; set `undo_iam_grants: true` to allow it")]
    Grants(String),
}

/// Authorizes the change that a person approved: the very change that the finding waits with, if
/// the freshly read state still leads to it.
pub fn approved(
    history: &History,
    key: &str,
    fresh: Option<&Change>,
    now: Timestamp,
) -> Result<Authorized<Change>, Refusal> {
    let open = history.finding(key).ok_or_else(|| Refusal::Unknown(key.to_owned()))?;
    let Verdict::AwaitApproval { expires, .. } = &open.verdict else {
        return Err(not_waiting(key, open.status));
    };
    if open.status != Status::AwaitingApproval {
        return Err(not_waiting(key, open.status));
    }
    if *expires <= now {
        return Err(Refusal::Expired(*expires));
    }
    match (&open.change, fresh) {
        (Some(shown), Some(fresh)) if shown.id() == fresh.id() => {
            Ok(Authorized::new(shown.clone()))
        }
        _ => Err(Refusal::Moved),
    }
}

/// Authorizes the undo of an attempt, also of one that was never verified.
pub fn undo(
    rails: &Guardrails,
    attempt: &Attempt,
    action: &ActionMeta,
) -> Result<Authorized<Change>, Refusal> {
    if action.reversibility == Reversibility::None {
        return Err(Refusal::Irreversible(attempt.id.clone()));
    }
    if attempt.undoes.is_none() && action.undo_grants && !rails.undo_iam_grants {
        return Err(Refusal::Grants(attempt.id.clone()));
    }
    Ok(Authorized::new(attempt.change.inverse()))
}

/// Authorizes again what an attempt without conclusion was about to make: the decision is in the
/// ledger already, and making the change is idempotent.
pub fn resume(attempt: &Attempt) -> Authorized<Change> {
    Authorized::new(attempt.change.clone())
}

/// Authorizes a heartbeat, the one write that no finding asks for. No guardrail holds it back: it
/// sets a tag that nothing depends on, and blindness must show most when nothing may be fixed.
pub fn heartbeat(heartbeat: Heartbeat) -> Authorized<Heartbeat> {
    Authorized::new(heartbeat)
}

fn not_waiting(key: &str, status: Status) -> Refusal {
    Refusal::NotWaiting { key: key.to_owned(), status: format!("{status:?}").to_lowercase() }
}

fn later(time: Timestamp, seconds: i64) -> Timestamp {
    time.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}

fn earlier(time: Timestamp, seconds: i64) -> Timestamp {
    time.checked_sub(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MIN)
}
