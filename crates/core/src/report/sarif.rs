//! SARIF 2.1.0: what code scanning on GitHub and elsewhere reads.
//!
//! Format: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0 Plus Errata
//! 01"; the sections stand at the functions. A violation is a result of kind `fail`; an unknown is
//! one of kind `open`, which is what that kind means; what is excused is a result with a
//! suppression. A policy that failed and a problem with the input are no results: they are
//! notifications of the invocation, which was then not successful.

use super::patch::replacements;
use super::{Entry, Level, Problem, Report, Rule, Verdict, relative};
use crate::plan::Place;
use crate::policy::Severity;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The schema that the document follows.
pub const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// Under which name [`Entry::fingerprint`] stands among the partial fingerprints.
pub const FINGERPRINT: &str = "quellFingerprint/v1";

/// Writes the report.
pub fn write(report: &Report) -> String {
    let rules = report.rules_by_id();
    let index: BTreeMap<&str, usize> = rules.keys().copied().zip(0..).collect();
    let (failed, judged): (Vec<&Entry>, Vec<&Entry>) =
        report.entries.iter().partition(|it| it.verdict == Verdict::Error);
    let notifications = failed.iter().map(|it| of_failed(it, &index));
    let notifications = notifications.chain(report.problems.iter().map(of_problem));
    let document = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "Quell",
                "version": report.version,
                "informationUri": "https://github.com/quell-security/quell",
                "rules": rules.into_values().map(descriptor).collect::<Vec<_>>(),
            } },
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": report.summary().errors == 0,
                "endTimeUtc": report.time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
                "toolExecutionNotifications": notifications.collect::<Vec<_>>(),
            }],
            "results": judged.into_iter().map(|it| result(it, &index)).collect::<Vec<_>>(),
        }],
    });
    format!("{document:#}\n")
}

/// §3.49, reportingDescriptor. GitHub sorts by `security-severity`, a CVSS-like number.
fn descriptor(rule: &Rule) -> Value {
    let controls = rule.controls.iter();
    let mut tags: BTreeSet<String> =
        controls.flat_map(|(name, ids)| ids.iter().map(move |id| format!("{name}:{id}"))).collect();
    tags.insert("security".to_owned());
    let help = rule.help.as_deref().unwrap_or(&rule.description);
    let mut descriptor = json!({
        "id": rule.id,
        "shortDescription": message(&rule.title),
        "fullDescription": message(&rule.description),
        "help": message(help),
        "defaultConfiguration": { "level": level(rule.severity) },
        "properties": { "tags": tags, "security-severity": score(rule.severity) },
    });
    if let (Value::Object(fields), Some(link)) = (&mut descriptor, rule.link.as_deref()) {
        fields.extend(web_address(link).map(|it| ("helpUri".to_owned(), Value::String(it))));
    }
    descriptor
}

/// §3.27, result.
fn result(it: &Entry, index: &BTreeMap<&str, usize>) -> Value {
    // §3.27.9: what is not known yet is `open`, and §3.27.10 leaves it no level.
    let (kind, level) = match it.verdict {
        Verdict::Unknown | Verdict::Baselined { unknown: true } => ("open", "none"),
        _ => ("fail", level(it.severity)),
    };
    let mut fields = Map::new();
    fields.insert("ruleId".to_owned(), json!(it.rule.id));
    fields.insert("ruleIndex".to_owned(), json!(index.get(it.rule.id.as_str())));
    fields.insert("kind".to_owned(), json!(kind));
    fields.insert("level".to_owned(), json!(level));
    fields.insert("message".to_owned(), message(&told(it)));
    fields.insert("locations".to_owned(), json!([location(it)]));
    fields.insert("partialFingerprints".to_owned(), json!({ FINGERPRINT: it.fingerprint() }));
    fields.insert("properties".to_owned(), properties(it));
    if let Some(excuse) = it.verdict.excuse() {
        // §3.35: a comment is in the source, the rest is kept elsewhere.
        let kind = match it.verdict {
            Verdict::Ignored { .. } => "inSource",
            _ => "external",
        };
        let suppression = json!({ "kind": kind, "status": "accepted", "justification": excuse });
        fields.insert("suppressions".to_owned(), json!([suppression]));
    }
    if let Some(fix) = it.patch.as_deref().and_then(fix) {
        fields.insert("fixes".to_owned(), json!([fix]));
    }
    Value::Object(fields)
}

fn told(it: &Entry) -> String {
    format!("{}: {}", it.subject(), it.reason)
}

fn properties(it: &Entry) -> Value {
    json!({
        "severity": it.severity.word(),
        "verdict": it.verdict.word(),
        "resource": {
            "type": it.resource.kind,
            "id": it.resource.id,
            "account": it.resource.account,
            "region": it.resource.region,
        },
        "element": it.element,
        "evidence": it.evidence,
    })
}

