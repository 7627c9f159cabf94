//! What the gate tells: [`of`] is the one conversion from verdicts to a report, which is then
//! printed in the asked format.

use super::judge::{Entry, Judged, Note, Verdict};
use crate::output::table::word;
use crate::output::{Out, count};
use jiff::Timestamp;
use quell_core::policy::Severity;
use quell_core::report::shown::visible;
use serde::Serialize;
use std::io::{self, Write as _};

/// The value of `schema`.
pub const SCHEMA: &str = "quell.gate/v1";

/// What was judged and what came of it.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Names this form.
    pub schema: &'static str,
    /// The version of Quell that judged.
    pub version: &'static str,
    /// When it judged.
    pub time: Timestamp,
    /// How many there are of each kind.
    pub summary: Summary,
    /// What is not plainly compliant.
    pub entries: Vec<Entry>,
    /// What could not be understood.
    pub notes: Vec<Note>,
}

/// How many entries there are of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Resources that were judged.
    pub resources: usize,
    /// Violations that count.
    pub violations: usize,
    /// The worst of them.
    pub worst: Option<Severity>,
    /// Verdicts that hang on a value that is not known.
    pub unknown: usize,
    /// Policies that could not be evaluated.
    pub errors: usize,
    /// Covered by an exemption.
    pub exempt: usize,
    /// Covered by the baseline.
    pub baselined: usize,
}

/// The report of what was judged: places first, then policies.
pub fn of(judged: Judged, time: Timestamp) -> Report {
    let Judged { resources, mut entries, notes } = judged;
    entries.sort_by_cached_key(|it| {
        let (file, address) = (it.file.clone(), it.address.clone());
        (file, it.place.clone(), address, it.policy.clone(), it.element.clone())
    });
    let mut summary = Summary { resources, ..Summary::default() };
    for it in &entries {
        match it.verdict {
            Verdict::Violation => {
                summary.violations += 1;
                summary.worst = summary.worst.max(Some(it.severity));
            }
            Verdict::Unknown => summary.unknown += 1,
            Verdict::Error => summary.errors += 1,
            Verdict::Exempt { .. } => summary.exempt += 1,
            Verdict::Baselined { .. } => summary.baselined += 1,
        }
    }
    Report { schema: SCHEMA, version: env!("CARGO_PKG_VERSION"), time, summary, entries, notes }
}

/// Prints it for people.
///
/// # Errors
///
/// Where it cannot be written.
pub fn text(report: &Report, out: &mut Out) -> io::Result<()> {
    for it in &report.entries {
        writeln!(out, "{}: {}", head(it), visible(&it.reason))?;
        match &it.place {
            Some(at) => {
                let (file, line, column) = (visible(&at.file), at.line, at.column);
                writeln!(out, "  --> {file}:{line}:{column} {}", visible(&it.address))?;
            }
            None => writeln!(out, "  --> {} {}", visible(&it.file), visible(&it.address))?,
        }
        let resource = &it.resource;
        writeln!(out, "  resource: {} {}", visible(&resource.kind), visible(&resource.id))?;
        if !it.controls.is_empty() {
            let one = |(name, all): (&String, &Vec<String>)| format!("{name} {}", all.join(" "));
            let controls: Vec<String> = it.controls.iter().map(one).collect();
            writeln!(out, "  controls: {}", visible(&controls.join("; ")))?;
        }
        writeln!(out, "  docs: {}\n", visible(&it.docs))?;
    }
    for it in &report.notes {
        writeln!(out, "note: {}: {}", visible(&it.file), visible(&it.problem))?;
    }
    let it = report.summary;
    writeln!(
        out,
        "{}: {}, {} unknown, {} exempt, {} in the baseline, {}",
        count(it.resources, "resource", "resources"),
        count(it.violations, "violation", "violations"),
        it.unknown,
        it.exempt,
        it.baselined,
        count(it.errors, "error", "errors")
    )
}

fn head(entry: &Entry) -> String {
    let word = match &entry.verdict {
        Verdict::Violation => word(&entry.severity),
        Verdict::Unknown => "unknown".to_owned(),
        Verdict::Error => "error".to_owned(),
        Verdict::Exempt { id, .. } => format!("exempt by {}", visible(id)),
        Verdict::Baselined { .. } => "in the baseline".to_owned(),
    };
    format!("{word}: {}", visible(&entry.policy))
}
