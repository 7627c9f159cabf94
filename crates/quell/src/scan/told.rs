//! A scan's report as the gate tells its own: one value, which every format is written from.
//!
//! There is no source, so an entry has the resource's id in place of an address, and no place.

use super::Step;
use super::report::{Failed, ScanReport, Stopped};
use crate::gate::judge::rules;
use crate::pipeline::Pipeline;
use quell_core::history::{History, Open, Status};
use quell_core::record;
use quell_core::report::{Entry, Level, Problem, Report, Rule, Verdict};
use std::sync::Arc;

/// What a scan found, with where it stands now.
pub fn report(pipeline: &Pipeline, scanned: &ScanReport) -> Report {
    let rules = rules(&pipeline.library);
    let history = pipeline.journal.history();
    let entries = scanned.found.iter().filter_map(|it| {
        let open = history.finding(&it.key)?;
        let rule = rules.get(open.finding.policy.as_str())?;
        Some(entry(rule, open, verdict(pipeline, &history, open)))
    });
    let mut report = Report {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        time: pipeline.clock.now(),
        resources: scanned.resources,
        rules: rules.values().cloned().collect(),
        entries: entries.collect(),
        problems: problems(scanned),
    };
    report.sort();
    report
}

fn entry(rule: &Arc<Rule>, open: &Open, verdict: Verdict) -> Entry {
    let finding = &open.finding;
    let stands = match open.status {
        Status::Corrected => "; it is fixed by now",
        Status::AwaitingApproval => "; its fix waits for approval",
        Status::Withheld => "; its fix is withheld",
        Status::Failed | Status::Uncorrected => "; its fix failed",
        _ => "",
    };
    Entry {
        rule: Arc::clone(rule),
        severity: finding.severity,
        verdict,
        resource: finding.resource.clone(),
        address: None,
        place: None,
        end: None,
        block: None,
        element: finding.element.clone(),
        reason: format!("{}{stands}", finding.reason),
        evidence: finding.evidence.clone(),
        patch: None,
    }
}

fn verdict(pipeline: &Pipeline, history: &History, open: &Open) -> Verdict {
    match (&open.verdict, open.status) {
        (record::Verdict::Exempt { exemption, owner, expires }, Status::Exempt) => {
            let mut known = pipeline.rails.exemptions.iter().chain(history.exemptions());
            let reason = known.find(|it| it.id == *exemption).map(|it| it.reason.clone());
            Verdict::Exempt {
                id: exemption.clone(),
                owner: owner.clone(),
                reason: reason.unwrap_or_default(),
                expires: *expires,
            }
        }
        (_, Status::Indeterminate) => Verdict::Unknown,
        _ => Verdict::Violation,
    }
}

/// What was not seen, and what the report itself leaves out.
fn problems(scanned: &ScanReport) -> Vec<Problem> {
    let problem = |level: Level, text: String| Problem { level, place: None, text };
    let mut problems: Vec<Problem> =
        scanned.failed.iter().map(|it| problem(Level::Error, failed(it))).collect();
    if let Some(it) = &scanned.stopped {
        problems.push(problem(Level::Error, stopped(it)));
    }
    let untold = scanned.errors.saturating_sub(scanned.failed.len());
    if 0 < untold {
        problems.push(problem(Level::Error, format!("{untold} more errors are not told here")));
    }
    let untold = scanned.violations.saturating_sub(scanned.found.len());
    if 0 < untold {
        let text = format!(
            "{untold} more violations are not told here; `quell findings list` shows all of them"
        );
        problems.push(problem(Level::Warning, text));
    }
    let left_out = scanned.left_out.iter().map(|it| format!("not looked at: {it}"));
    problems.extend(left_out.map(|it| problem(Level::Warning, it)));
    if let Some(why) = &scanned.begun_anew {
        problems.push(problem(Level::Warning, format!("the scan began anew: {why}")));
    }
    problems
}

/// What could not be seen, in a line.
pub fn failed(it: &Failed) -> String {
    let resource = it.resource.as_deref().unwrap_or("could not be listed");
    format!("{} {resource}: {}", place(&it.step), it.error)
}

/// Where a scan stopped, in a line.
pub fn stopped(it: &Stopped) -> String {
    let before = it.before.as_deref().unwrap_or("all");
    format!("the scan stopped at {}, before {before}", place(&it.step))
}

fn place(step: &Step) -> String {
    format!("{} {} {}", step.place.account, step.place.region, step.kind)
}