/// §3.28, location: the place, if there is one, and the resource in any case.
fn location(it: &Entry) -> Value {
    let logical = json!([{ "fullyQualifiedName": it.subject(), "kind": "resource" }]);
    let mut location = json!({ "logicalLocations": logical });
    if let (Value::Object(fields), Some(place)) = (&mut location, &it.place) {
        let mut region = region(place);
        if let (Value::Object(region), Some(end)) = (&mut region, it.end) {
            region.insert("endLine".to_owned(), json!(end.line.max(1)));
            region.insert("endColumn".to_owned(), json!(end.column.max(1)));
        }
        fields.insert("physicalLocation".to_owned(), physical(place, region));
    }
    location
}

fn physical(place: &Place, region: Value) -> Value {
    json!({ "artifactLocation": { "uri": uri(&place.file) }, "region": region })
}

/// §3.30, region. Lines and columns count from 1.
fn region(place: &Place) -> Value {
    json!({ "startLine": place.line.max(1), "startColumn": place.column.max(1) })
}

/// §3.58, notification: a policy that could not be evaluated.
fn of_failed(it: &Entry, index: &BTreeMap<&str, usize>) -> Value {
    let id = it.rule.id.as_str();
    json!({
        "level": "error",
        "message": message(&format!("policy `{id}` could not be evaluated: {}", told(it))),
        "associatedRule": { "id": id, "index": index.get(id) },
        "locations": [location(it)],
    })
}

/// §3.58, notification: something wrong with the input.
fn of_problem(it: &Problem) -> Value {
    let level = match it.level {
        Level::Error => "error",
        Level::Warning => "warning",
    };
    let places = it.place.iter().map(|at| json!({ "physicalLocation": physical(at, region(at)) }));
    let places: Vec<Value> = places.collect();
    json!({ "level": level, "message": message(&it.text), "locations": places })
}

/// §3.55, fix: whole lines give way to others, so that no column has to be counted.
fn fix(patch: &str) -> Option<Value> {
    let mut by_file = BTreeMap::<String, Vec<Value>>::new();
    for it in replacements(patch) {
        by_file.entry(it.file).or_default().push(json!({
            "deletedRegion": {
                "startLine": it.first,
                "startColumn": 1,
                "endLine": it.first + it.lines,
                "endColumn": 1,
            },
            "insertedContent": { "text": it.text },
        }));
    }
    let changes = by_file.into_iter().map(|(file, replacements)| {
        let at = json!({ "uri": uri(&file) });
        json!({ "artifactLocation": at, "replacements": replacements })
    });
    let changes: Vec<Value> = changes.collect();
    let description = message("Change the source so that the policy is kept.");
    (!changes.is_empty()).then(|| json!({ "description": description, "artifactChanges": changes }))
}

/// §3.11, message: braces would be placeholders (§3.11.5), and `[…](…)` a link (§3.11.6) that
/// whoever wrote the source could choose.
fn message(text: &str) -> Value {
    let text = text.replace('{', "{{").replace('}', "}}").replace("](", "] (");
    json!({ "text": text })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Informational => "note",
    }
}

/// In the middle of GitHub's bounds: over 9.0 critical, 7.0 high, 4.0 medium, 0.1 low.
fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "2.0",
        Severity::Informational => "0.0",
    }
}

/// A file's name as a URI reference (RFC 3986): relative ones stay so.
fn uri(file: &str) -> String {
    let encoded = percent(relative(file), "/");
    if encoded.starts_with('/') { format!("file://{encoded}") } else { encoded }
}

/// An address of the web that a viewer may make a link of; none where it is no such thing.
fn web_address(link: &str) -> Option<String> {
    let (scheme, rest) = link.split_once("://")?;
    let (host, path) = rest.split_at_checked(rest.find('/').unwrap_or(rest.len()))?;
    let host_is_plain = |it: &str| {
        !it.is_empty() && it.chars().all(|it| it.is_ascii_alphanumeric() || "-.".contains(it))
    };
    if !["http", "https"].contains(&scheme) || !host_is_plain(host) {
        return None;
    }
    let (path, fragment) = path.split_once('#').unwrap_or((path, ""));
    let mut address = format!("{scheme}://{host}{}", percent(path, "/?=&+"));
    if !fragment.is_empty() {
        let _ = write!(address, "#{}", percent(fragment, "/?=&+"));
    }
    Some(address)
}

/// Percent-encodes all but RFC 3986's unreserved characters and `kept`.
fn percent(text: &str, kept: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let char = char::from(byte);
        if char.is_ascii_alphanumeric() || "-._~".contains(char) || kept.contains(char) {
            out.push(char);
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
