//! What a gate or a sweep tells: one value, many formats.
//!
//! A [`Report`] holds an [`Entry`] for each thing that was found or could not be told, also for
//! those that are excused: an excuse is shown, never left out of the count. What is wrong with the
//! input itself, rather than with a resource in it, is a [`Problem`]. [`baseline`] and [`ignore`]
//! excuse entries; every other module here writes the whole report in one format, as text.
//!
//! Texts in a report come from sources that nobody vouches for. Each writer escapes them for its
//! own format, so that a name can neither end a string nor command a terminal or a runner.

pub mod shown;
pub mod patch;
pub mod text;
pub mod json;
pub mod sarif;
pub mod junit;
pub mod github;
pub mod gitlab;
pub mod baseline;
pub mod ignore;

use crate::change::digest;
use crate::plan::Place;
use crate::policy::{PolicyMeta, Severity};
use crate::resource::ResourceRef;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// What was judged and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The version of Quell that judged.
    pub version: String,
    /// When it judged.
    pub time: Timestamp,
    /// How many resources were judged.
    pub resources: usize,
    /// Every policy that judged, whether or not it found something.
    pub rules: Vec<Arc<Rule>>,
    /// What was found, and what could not be told. [`Report::sort`] puts it in order.
    pub entries: Vec<Entry>,
    /// What is wrong with the input itself.
    pub problems: Vec<Problem>,
}

/// What a report says of a policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The policy's id.
    pub id: String,
    /// A line that says what is wrong when it is violated.
    pub title: String,
    /// What the risk is and what is checked.
    pub description: String,
    /// How bad a violation is, unless the entry says otherwise.
    pub severity: Severity,
    /// What to do about a violation, in a sentence or two, if that is known.
    pub help: Option<String>,
    /// The `https` address of its page.
    pub link: Option<String>,
    /// The controls that a violation breaks, by framework.
    pub controls: BTreeMap<String, Vec<String>>,
}

impl Rule {
    /// What the report says of a policy, with the page that explains it.
    pub fn of(meta: &PolicyMeta, link: Option<String>) -> Rule {
        Rule {
            id: meta.id.clone(),
            title: meta.title.clone(),
            description: meta.description.clone(),
            severity: meta.severity,
            help: None,
            link,
            controls: meta.controls.clone(),
        }
    }
}

/// One policy's verdict on one element of one resource, unless it is plainly compliant.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The policy.
    pub rule: Arc<Rule>,
    /// How bad it is, or would be.
    pub severity: Severity,
    /// What became of it.
    pub verdict: Verdict,
    /// The resource.
    pub resource: ResourceRef,
    /// What the source calls it: a Terraform address or a template's logical id.
    pub address: Option<String>,
    /// Where it is written, if that is known. Whoever reads a plan without its sources names the
    /// plan's first line: GitHub refuses a whole SARIF log for one result without a file.
    pub place: Option<Place>,
    /// The end of what is written at `place`, if that is known.
    pub end: Option<End>,
    /// The lines of the whole declaration in the file of `place`, if they are known. At least the
    /// first one is needed for an inline ignore above a resource to reach its properties.
    pub block: Option<RangeInclusive<usize>>,
    /// Which element of the resource, as the policy names it; for an unknown, what is not known.
    pub element: String,
    /// Why, in one sentence.
    pub reason: String,
    /// What the policy saw; null where it shows nothing.
    pub evidence: Value,
    /// The change of the source that fixes it, as a unified diff.
    pub patch: Option<String>,
}

/// A position right after the last character of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1, of the character after the last one.
    pub column: usize,
}

/// What became of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The policy is violated.
    Violation,
    /// The verdict hangs on a value that is not known yet.
    Unknown,
    /// The policy could not be evaluated. Nothing excuses that.
    Error,
    /// A violation or an unknown that an exemption covers.
    Exempt {
        /// The exemption's id.
        id: String,
        /// Who owns the risk.
        owner: String,
        /// Why it is taken.
        reason: String,
        /// When it ends.
        expires: Timestamp,
    },
    /// A violation or an unknown that a comment in the source covers.
    Ignored {
        /// Why.
        reason: String,
        /// The day on which it ends.
        expires: jiff::civil::Date,
    },
    /// A violation or an unknown that was there when the baseline was written.
    Baselined {
        /// Whether it is an unknown.
        unknown: bool,
    },
}

