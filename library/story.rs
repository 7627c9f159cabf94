//! The whole product on one case, pure: event → finding → decision → change → verified → undone.
//!
//! A policy's `cases/` are told as stories; the printed story lies beside the case as `story.snap`
//! and is reviewed like code. `quell policy test` tells the same stories for private policies.
//! Guardrails are at their defaults and the mode is enforce, so that a story shows the most that
//! the policy does.

use crate::Library;
use quell_core::change::Change;
use quell_core::decide::guardrails::Guardrails;
use quell_core::decide::mode::Modes;
use quell_core::decide::{Case, decide};
use quell_core::detect::{Detection, Finding, detect};
use quell_core::event::{Event, Status};
use quell_core::history::History;
use quell_core::normalize;
use quell_core::policy::{Mode, Policy};
use quell_core::resource::{State, Trust};
use serde_json::Value;
use std::fmt::{self, Write as _};
use thiserror::Error;

/// A told case.
#[derive(Debug, Clone, PartialEq)]
pub struct Story {
    /// Whether the event led to a judgment at all.
    pub judged: bool,
    /// Whether the policy found a violation.
    pub violates: bool,
    /// The text.
    pub text: String,
}

/// Why a case could not be told.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum StoryError {
    /// `event.json` is no event.
    #[error("event.json: {0}")]
    Event(String),
    /// `state.json` is no state.
    #[error("state.json: {0}")]
    State(String),
    /// The policy could not be evaluated.
    #[error("{0}")]
    Policy(String),
    /// A law of every fix is broken.
    #[error("{0}")]
    Law(String),
}

