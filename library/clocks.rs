//! One case at every clock: what an event led to, what a scan finds, and what the gate says of the
//! infrastructure code that would make the same state.
//!
//! The code is written out of what the policy reads of the case's state, read again as if somebody
//! had brought it, and judged by the same policy. What a clock cannot say is told with its reason,
//! never passed over.

use crate::folder::Case;
use crate::story::{self, Story};
use quell_core::detect::detect;
use quell_core::event::Event;
use quell_core::plan::hcl::{self, Sources};
use quell_core::plan::{Language, Plan, PlanError, cloudformation, terraform};
use quell_core::policy::Policy;
use quell_core::resource::{State, Trust};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A way to see a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// An event led to it.
    Event,
    /// A scan read it.
    Scan,
    /// Terraform's plan, as JSON.
    Plan,
    /// Terraform's source without a plan.
    Source,
    /// A template of CloudFormation.
    Template,
}

/// The clocks that see code, and its language.
const PLANNED: [(Clock, Language); 3] = [
    (Clock::Plan, Language::Terraform),
    (Clock::Source, Language::Terraform),
    (Clock::Template, Language::CloudFormation),
];

impl fmt::Display for Clock {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Clock::Event => "event",
            Clock::Scan => "scan",
            Clock::Plan => "plan",
            Clock::Source => "source",
            Clock::Template => "template",
        })
    }
}

/// What the clocks say of a case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Agreement {
    /// Those that judged it, and said the same.
    pub clocks: Vec<Clock>,
    /// Those that can say nothing, and why.
    pub silent: BTreeMap<Clock, String>,
}

/// Judges a case, whose story was told, at every clock.
///
/// # Errors
///
/// Which clock says something else than a scan, and what; or what could not be read.
pub fn judge(policy: &Policy, case: &Case, story: &Story) -> Result<Agreement, String> {
    let state: State =
        serde_json::from_str(&case.state).map_err(|it| format!("state.json: {it}"))?;
    let state = with_facts(state)?;
    let scan = told(policy, None, &state)?;
    let mut agreement = Agreement::default();
    if story.judged {
        let event = story::one_event(&case.event).map_err(|it| it.to_string())?;
        agreement.clocks.push(Clock::Event);
        if told(policy, Some(&event), &state)? != scan {
            agreement.silent.insert(Clock::Scan, "the policy looks at the event, too".to_owned());
        }
    } else {
        let why = "the trigger does not match, or the call failed";
        agreement.silent.insert(Clock::Event, why.to_owned());
    }
    let kind = crate::resource(&state.resource.kind);
    if kind.is_some_and(|it| it.meta().is_proven_by_events()) {
        agreement.silent.insert(Clock::Scan, "only events tell of this type".to_owned());
    }
    if !agreement.silent.contains_key(&Clock::Scan) {
        agreement.clocks.push(Clock::Scan);
    }
    for (clock, language) in PLANNED {
        let declared = match written(policy, &state, language) {
            Ok(declared) => declared,
            Err(why) => {
                agreement.silent.insert(clock, why);
                continue;
            }
        };
        let says = told(policy, None, &read_back(clock, &declared, &state)?)?;
        if says != scan {
            return Err(differs(clock, &says, &scan));
        }
        agreement.clocks.push(clock);
    }
    Ok(agreement)
}

/// What a policy finds, in words.
fn told(policy: &Policy, event: Option<&Event>, state: &State) -> Result<BTreeSet<String>, String> {
    let detection = detect(&[policy], event, state);
    if let Some(error) = detection.errors.first() {
        return Err(error.to_string());
    }
    let findings = detection.findings.iter().map(|it| {
        let latent = if it.latent { ", without effect" } else { "" };
        let hangs = it.indeterminate.as_deref().map(|it| format!(", if not {it} helps"));
        format!("{}{latent}{}", it.reason, hangs.unwrap_or_default())
    });
    let unknown = detection.indeterminate.iter();
    let unknown = unknown.map(|(_, it)| format!("unknown: {}", it.join(", ")));
    Ok(findings.chain(unknown).collect())
}