impl Verdict {
    /// Its name in every format.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Violation => "violation",
            Verdict::Unknown => "unknown",
            Verdict::Error => "error",
            Verdict::Exempt { .. } => "exempt",
            Verdict::Ignored { .. } => "ignored",
            Verdict::Baselined { .. } => "baselined",
        }
    }

    /// Why it does not count, if it does not.
    pub fn excuse(&self) -> Option<String> {
        match self {
            Verdict::Violation | Verdict::Unknown | Verdict::Error => None,
            Verdict::Exempt { id, owner, reason, expires } => {
                Some(format!("exemption `{id}` of {owner} until {expires}: {reason}"))
            }
            Verdict::Ignored { reason, expires } => {
                Some(format!("ignored in the source until {expires}: {reason}"))
            }
            Verdict::Baselined { .. } => {
                Some("it was there when the baseline was written".to_owned())
            }
        }
    }

    /// Whether an exemption, an ignore or a baseline may cover it.
    pub fn is_excusable(&self) -> bool {
        matches!(self, Verdict::Violation | Verdict::Unknown)
    }
}

impl Entry {
    /// What it is about, as its source names it, or else the resource's id.
    pub fn subject(&self) -> &str {
        self.address.as_deref().unwrap_or(&self.resource.id)
    }

    /// What is wrong, in a line: the policy's title speaks of violations alone.
    pub fn headline(&self) -> String {
        match self.verdict {
            Verdict::Error => "could not be evaluated".to_owned(),
            Verdict::Unknown => format!("not known whether: {}", self.rule.title),
            _ => self.rule.title.clone(),
        }
    }

    /// The same for the same violation, wherever in its file it stands: a digest of the policy,
    /// the file, the resource and the element.
    pub fn fingerprint(&self) -> String {
        let file = self.place.as_ref().map_or("", |it| relative(&it.file));
        let ResourceRef { kind, id, account, region } = &self.resource;
        match &self.address {
            Some(address) => digest(&[&self.rule.id, file, address, &self.element]),
            None => digest(&[&self.rule.id, file, kind, id, account, region, &self.element]),
        }
    }
}

/// Something wrong with the input itself: a file that can't be read, an ignore that says nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Whether something was not judged because of it.
    pub level: Level,
    /// Where, if that is known.
    pub place: Option<Place>,
    /// What, in one sentence.
    pub text: String,
}

/// How bad a [`Problem`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something was not judged.
    Error,
    /// Everything was judged, but not as somebody meant it.
    Warning,
}

impl Level {
    /// Its name in every format.
    pub fn word(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warning => "warning",
        }
    }
}

/// How many entries there are of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Violations that count.
    pub violations: usize,
    /// The worst of them.
    pub worst: Option<Severity>,
    /// Verdicts that hang on a value that is not known.
    pub unknown: usize,
    /// Policies that could not be evaluated, and problems because of which something was not.
    pub errors: usize,
    /// Covered by an exemption.
    pub exempt: usize,
    /// Covered by a comment in the source.
    pub ignored: usize,
    /// Covered by the baseline.
    pub baselined: usize,
    /// Problems that kept nothing from being judged.
    pub warnings: usize,
}

impl Report {
    /// Puts the entries in the order of their places, then of their policies; those without a
    /// place come last. The order depends on nothing but the content.
    pub fn sort(&mut self) {
        self.entries.sort_by_cached_key(|it| {
            let place = it.place.clone();
            let subject = it.subject().to_owned();
            (place.is_none(), place, subject, it.rule.id.clone(), it.element.clone())
        });
        self.problems.sort();
        self.rules.sort_by(|left, right| left.id.cmp(&right.id));
        self.rules.dedup_by(|left, right| left.id == right.id);
    }

    /// Counts.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for entry in &self.entries {
            match entry.verdict {
                Verdict::Violation => {
                    summary.violations += 1;
                    summary.worst = summary.worst.max(Some(entry.severity));
                }
                Verdict::Unknown => summary.unknown += 1,
                Verdict::Error => summary.errors += 1,
                Verdict::Exempt { .. } => summary.exempt += 1,
                Verdict::Ignored { .. } => summary.ignored += 1,
                Verdict::Baselined { .. } => summary.baselined += 1,
            }
        }
        for problem in &self.problems {
            match problem.level {
                Level::Error => summary.errors += 1,
                Level::Warning => summary.warnings += 1,
            }
        }
        summary
    }

    /// Every policy that the report speaks of, by id: those that judged and those of the entries.
    pub fn rules_by_id(&self) -> BTreeMap<&str, &Rule> {
        let of_entries = self.entries.iter().map(|it| &it.rule);
        of_entries.chain(&self.rules).map(|it| (it.id.as_str(), it.as_ref())).collect()
    }
}

/// A path without `./` before it: the same file has one name, however its user spelled it.
fn relative(file: &str) -> &str {
    let mut file = file;
    while let Some(rest) = file.strip_prefix("./") {
        file = rest.trim_start_matches('/');
    }
    file
}
