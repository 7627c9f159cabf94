//! What must hold after every run, whatever went wrong in it.

use crate::attacks::is_open;
use crate::fuse::Made;
use crate::run::{FIGHT_PORT, Run, Tally};
use quell::journal::Journal as _;
use quell_core::change::{element_id, same};
use quell_core::detect::detect;
use quell_core::history::{Open, Status};
use quell_core::normalize;
use quell_core::reason::Reason;
use quell_core::record::{Fact, Outcome, Verdict};
use quell_core::resource::{ResourceRef, State, Trust};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A fight ends after the allowed rounds, and names the other.
pub fn of_the_fight(run: &mut Run, tally: &mut Tally) {
    let Some(group) = run.fight.clone() else { return };
    let facts = run.journal.facts();
    let attempts: HashMap<String, String> = facts
        .iter()
        .filter_map(|(_, it)| match it {
            Fact::Attempted(it) if it.change.resource == group => {
                Some((it.id.clone(), it.change.facet.to_string()))
            }
            _ => None,
        })
        .collect();
    let mut rounds: BTreeMap<&String, usize> = BTreeMap::new();
    for (_, it) in &facts {
        if let Fact::Concluded { attempt, outcome: Outcome::Corrected { .. }, .. } = it
            && let Some(facet) = attempts.get(attempt)
        {
            *rounds.entry(facet).or_default() += 1;
        }
    }
    let max = run.rails.oscillation_rounds_max;
    let fought = rounds.values().any(|it| max <= *it) && is_open(&run.account, &group, FIGHT_PORT);
    for (facet, rounds) in rounds {
        if max < rounds {
            run.problems.push(format!("{rounds} rounds over {facet}; the limit is {max}"));
        }
    }
    let history = run.journal.history();
    let named = |it: &&Open| match &it.verdict {
        Verdict::Withhold { reason: Reason::Oscillation { other, .. } } => {
            other == "arn:aws:iam::111122223333:role/terraform"
        }
        _ => false,
    };
    let ended = history.findings_on(&group).any(|it| named(&it));
    let spent = |it: &&Open| {
        matches!(&it.verdict, Verdict::Withhold { reason: Reason::ResourceBudget { .. } })
    };
    let budget = history.findings_on(&group).any(|it| spent(&it));
    drop(history);
    tally.oscillations += usize::from(ended);
    if fought && !ended && !budget {
        run.problems.push("the fight did not end with Terraform's name".to_owned());
    }
}

/// What must hold when everything has come to rest.
pub fn of_the_end(run: &mut Run, tally: &mut Tally) {
    let mut problems = Vec::new();
    nothing_lost(run, &mut problems);
    fixed_or_withheld(run, tally, &mut problems);
    once_in_effect(run, &mut problems);
    within_budget(run, &mut problems);
    for made in run.made.lock().unwrap().iter() {
        never_widened(made, &mut problems);
    }
    for (_, fact) in run.journal.facts() {
        match fact {
            Fact::Concluded { outcome: Outcome::Corrected { .. }, .. } => tally.corrected += 1,
            Fact::Concluded { outcome: Outcome::Failed { .. }, .. } => tally.failed += 1,
            _ => {}
        }
    }
    run.problems.extend(problems);
}

/// Every event that was delivered is done.
fn nothing_lost(run: &Run, problems: &mut Vec<String>) {
    let history = run.journal.history();
    for delivery in &run.deliveries {
        for event in normalize::document(delivery).unwrap() {
            let event = event.unwrap();
            if !history.has_seen(&event.uid) {
                problems.push(format!("{} {} is lost", event.api.operation, event.uid));
            }
        }
    }
}

/// What violates still is held back by a guardrail that the ledger names, and the ledger claims
/// nothing else.
fn fixed_or_withheld(run: &Run, tally: &mut Tally, problems: &mut Vec<String>) {
    let history = run.journal.history();
    let touched: BTreeSet<&ResourceRef> = run.worse.keys().map(|(it, _)| it).collect();
    let mut violating = BTreeSet::new();
    for resource in touched {
        let mut state = run.account.get(resource).unwrap();
        let kind = quell_library::resource(&resource.kind).unwrap();
        state.facts = kind.facts(&state, &Trust::default());
        let policies = run.library.policies().iter();
        let policies: Vec<_> = policies.filter(|it| it.meta().resource == resource.kind).collect();
        for finding in detect(&policies, None, &state).findings {
            violating.insert(finding.key.clone());
            match history.finding(&finding.key) {
                _ if finding.latent => {}
                Some(Open { status: Status::Withheld, verdict, .. }) => {
                    tally.withheld += 1;
                    if !matches!(verdict, Verdict::Withhold { .. }) {
                        problems.push(format!("{}: no guardrail is named", finding.reason));
                    }
                }
                found => {
                    let status = found.map(|it| (it.status, &it.verdict));
                    problems.push(format!("{}: {} stays: {status:?}", resource.id, finding.reason));
                }
            }
        }
    }
    for open in history.findings() {
        if open.status == Status::Corrected && violating.contains(&open.finding.key) {
            problems.push(format!("called corrected, yet it is there: {}", open.finding.reason));
        }
    }
}

