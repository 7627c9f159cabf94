//! The baseline: what was there when somebody decided that only new findings fail.

use super::judge::{Entry, Judged, Verdict};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The value of `schema`.
pub const SCHEMA: &str = "quell.baseline/v1";

/// The file. Only fingerprint and verdict count; the rest is for people.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Baseline {
    schema: String,
    findings: BTreeSet<Known>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    file: Option<String>,
    address: String,
    policy: String,
    element: String,
    verdict: Told,
    fingerprint: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Told {
    Violation,
    Unknown,
}

/// The baseline that covers every violation and every unknown.
pub fn write(judged: &Judged) -> String {
    let known = |it: &Entry| {
        let verdict = match it.verdict {
            Verdict::Violation | Verdict::Baselined { unknown: false } => Told::Violation,
            Verdict::Unknown | Verdict::Baselined { unknown: true } => Told::Unknown,
            Verdict::Error | Verdict::Exempt { .. } => return None,
        };
        Some(Known {
            file: Some(it.file.clone()),
            address: it.address.clone(),
            policy: it.policy.clone(),
            element: it.element.clone(),
            verdict,
            fingerprint: it.fingerprint.clone(),
        })
    };
    let findings = judged.entries.iter().filter_map(known).collect();
    let baseline = Baseline { schema: SCHEMA.to_owned(), findings };
    // A struct of texts always becomes JSON.
    serde_json::to_string_pretty(&baseline).unwrap_or_default() + "\n"
}

/// Marks what a baseline covers: a violation in it covers an unknown, too, but an unknown in it
/// does not cover the violation that it turns out to be.
///
/// # Errors
///
/// What is wrong with the text.
pub fn apply(judged: &mut Judged, text: &str) -> Result<(), String> {
    let baseline: Baseline = serde_json::from_str(text).map_err(|it| it.to_string())?;
    if baseline.schema != SCHEMA {
        let schema = baseline.schema;
        return Err(format!("its `schema` is `{schema}`; this version of quell reads `{SCHEMA}`"));
    }
    let of = |told: Told| {
        let known = baseline.findings.iter().filter(move |it| it.verdict == told);
        known.map(|it| it.fingerprint.as_str()).collect::<BTreeSet<&str>>()
    };
    let (violations, unknowns) = (of(Told::Violation), of(Told::Unknown));
    for it in &mut judged.entries {
        let is_known = violations.contains(it.fingerprint.as_str());
        match it.verdict {
            Verdict::Violation if is_known => it.verdict = Verdict::Baselined { unknown: false },
            Verdict::Unknown if is_known || unknowns.contains(it.fingerprint.as_str()) => {
                it.verdict = Verdict::Baselined { unknown: true };
            }
            _ => {}
        }
    }
    Ok(())
}