impl fmt::Display for Story {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

/// Tells one case of one policy.
pub fn tell(
    library: &Library,
    policy: &Policy,
    event: &str,
    state: &str,
) -> Result<Story, StoryError> {
    let event = one_event(event)?;
    let mut text = String::new();
    let _ = writeln!(
        text,
        "event     {} by {} in {} {}",
        event.api.operation,
        event.actor.id(),
        event.cloud.account,
        event.cloud.region
    );
    let triggered = policy
        .trigger()
        .matches(event.envelope.text().as_bytes())
        .map_err(|it| StoryError::Event(it.to_string()))?;
    if !triggered {
        let _ = writeln!(text, "trigger   does not match: nothing is looked at");
        return Ok(Story { judged: false, violates: false, text });
    }
    if let Status::Failure { code, .. } = &event.status {
        let _ = writeln!(text, "failed    {code}: a signal, never a trigger to fix");
        return Ok(Story { judged: false, violates: false, text });
    }
    let mut state: State =
        serde_json::from_str(state).map_err(|it| StoryError::State(it.to_string()))?;
    let kind = crate::resource(&state.resource.kind)
        .ok_or_else(|| StoryError::State(format!("no resource `{}`", state.resource.kind)))?;
    let targets = library.targets(policy, &event);
    if !targets.contains(&state.resource) {
        return Err(StoryError::State(format!(
            "the event leads to {targets:?}, not to {:?}",
            state.resource
        )));
    }
    state.facts = kind.facts(&state, &Trust::default());
    let _ = writeln!(text, "resource  {}", state.resource);
    let detection = detect(&[policy], Some(&event), &state);
    failed(&detection)?;
    for (_, unseen) in &detection.indeterminate {
        let _ = writeln!(text, "verdict   indeterminate: unknown {}", unseen.join(", "));
    }
    if detection.findings.is_empty() && detection.indeterminate.is_empty() {
        let _ = writeln!(text, "verdict   compliant");
    }
    for finding in &detection.findings {
        tell_finding(library, policy, &event, &state, finding, &mut text)?;
    }
    Ok(Story { judged: true, violates: !detection.findings.is_empty(), text })
}

/// The one event of a case.
pub(crate) fn one_event(text: &str) -> Result<Event, StoryError> {
    let events =
        normalize::document(text.as_bytes()).map_err(|it| StoryError::Event(it.to_string()))?;
    let [event]: [_; 1] = events
        .try_into()
        .map_err(|it: Vec<_>| StoryError::Event(format!("{} events, not one", it.len())))?;
    event.map_err(|it| StoryError::Event(it.to_string()))
}

fn failed(detection: &Detection) -> Result<(), StoryError> {
    match detection.errors.first() {
        Some(error) => Err(StoryError::Policy(error.to_string())),
        None => Ok(()),
    }
}

fn tell_finding(
    library: &Library,
    policy: &Policy,
    event: &Event,
    state: &State,
    finding: &Finding,
    text: &mut String,
) -> Result<(), StoryError> {
    let severity = format!("{:?}", finding.severity).to_lowercase();
    let _ =
        writeln!(text, "\nfinding   {severity}: {}\nelement   {}", finding.reason, finding.element);
    let action = library.action_of(policy, &state.resource.kind);
    let plan = match action {
        Some(it) => it.plan(state, &finding.element, &policy.params()),
        None => Ok(None),
    };
    let case = Case {
        finding,
        state,
        event: Some(event),
        policy: policy.meta(),
        action: action.map(|it| it.meta()),
        plan: &plan,
    };
    let modes = Modes { default: Mode::Enforce, ..Modes::default() };
    let rails = Guardrails { modes, ..Guardrails::default() };
    let decision = decide(&rails, &History::default(), &case, event.time);
    let why = decision.verdict.why();
    let why = if why.is_empty() { why } else { format!(": {why}") };
    let _ = writeln!(text, "decision  {}{why}", decision.verdict.word());
    let Ok(Some(plan)) = &plan else { return Ok(()) };
    tell_change(&plan.change, text);
    let after = lawful(policy, event, state, finding, &plan.change)?;
    let _ = writeln!(text, "verified  the element no longer violates; {after} other findings stay");
    let _ = writeln!(text, "undone    the resource is as it was");
    Ok(())
}

fn tell_change(change: &Change, text: &mut String) {
    let _ = writeln!(text, "change    {} {}", change.action, change.facet);
    if let Some(it) = &change.discards {
        let _ = writeln!(text, "discards  {it}, for good");
    }
    for (sign, value) in [('-', &change.before), ('+', &change.after)] {
        if value.is_null() {
            continue;
        }
        let pretty = serde_json::to_string_pretty(value).unwrap_or_default();
        for line in pretty.lines() {
            let _ = writeln!(text, "  {sign} {line}");
        }
    }
}

/// The laws of every fix, on this case; how many other findings are left.
fn lawful(
    policy: &Policy,
    event: &Event,
    state: &State,
    finding: &Finding,
    change: &Change,
) -> Result<usize, StoryError> {
    let law = |it: &str| StoryError::Law(format!("{it}: {}", change.facet));
    if !change.starts_from(&state.properties) {
        return Err(law("`before` is not what was read"));
    }
    let mut fixed = state.clone();
    change.apply_to(&mut fixed.properties).map_err(|it| StoryError::Law(it.to_string()))?;
    if !change.is_done(&fixed.properties) {
        return Err(law("applying the change does not make it done"));
    }
    if let Some(kind) = crate::resource(&fixed.resource.kind) {
        fixed.facts = kind.facts(&fixed, &Trust::default());
    }
    let detection = detect(&[policy], Some(event), &fixed);
    failed(&detection)?;
    if detection.findings.iter().any(|it| it.key == finding.key) {
        return Err(law("the element still violates after the fix"));
    }
    let undo = change.inverse();
    if undo.inverse() != *change {
        return Err(law("the inverse of the inverse is another change"));
    }
    undo.apply_to(&mut fixed.properties).map_err(|it| StoryError::Law(it.to_string()))?;
    if without_nulls(&fixed.properties) != without_nulls(&state.properties) {
        return Err(law("undo does not restore what was"));
    }
    Ok(detection.findings.len())
}

/// A property that is null is a property that is not there.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(_, it)| !it.is_null())
            .map(|(key, it)| (key.clone(), without_nulls(it)))
            .collect(),
        other => other.clone(),
    }
}
