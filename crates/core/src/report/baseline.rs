//! The baseline: what was there when somebody decided that only new findings fail.
//!
//! It is a file that lies beside the sources and is reviewed with them: sorted, one finding in a
//! few lines, nothing in it that moves with a line number. It covers violations and unknowns; an
//! error is never in it.

use super::{Report, Verdict};
use crate::policy::Severity;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// The value of `schema`.
pub const SCHEMA: &str = "quell.baseline/v1";
/// The largest baseline, in bytes.
pub const BASELINE_MAX_BYTES: usize = 16 * 1024 * 1024;

/// A file that is no baseline.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BaselineError {
    /// Not JSON, or not of this shape; line and column are in the words.
    #[error("not a baseline: {0}")]
    Malformed(String),
    /// Written by another version of Quell, or no baseline at all.
    #[error("the baseline's `schema` is `{0}`, but this version of quell reads `{SCHEMA}`")]
    Schema(String),
    /// More than [`BASELINE_MAX_BYTES`].
    #[error("the baseline has {0} bytes; the limit is {BASELINE_MAX_BYTES} bytes")]
    TooLarge(usize),
}

/// What a baseline did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    /// How many entries it covers.
    pub covered: usize,
    /// How many of its findings are no more: time to write it again.
    pub gone: usize,
}

#[derive(Deserialize)]
struct Head {
    schema: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(rename = "schema")]
    _schema: String,
    findings: Vec<Finding>,
}

/// For people there are also the policy, the file and the address; the fingerprint and the severity
/// alone count.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Finding {
    verdict: Told,
    fingerprint: String,
    /// The worst that it covers; anything where that is not told.
    severity: Option<Severity>,
    #[serde(rename = "policy")]
    _policy: String,
    #[serde(rename = "address")]
    _address: String,
    #[serde(rename = "file")]
    _file: Option<String>,
    #[serde(rename = "element")]
    _element: String,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Told {
    Violation,
    Unknown,
}

/// Writes the baseline that covers every violation and every unknown of the report, and those that
/// the baseline before already covers. What an exemption or an ignore covers is not in it.
pub fn write(report: &Report) -> String {
    let mut findings = BTreeSet::new();
    for it in &report.entries {
        let verdict = match it.verdict {
            Verdict::Violation | Verdict::Baselined { unknown: false } => "violation",
            Verdict::Unknown | Verdict::Baselined { unknown: true } => "unknown",
            _ => continue,
        };
        let file = it.place.as_ref().map(|it| super::relative(&it.file).to_owned());
        let address = it.subject().to_owned();
        let (policy, element) = (it.rule.id.clone(), it.element.clone());
        findings.insert((file, address, policy, element, it.fingerprint(), verdict, it.severity));
    }
    let row = |(file, address, policy, element, fingerprint, verdict, severity)| {
        json!({
            "fingerprint": fingerprint,
            "verdict": verdict,
            "severity": Severity::word(severity),
            "policy": policy,
            "file": file,
            "address": address,
            "element": element,
        })
    };
    let findings: Vec<Value> = findings.into_iter().map(row).collect();
    format!("{:#}\n", json!({ "schema": SCHEMA, "findings": findings }))
}

/// Marks the entries that a baseline covers. A violation in it covers also an unknown; an unknown
/// in it does not cover the violation that it turns out to be, and what was without effect does not
/// cover what has come to be in force.
pub fn apply(report: &mut Report, baseline: &str) -> Result<Applied, BaselineError> {
    if BASELINE_MAX_BYTES < baseline.len() {
        return Err(BaselineError::TooLarge(baseline.len()));
    }
    let malformed = |it: serde_json::Error| BaselineError::Malformed(it.to_string());
    // First alone, so that a later version is told from a faulty file.
    let Head { schema } = serde_json::from_str(baseline).map_err(malformed)?;
    if schema != SCHEMA {
        return Err(BaselineError::Schema(schema));
    }
    let written: Written = serde_json::from_str(baseline).map_err(malformed)?;
    let (mut violations, mut unknowns) = (BTreeMap::new(), BTreeMap::new());
    for Finding { verdict, fingerprint, severity, .. } in written.findings {
        let covered = match verdict {
            Told::Violation => &mut violations,
            Told::Unknown => &mut unknowns,
        };
        let severity = severity.unwrap_or(Severity::Critical);
        let worst = covered.entry(fingerprint).or_insert(severity);
        *worst = severity.max(*worst);
    }
    let (mut covered, mut met) = (0, BTreeSet::new());
    for entry in &mut report.entries {
        let fingerprint = entry.fingerprint();
        let is_in = |it: &BTreeMap<String, Severity>| {
            it.get(&fingerprint).is_some_and(|worst| entry.severity <= *worst)
        };
        let covers = match entry.verdict {
            Verdict::Violation => is_in(&violations),
            Verdict::Unknown => is_in(&violations) || is_in(&unknowns),
            _ => false,
        };
        met.insert(fingerprint);
        if covers {
            entry.verdict = Verdict::Baselined { unknown: entry.verdict == Verdict::Unknown };
            covered += 1;
        }
    }
    let all: BTreeSet<String> = violations.into_keys().chain(unknowns.into_keys()).collect();
    let gone = all.difference(&met).count();
    Ok(Applied { covered, gone })
}