/// The declarations of what the policy reads; an error says why the language has none.
fn written(
    policy: &Policy,
    state: &State,
    language: Language,
) -> Result<Vec<(&'static str, Value)>, String> {
    let reads = &policy.meta().reads;
    if let Some(it) = reads.iter().find(|it| state.unknown.contains(*it)) {
        return Err(format!("the case leaves `{it}` unknown"));
    }
    let kind = &state.resource.kind;
    let kind = crate::resource(kind).ok_or_else(|| format!("no resource `{kind}`"))?;
    let mut read = state.clone();
    for name in kind.meta().properties {
        if !reads.iter().any(|it| it == name) {
            read.unknown.insert((*name).to_owned());
            if let Some(fields) = read.properties.as_object_mut() {
                fields.remove(*name);
            }
        }
    }
    kind.written(&read, language)
}

/// The state that reading the declarations gives.
fn read_back(
    clock: Clock,
    declared: &[(&'static str, Value)],
    state: &State,
) -> Result<State, String> {
    let mut plan = read(clock, declared).map_err(|it| format!("what was written: {it}"))?;
    plan.account = Some(state.resource.account.clone());
    plan.region = Some(state.resource.region.clone());
    let kind = &state.resource.kind;
    let mut found = crate::planned(&plan).into_iter().filter(|it| it.state.resource.kind == *kind);
    match (found.next(), found.next()) {
        (Some(it), None) => with_facts(it.state),
        (first, _) => {
            let count = if first.is_some() { "more than one" } else { "no" };
            Err(format!("{clock}: {count} {kind} is read of what was written"))
        }
    }
}

fn read(clock: Clock, declared: &[(&'static str, Value)]) -> Result<Plan, PlanError> {
    match clock {
        Clock::Template => {
            let resource = |(at, (kind, properties)): (usize, &(&str, Value))| {
                (format!("X{at}"), json!({ "Type": kind, "Properties": properties }))
            };
            let resources: Map<String, Value> = declared.iter().enumerate().map(resource).collect();
            let text = json!({ "Resources": resources }).to_string();
            cloudformation::read("template.json", &text, &cloudformation::Options::default())
        }
        Clock::Source => {
            let mut resources: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
            for (at, (kind, arguments)) in declared.iter().enumerate() {
                resources.entry(*kind).or_default().insert(format!("x{at}"), literal(arguments));
            }
            let mut sources = Sources::default();
            sources.insert("main.tf.json", json!({ "resource": resources }).to_string())?;
            hcl::read(&sources, &hcl::Options::default())
        }
        Clock::Plan | Clock::Event | Clock::Scan => {
            let change = |(at, (kind, after)): (usize, &(&str, Value))| {
                json!({ "address": format!("{kind}.x{at}"), "type": kind, "change": {
                    "actions": ["create"], "before": null, "after": after, "after_unknown": {} } })
            };
            let changes: Vec<Value> = declared.iter().enumerate().map(change).collect();
            let plan = json!({ "format_version": "1.2", "resource_changes": changes });
            terraform::read("plan.json", plan.to_string().as_bytes())
        }
    }
}

/// In source a text is a template: what looks like one is no more than it looks like.
fn literal(value: &Value) -> Value {
    match value {
        Value::String(text) => json!(text.replace("${", "$${").replace("%{", "%%{")),
        Value::Array(list) => list.iter().map(literal).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, it)| (name.clone(), literal(it))).collect()
        }
        other => other.clone(),
    }
}

fn with_facts(mut state: State) -> Result<State, String> {
    let kind = crate::resource(&state.resource.kind)
        .ok_or_else(|| format!("no resource `{}`", state.resource.kind))?;
    state.facts = kind.facts(&state, &Trust::default());
    Ok(state)
}

fn differs(clock: Clock, says: &BTreeSet<String>, scan: &BTreeSet<String>) -> String {
    let mut text = format!("{clock} says something else than a scan:\n");
    for (sign, lines) in [('-', scan.difference(says)), ('+', says.difference(scan))] {
        for it in lines {
            text.push_str(&format!("{sign} {it}\n"));
        }
    }
    text
}
