//! GitHub's workflow commands: annotations on a pull request, without any upload.
//!
//! Format: GitHub documentation, "Workflow commands", and the escaping of the `toolkit`'s
//! `command.ts`. GitHub keeps the first few annotations of a step, so the worst come first.
//! Excused entries are left out.

use super::shown::{lines, visible};
use super::{End, Entry, Level, Problem, Report, Verdict, relative};
use crate::plan::Place;
use crate::policy::Severity;

/// Writes the report: one command on each line.
pub fn write(report: &Report) -> String {
    let mut counted: Vec<&Entry> =
        report.entries.iter().filter(|it| it.verdict.excuse().is_none()).collect();
    counted.sort_by_key(|it| (it.verdict != Verdict::Error, std::cmp::Reverse(it.severity)));
    let (errors, warnings): (Vec<&Problem>, Vec<&Problem>) =
        report.problems.iter().partition(|it| it.level == Level::Error);
    let errors = errors.into_iter().map(problem);
    errors.chain(counted.into_iter().map(entry)).chain(warnings.into_iter().map(problem)).collect()
}

fn entry(it: &Entry) -> String {
    let level = match (&it.verdict, it.severity) {
        (Verdict::Error, _) => "error",
        (Verdict::Unknown, _) => "warning",
        (_, Severity::Critical | Severity::High) => "error",
        (_, Severity::Medium) => "warning",
        (_, Severity::Low | Severity::Informational) => "notice",
    };
    let (verdict, severity) = (it.verdict.word(), it.severity.word());
    let title = format!("{}: {verdict}, {severity}", it.rule.id);
    let mut message = format!("{}: {}: {}", it.headline(), it.subject(), it.reason);
    for more in [&it.rule.help, &it.rule.link].into_iter().flatten() {
        message.push('\n');
        message.push_str(more);
    }
    command(level, it.place.as_ref(), it.end, &title, &message)
}

fn problem(it: &Problem) -> String {
    command(it.level.word(), it.place.as_ref(), None, "quell", &it.text)
}

fn command(
    level: &str,
    place: Option<&Place>,
    end: Option<End>,
    title: &str,
    message: &str,
) -> String {
    let mut properties = vec![];
    if let Some(Place { file, line, column }) = place {
        properties.push(format!("file={}", property(relative(file))));
        properties.push(format!("line={line}"));
        properties.push(format!("col={column}"));
        if let Some(end) = end {
            properties.push(format!("endLine={}", end.line));
            // GitHub refuses a last column of another line.
            if end.line == *line {
                properties.push(format!("endColumn={}", end.column));
            }
        }
    }
    properties.push(format!("title={}", property(title)));
    format!("::{level} {}::{}\n", properties.join(","), data(message))
}

/// A message: it stays one line, and nothing in it is obeyed.
fn data(text: &str) -> String {
    lines(text).replace('%', "%25").replace('\n', "%0A")
}

/// A property: as a message, and it can't end.
fn property(text: &str) -> String {
    visible(text).replace('%', "%25").replace(':', "%3A").replace(',', "%2C")
}
