//! The report for programs: one JSON document that says everything.
//!
//! Its schema is `docs/reference/report.schema.json`; every key is always there. [`SCHEMA`] changes
//! when a key changes its meaning or goes away; new keys may come at any time.

use super::{Entry, Problem, Report, Rule, Summary, Verdict};
use crate::plan::Place;
use crate::policy::Severity;
use serde_json::{Value, json};

/// The value of `schema`.
pub const SCHEMA: &str = "quell.report/v1";

/// Writes the report.
pub fn write(report: &Report) -> String {
    format!("{:#}\n", document(report))
}

/// The document.
pub fn document(report: &Report) -> Value {
    let Summary { violations, worst, unknown, errors, exempt, ignored, baselined, warnings } =
        report.summary();
    json!({
        "schema": SCHEMA,
        "version": report.version,
        "time": report.time.to_string(),
        "summary": {
            "resources": report.resources,
            "violations": violations,
            "worst": worst.map(Severity::word),
            "unknown": unknown,
            "errors": errors,
            "warnings": warnings,
            "exempt": exempt,
            "ignored": ignored,
            "baselined": baselined,
        },
        "policies": report.rules_by_id().into_values().map(rule).collect::<Vec<_>>(),
        "entries": report.entries.iter().map(entry).collect::<Vec<_>>(),
        "problems": report.problems.iter().map(problem).collect::<Vec<_>>(),
    })
}

fn rule(it: &Rule) -> Value {
    json!({
        "id": it.id,
        "title": it.title,
        "description": it.description,
        "severity": it.severity.word(),
        "help": it.help,
        "link": it.link,
        "controls": it.controls,
    })
}

fn entry(it: &Entry) -> Value {
    let (owner, expires) = match &it.verdict {
        Verdict::Exempt { owner, expires, .. } => (Some(owner), Some(expires.to_string())),
        Verdict::Ignored { expires, .. } => (None, Some(expires.to_string())),
        _ => (None, None),
    };
    json!({
        "policy": it.rule.id,
        "severity": it.severity.word(),
        "verdict": it.verdict.word(),
        "excuse": it.verdict.excuse().map(|reason| {
            json!({ "reason": reason, "owner": owner, "expires": expires })
        }),
        "resource": {
            "type": it.resource.kind,
            "id": it.resource.id,
            "account": it.resource.account,
            "region": it.resource.region,
        },
        "address": it.address,
        "place": it.place.as_ref().map(|at| {
            let end = it.end.map(|end| json!({ "line": end.line, "column": end.column }));
            json!({ "file": at.file, "line": at.line, "column": at.column, "end": end })
        }),
        "element": it.element,
        "reason": it.reason,
        "evidence": it.evidence,
        "patch": it.patch,
        "fingerprint": it.fingerprint(),
    })
}

fn problem(it: &Problem) -> Value {
    let place = |at: &Place| json!({ "file": at.file, "line": at.line, "column": at.column });
    json!({ "level": it.level.word(), "place": it.place.as_ref().map(place), "text": it.text })
}
