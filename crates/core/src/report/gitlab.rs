//! GitLab's Code Quality report: what a merge request shows beside its diff.
//!
//! Format: GitLab documentation, "Code Quality report format". GitLab shows what is in the file and
//! nothing else, so excused entries are left out. It has no word for "unknown" or "error": these
//! weigh what the policy's violation would weigh, and their description says what they are.

use super::{Entry, Level, Problem, Report, relative};
use crate::change::digest;
use crate::plan::Place;
use crate::policy::Severity;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The `check_name` of a problem with the input itself.
pub const PROBLEM_CHECK: &str = "quell.input";

/// Writes the report.
pub fn write(report: &Report) -> String {
    let counted = report.entries.iter().filter(|it| it.verdict.excuse().is_none());
    let entries = counted.map(|it| (it.fingerprint(), entry(it)));
    let problems = report.problems.iter().map(|it| {
        let file = it.place.as_ref().map_or("", |it| relative(&it.file));
        (digest(&[PROBLEM_CHECK, file, &it.text]), problem(it))
    });
    let (mut taken, mut issues) = (BTreeMap::<String, usize>::new(), Vec::new());
    for (mut fingerprint, mut issue) in entries.chain(problems) {
        // GitLab drops all but one of the issues that share a fingerprint.
        let before = taken.entry(fingerprint.clone()).or_default();
        *before += 1;
        if 1 < *before {
            fingerprint = digest(&[&fingerprint, &before.to_string()]);
        }
        if let Value::Object(fields) = &mut issue {
            fields.insert("fingerprint".to_owned(), Value::String(fingerprint));
        }
        issues.push(issue);
    }
    format!("{:#}\n", Value::Array(issues))
}

fn entry(it: &Entry) -> Value {
    let subject = it.subject();
    json!({
        "check_name": it.rule.id,
        "description": format!("{}: {subject}: {}", it.headline(), it.reason),
        "severity": severity(it.severity),
        "location": location(it.place.as_ref(), subject),
    })
}

fn problem(it: &Problem) -> Value {
    json!({
        "check_name": PROBLEM_CHECK,
        "description": it.text,
        "severity": match it.level {
            Level::Error => "blocker",
            Level::Warning => "minor",
        },
        "location": location(it.place.as_ref(), PROBLEM_CHECK),
    })
}

/// GitLab refuses a location without path and line: what has no place stands in the first line of
/// a file of its name.
fn location(place: Option<&Place>, name: &str) -> Value {
    let (path, line) = place.map_or((name, 1), |it| (relative(&it.file), it.line.max(1)));
    json!({ "path": path, "lines": { "begin": line } })
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Informational => "info",
        Severity::Low => "minor",
        Severity::Medium => "major",
        Severity::High => "critical",
        Severity::Critical => "blocker",
    }
}