/// What was made worse so often is made better at most so often.
fn once_in_effect(run: &Run, problems: &mut Vec<String>) {
    let mut better: BTreeMap<(ResourceRef, String), usize> = BTreeMap::new();
    for made in run.made.lock().unwrap().iter() {
        let change = &made.change;
        if !same(&change.facet.read(&made.before.properties), &change.after) {
            let place = (change.resource.clone(), change.facet.pointer.clone());
            *better.entry(place).or_default() += 1;
        }
    }
    for ((resource, pointer), better) in better {
        let worse = run.worse.iter();
        let worse = worse.filter(|((it, at), _)| *it == resource && *at == pointer);
        let worse: usize = worse.map(|(_, count)| count).sum();
        if worse < better {
            problems.push(format!("{resource} {pointer}: {worse} times worse, {better} fixes"));
        }
    }
}

/// Never more changes to a resource than its budget.
fn within_budget(run: &Run, problems: &mut Vec<String>) {
    let window_s = run.rails.resource_window_s;
    let mut times: BTreeMap<ResourceRef, Vec<jiff::Timestamp>> = BTreeMap::new();
    for (time, fact) in run.journal.facts() {
        if let Fact::Attempted(it) = fact {
            times.entry(it.change.resource).or_default().push(time);
        }
    }
    for (resource, times) in times {
        let most = times.iter().map(|start| {
            let within = |it: &&jiff::Timestamp| {
                start <= *it && it.duration_since(*start).as_secs() < window_s
            };
            times.iter().filter(within).count()
        });
        let (most, max) = (most.max().unwrap_or(0), run.rails.resource_changes_max);
        if max < most {
            problems.push(format!("{resource}: {most} changes; the budget is {max}"));
        }
    }
}

/// A fix takes away or closes; it never adds an element, drops a Deny or opens a switch.
fn never_widened(made: &Made, problems: &mut Vec<String>) {
    let mut broken = |what: &str| problems.push(format!("{what}: {:?}", made.change));
    for pointer in ["/SecurityGroupIngress", "/AccessControlList/Grants", "/BucketPolicy/Statement"]
    {
        let (before, after) = (ids(&made.before, pointer), ids(&made.after, pointer));
        if after.difference(&before).next().is_some() {
            broken("an element was added");
        }
        if 1 < before.difference(&after).count() {
            broken("more than one element went");
        }
        let denies = |it: &State| {
            let list = it.properties.pointer(pointer).and_then(Value::as_array).cloned();
            let denies = |it: &Value| it["Effect"] == json!("Deny");
            list.unwrap_or_default().into_iter().filter(denies).collect::<Vec<_>>()
        };
        if denies(&made.before) != denies(&made.after) {
            broken("a Deny was touched");
        }
    }
    let switches = |it: &State| {
        let block = it.properties.pointer("/PublicAccessBlockConfiguration").cloned();
        let mut on: BTreeSet<String> = block
            .and_then(|it| it.as_object().cloned())
            .into_iter()
            .flatten()
            .filter(|(_, it)| *it == json!(true))
            .map(|(key, _)| key)
            .collect();
        if it.properties.pointer("/IsLogging") == Some(&json!(true)) {
            on.insert("IsLogging".to_owned());
        }
        on
    };
    if !switches(&made.before).is_subset(&switches(&made.after)) {
        broken("a switch was opened");
    }
}

/// The elements of a list, but for those that somebody else adds in between.
fn ids(state: &State, pointer: &str) -> BTreeSet<String> {
    let list = state.properties.pointer(pointer).and_then(Value::as_array);
    let ours = |it: &&Value| it["Description"] != json!("third party");
    list.into_iter().flatten().filter(ours).map(element_id).collect()
}
