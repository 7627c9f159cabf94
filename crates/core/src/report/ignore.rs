//! Inline ignores: a comment beside a resource that says why a violation is meant, and until when.
//!
//! ```text
//! # quell:ignore aws.s3.bucket_public_block reason="the public website" expires=2027-01-31
//! resource "aws_s3_bucket" "website" {
//! ```
//!
//! Reason and day are mandatory; the ignore ends when that day begins, in UTC. It covers one policy
//! on the resource whose lines it stands in or directly above. What looks like an ignore and is
//! none, or is one no more, is a [`Problem`] and covers nothing: an ignore that silently does not
//! work is as bad as a finding that silently is not there.
//!
//! Only comments count. [`comments`] finds them, so that a string or a here-document that holds
//! such words is no ignore. JSON has no comments: there it is `Metadata.quell.ignore` of a
//! template's resource ([`from_metadata`]).

pub mod comments;

use super::{Entry, Level, Problem, Report, Verdict};
use crate::plan::Place;
use comments::{Comment, Syntax};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What begins an ignore.
const DIRECTIVE: &str = "quell:ignore";
/// The longest ignore, in characters.
pub const IGNORE_MAX_CHARS: usize = 1_000;
/// How it is written, for messages.
const FORM: &str = "`quell:ignore POLICY_ID reason=\"…\" expires=YYYY-MM-DD`";

/// An ignore that somebody wrote. Whether it still holds, [`apply`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignore {
    /// Id of the policy.
    pub policy: String,
    /// Why.
    pub reason: String,
    /// The day with which it ends: it does not hold on that day, by UTC.
    pub expires: Date,
    /// Where it is written; an ignore in a template's metadata may not know.
    pub place: Option<Place>,
    /// What it covers.
    pub reach: Reach,
}

/// What an ignore covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// What stands in one of these lines of its file, or is declared around them: the comment's
    /// own, and the one below a comment that has its lines for itself.
    Lines(BTreeSet<usize>),
    /// The resource of this address in its file.
    Address {
        /// The file.
        file: String,
        /// The address: a template's logical id.
        address: String,
    },
}

/// Reads the ignores of a source, and what is wrong with those that are none.
pub fn read(file: &str, text: &str, syntax: Syntax) -> (Vec<Ignore>, Vec<Problem>) {
    let comments = comments::read(text, syntax);
    // By line of a comment that has it for itself: the first line below that is no such one.
    let mut below = BTreeMap::<usize, usize>::new();
    for it in comments.iter().rev().filter(|it| it.is_alone) {
        let next = it.line.saturating_add(1);
        below.insert(it.line, below.get(&next).copied().unwrap_or(next));
    }
    let (mut ignores, mut problems) = (vec![], vec![]);
    for Comment { line, column, text, is_alone } in comments {
        let Some(directive) = directive(text) else { continue };
        let place = Place { file: file.to_owned(), line, column };
        let mut lines = BTreeSet::from([line]);
        lines.extend(below.get(&line).filter(|_| is_alone));
        match directive {
            Ok(Directive { policy, reason, expires }) => {
                let (place, reach) = (Some(place), Reach::Lines(lines));
                ignores.push(Ignore { policy, reason, expires, place, reach });
            }
            Err(wrong) => problems.push(problem(Some(place), &wrong)),
        }
    }
    (ignores, problems)
}

/// Reads the ignores in the `Metadata` of a template's resource. `at` is where the resource stands,
/// if that is known.
pub fn from_metadata(
    file: &str,
    address: &str,
    at: Option<&Place>,
    metadata: &Value,
) -> (Vec<Ignore>, Vec<Problem>) {
    let (mut ignores, mut problems) = (vec![], vec![]);
    let rows = match metadata.pointer("/quell/ignore") {
        None => return (ignores, problems),
        Some(Value::Array(rows)) => rows.as_slice(),
        Some(other) => std::slice::from_ref(other),
    };
    for row in rows {
        let written = Written::deserialize(row).map_err(|it| it.to_string());
        let checked = written.and_then(|it| checked(&it.policy, &it.reason, &it.expires));
        match checked {
            Ok(Directive { policy, reason, expires }) => {
                let (file, address) = (file.to_owned(), address.to_owned());
                let (place, reach) = (at.cloned(), Reach::Address { file, address });
                ignores.push(Ignore { policy, reason, expires, place, reach });
            }
            Err(wrong) => {
                let wrong = format!("`Metadata.quell.ignore` of `{address}`: {wrong}");
                problems.push(problem(at.cloned(), &wrong));
            }
        }
    }
    (ignores, problems)
}

