//! The report, as text, JSON Lines or CSV.
//!
//! Archives hold what attackers chose, and a spreadsheet runs a cell that begins like a formula
//! ("CSV Injection", OWASP). Such a field gets an apostrophe in front, and so does one that has an
//! apostrophe there itself: whoever reads the CSV takes one leading apostrophe off, and has every
//! byte again. Programs had better read the JSON.

use super::report::{Decisions, ErrorEntry, Line, Report, Summary};
use crate::output::table::{self, cell, severity_cell, word};
use crate::output::{Out, count};
use quell_core::report::shown::visible;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write as _};

/// A line per finding, then `{"summary": …}`.
pub fn json(report: &Report, out: &mut Out) -> io::Result<()> {
    #[derive(Serialize)]
    struct Last<'a> {
        summary: &'a Summary,
    }
    for line in &report.lines {
        out.json_line(line)?;
    }
    out.json_line(&Last { summary: &report.summary })
}

/// A head and a row per finding (RFC 4180), with the fields of the JSON; what a spreadsheet would
/// run has an apostrophe in front.
pub fn csv(report: &Report, out: &mut Out) -> io::Result<()> {
    let out = out.data()?;
    writeln!(
        out,
        "event_id,event_name,time,account,region,actor,policy,resource,severity,decision,change"
    )?;
    for line in &report.lines {
        let time = line.time.to_string();
        let severity = word(&line.severity);
        let change = match &line.change {
            Some(change) => serde_json::to_string(change).map_err(io::Error::from)?,
            None => String::new(),
        };
        let fields = [
            &line.event_id,
            &line.event_name,
            &time,
            &line.account,
            &line.region,
            &line.actor,
            &line.policy,
            &line.resource,
            &severity,
            line.decision,
            &change,
        ];
        let fields: Vec<Cow<'_, str>> = fields.iter().map(|it| csv_field(it)).collect();
        writeln!(out, "{}", fields.join(","))?;
    }
    Ok(())
}

/// What a field must not begin with. OWASP names the signs, also in their full width, and the
/// control characters that a spreadsheet may skip; the apostrophe is here to be told from ours.
const DEFUSED_HEADS: [char; 13] =
    ['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r', '\n', '\0', '\''];

/// A field, quoted where RFC 4180 wants it, and defused where a spreadsheet would run it.
fn csv_field(text: &str) -> Cow<'_, str> {
    let runs = text.starts_with(DEFUSED_HEADS);
    if !runs && !text.contains(['"', ',', '\n', '\r']) {
        return Cow::Borrowed(text);
    }
    let defused = if runs { "'" } else { "" };
    Cow::Owned(format!("\"{defused}{}\"", text.replace('"', "\"\"")))
}

/// A table of the findings, then the sums.
pub fn text(report: &Report, out: &mut Out) -> io::Result<()> {
    if !report.lines.is_empty() {
        let heads = ["TIME", "DECISION", "SEVERITY", "POLICY", "RESOURCE", "ACTOR", "WHY"];
        let mut rows = table::table(&heads);
        for line in &report.lines {
            rows.add_row([
                cell(line.time),
                cell(line.decision),
                severity_cell(line.severity),
                cell(&line.policy),
                cell(&line.resource),
                cell(&line.actor),
                cell(why(line)),
            ]);
        }
        table::write(out, &mut rows)?;
        writeln!(out)?;
    }
    sums(&report.summary, out)
}

fn why(line: &Line) -> String {
    if line.why.is_empty() {
        return line.reason.clone();
    }
    format!("{}; {}", line.reason, line.why)
}

fn sums(sums: &Summary, out: &mut Out) -> io::Result<()> {
    let (found, read, files, matched) = (
        count(sums.findings, "finding", "findings"),
        count(sums.records, "record", "records"),
        count(sums.files, "file", "files"),
        count(sums.matched, "record", "records"),
    );
    writeln!(out, "{found} in {read} of {files} ({matched} matched a policy)")?;
    if 0 < sums.findings {
        writeln!(out, "decisions: {}", decisions(&sums.by_decision))?;
    }
    if 0 < sums.duplicates {
        let twins = count(sums.duplicates, "finding", "findings");
        writeln!(out, "{twins} of events that were there before")?;
    }
    let groups = [
        ("policy", &sums.by_policy),
        ("actor", &sums.by_actor),
        ("account", &sums.by_account),
        ("day", &sums.by_day),
    ];
    for (name, group) in groups.iter().filter(|(_, group)| !group.is_empty()) {
        writeln!(out, "\nby {name}")?;
        for (key, counts) in *group {
            let total: usize = counts.values().sum();
            writeln!(out, "  {total:>6}  {}: {}", visible(key), decisions(counts))?;
        }
    }
    by_policy("failed calls that would have violated", &sums.failed_calls, out)?;
    by_policy("not provable by the event alone", &sums.unproven, out)?;
    if 0 < sums.error_count {
        writeln!(out, "\nnot read or not judged: {}", sums.error_count)?;
        for it in &sums.errors {
            writeln!(out, "  {}", error(it))?;
        }
    }
    Ok(())
}

/// What could not be read or judged, in one line.
pub fn error(entry: &ErrorEntry) -> String {
    let record = entry.record.map_or(String::new(), |it| format!(", record {it}"));
    format!("{}{record}: {}", visible(&entry.file), visible(&entry.error))
}

fn by_policy(title: &str, counts: &BTreeMap<String, usize>, out: &mut Out) -> io::Result<()> {
    if counts.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{title}")?;
    for (policy, events) in counts {
        writeln!(out, "  {events:>6}  {}", visible(policy))?;
    }
    Ok(())
}

fn decisions(counts: &Decisions) -> String {
    let each: Vec<String> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
    each.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_and_defused() {
        assert_eq!(csv_field("plain"), "plain");
        assert_eq!(csv_field("a=b'c"), "a=b'c");
        assert_eq!(csv_field("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(csv_field("=HYPERLINK(1)"), "\"'=HYPERLINK(1)\"");
        assert_eq!(csv_field("@SUM(\"1\")"), "\"'@SUM(\"\"1\"\")\"");
    }

    #[test]
    fn one_apostrophe_off_and_every_byte_is_there() {
        let heads =
            ["=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n", "\0", "'", "''", "'="];
        let whole = heads.map(|it| format!("{it}1+1"));
        for text in whole.iter().map(String::as_str).chain(["", "a", "1", "\"=1\"", "é", " =1"]) {
            let field = csv_field(text).into_owned();
            let quoted = field.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
            let cell = quoted.map_or_else(|| field.clone(), |it| it.replace("\"\"", "\""));
            let signs = ["=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n", "\0"];
            assert!(!signs.iter().any(|it| cell.starts_with(it)), "{cell:?}");
            assert_eq!(cell.strip_prefix('\'').unwrap_or(&cell), text);
        }
    }
}