/// Marks the violations and unknowns that the ignores cover, and reports the ignores that have
/// expired or name no policy that judged.
pub fn apply(report: &mut Report, ignores: &[Ignore], now: Timestamp) {
    let today = now.to_zoned(TimeZone::UTC).date();
    let known: BTreeSet<String> = report.rules_by_id().into_keys().map(str::to_owned).collect();
    for ignore in ignores {
        let policy = &ignore.policy;
        let wrong = if ignore.expires <= today {
            Some(format!("the ignore of `{policy}` has expired on {}", ignore.expires))
        } else if !known.contains(policy) {
            Some(format!("the ignore names `{policy}`, but no such policy judged here"))
        } else {
            None
        };
        if let Some(wrong) = wrong {
            report.problems.push(problem(ignore.place.clone(), &wrong));
            continue;
        }
        let covered = report
            .entries
            .iter_mut()
            .filter(|it| it.verdict.is_excusable() && it.rule.id == *policy && ignore.reaches(it));
        for entry in covered {
            let (reason, expires) = (ignore.reason.clone(), ignore.expires);
            entry.verdict = Verdict::Ignored { reason, expires };
        }
    }
    report.problems.sort();
}

impl Ignore {
    fn reaches(&self, entry: &Entry) -> bool {
        let place = entry.place.as_ref();
        match &self.reach {
            Reach::Lines(lines) => place.is_some_and(|at| {
                let here = |it: &usize| {
                    *it == at.line || entry.block.as_ref().is_some_and(|block| block.contains(it))
                };
                self.place.as_ref().is_some_and(|it| it.file == at.file) && lines.iter().any(here)
            }),
            Reach::Address { file, address } => {
                place.is_none_or(|at| at.file == *file)
                    && entry.address.as_ref().is_some_and(|it| it == address)
            }
        }
    }
}

/// As it is written in JSON or YAML.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    policy: String,
    reason: String,
    expires: String,
}

/// As it is used.
struct Directive {
    policy: String,
    reason: String,
    expires: Date,
}

fn problem(place: Option<Place>, text: &str) -> Problem {
    Problem { level: Level::Warning, place, text: text.to_owned() }
}

/// What a comment says, if it speaks of ignoring at all.
fn directive(comment: &str) -> Option<Result<Directive, String>> {
    let (before, after) = comment.split_once(DIRECTIVE)?;
    if IGNORE_MAX_CHARS < comment.chars().count() {
        return Some(Err(format!("an ignore has at most {IGNORE_MAX_CHARS} characters")));
    }
    if !before.is_empty() {
        return Some(Err(format!("an ignore must begin its comment: {FORM}")));
    }
    if after.chars().next().is_some_and(|it| !it.is_whitespace()) {
        let word = after.split_whitespace().next().unwrap_or_default();
        return Some(Err(format!("there is no `{DIRECTIVE}{word}`; an ignore is {FORM}")));
    }
    Some(words(after))
}

/// `POLICY_ID reason="…" expires=YYYY-MM-DD`; reason and day in either order.
fn words(text: &str) -> Result<Directive, String> {
    let text = text.trim();
    let (policy, mut rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    check_id(policy)?;
    let (mut reason, mut expires) = (None, None);
    while !rest.trim_start().is_empty() {
        let (key, value) = rest.trim_start().split_once('=').unwrap_or((rest.trim(), ""));
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => quoted
                .split_once('"')
                .ok_or_else(|| format!("the ignore's `{key}` has no closing quote"))?,
            None => value.split_once(char::is_whitespace).unwrap_or((value, "")),
        };
        let slot = match key {
            "reason" => &mut reason,
            "expires" => &mut expires,
            _ => return Err(format!("the ignore has an unknown word `{key}`: {FORM}")),
        };
        if slot.replace(value).is_some() {
            return Err(format!("the ignore has two of `{key}`"));
        }
        rest = after;
    }
    let missing = |key: &str| format!("the ignore has no `{key}`: {FORM}");
    let reason = reason.ok_or_else(|| missing("reason"))?;
    checked(policy, reason, expires.ok_or_else(|| missing("expires"))?)
}

fn check_id(policy: &str) -> Result<(), String> {
    let is_id = |it: char| it.is_ascii_alphanumeric() || "._-".contains(it);
    if policy.is_empty() || !policy.chars().all(is_id) {
        return Err(format!("the ignore names no policy: `{policy}` is no id"));
    }
    Ok(())
}

fn checked(policy: &str, reason: &str, expires: &str) -> Result<Directive, String> {
    check_id(policy)?;
    if reason.trim().is_empty() {
        return Err("the ignore's `reason` is empty".to_owned());
    }
    // Exactly this spelling: a date with a time would say less than it seems to.
    let date = Date::strptime("%Y-%m-%d", expires).ok().filter(|it| it.to_string() == expires);
    let expires =
        date.ok_or_else(|| format!("the ignore's `expires` is `{expires}`, not a YYYY-MM-DD day"))?;
    Ok(Directive { policy: policy.to_owned(), reason: reason.trim().to_owned(), expires })
}
