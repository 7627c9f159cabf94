//! The report for people: each entry with the lines that it is about.
//!
//! ```text
//! violation[high] aws.s3.bucket_acl: The bucket's ACL lets everyone in
//!   --> main.tf:12:3
//!    |
//! 12 |   acl = "public-read"
//!    |   ^^^^^^^^^^^^^^^^^^^
//!    = aws_s3_bucket.logs: the ACL grants READ to everyone
//! ```
//!
//! The text holds ANSI styles (SGR alone); whoever prints it takes them away where colors don't
//! belong. All else that a terminal would obey is escaped, whatever the sources hold.

use super::shown::{lines, visible};
use super::{Entry, Level, Problem, Report, Verdict};
use crate::plan::Place;
use crate::policy::Severity;
use anstyle::{AnsiColor, Style};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The most characters of one line of a source that are shown.
pub const EXCERPT_CHARS_MAX: usize = 120;
/// How many spaces a tab of a source takes.
const TAB_SPACES: usize = 4;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const RED: Style = AnsiColor::Red.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
const BLUE: Style = AnsiColor::Blue.on_default().bold();
const OUT: Style = AnsiColor::Red.on_default();
const IN: Style = AnsiColor::Green.on_default();

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Entries that are excused, too, and why.
    pub excused: bool,
    /// The patches.
    pub patches: bool,
}

/// Writes the report. `sources` are the texts of the files, by the name in [`Place::file`]; an
/// entry whose file is not among them is told without an excerpt.
pub fn write(report: &Report, sources: &BTreeMap<String, String>, options: Options) -> String {
    let sources = sources.iter().map(|(file, text)| (file.as_str(), text.lines().collect()));
    let sources: BTreeMap<&str, Vec<&str>> = sources.collect();
    let mut out = String::new();
    for told in &report.entries {
        if options.excused || told.verdict.excuse().is_none() {
            entry(&mut out, told, &sources, options);
            out.push('\n');
        }
    }
    for told in &report.problems {
        problem(&mut out, told, &sources);
        out.push('\n');
    }
    out + &summary(report)
}

fn entry(out: &mut String, it: &Entry, sources: &BTreeMap<&str, Vec<&str>>, options: Options) {
    let (style, headline) = (style(it), it.headline());
    let (word, severity) = (it.verdict.word(), it.severity.word());
    let (id, title) = (visible(&it.rule.id), visible(&headline));
    line(out, format_args!("{style}{word}[{severity}]{style:#} {BOLD}{id}: {title}{BOLD:#}"));
    let gutter = match &it.place {
        Some(place) => {
            let end = it.end.filter(|end| end.line == place.line).map(|end| end.column);
            excerpt(out, place, end, style, sources)
        }
        None => String::new(),
    };
    let mut note = |text: &str| line(out, format_args!("{gutter} {BLUE}={BLUE:#} {text}"));
    note(&format!("{}: {}", visible(it.subject()), visible(&it.reason)));
    if let Some(excuse) = it.verdict.excuse() {
        note(&visible(&excuse));
    }
    if !it.rule.controls.is_empty() {
        let controls =
            it.rule.controls.iter().map(|(framework, ids)| {
                format!("{} {}", visible(framework), visible(&ids.join(", ")))
            });
        note(&format!("controls: {}", controls.collect::<Vec<_>>().join("; ")));
    }
    if let Some(help) = &it.rule.help {
        note(&format!("help: {}", visible(help)));
    }
    if let Some(link) = &it.rule.link {
        note(&format!("see {}", visible(link)));
    }
    if let (true, Some(patch)) = (options.patches, &it.patch) {
        note("the fix:");
        for of_patch in lines(patch).lines() {
            let style = match of_patch.chars().next() {
                Some('-') => OUT,
                Some('+') => IN,
                _ => Style::new(),
            };
            line(out, format_args!("{gutter}   {style}{of_patch}{style:#}"));
        }
    }
}

fn problem(out: &mut String, it: &Problem, sources: &BTreeMap<&str, Vec<&str>>) {
    let style = match it.level {
        Level::Error => RED,
        Level::Warning => YELLOW,
    };
    let (word, text) = (it.level.word(), visible(&it.text));
    line(out, format_args!("{style}{word}{style:#}{BOLD}: {text}{BOLD:#}"));
    if let Some(place) = &it.place {
        excerpt(out, place, None, style, sources);
    }
}

fn style(entry: &Entry) -> Style {
    match (&entry.verdict, entry.severity) {
        (Verdict::Error, _) | (Verdict::Violation, Severity::High | Severity::Critical) => RED,
        (Verdict::Violation | Verdict::Unknown, _) => YELLOW,
        _ => DIM,
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "{text}");
}

/// Writes the place and, where there is a source, its line with a caret under the column. Gives
/// the indentation of what follows.
fn excerpt(
    out: &mut String,
    place: &Place,
    end: Option<usize>,
    style: Style,
    sources: &BTreeMap<&str, Vec<&str>>,
) -> String {
    let number = place.line.to_string();
    let gutter = " ".repeat(number.len());
    let (file, at) = (visible(&place.file), format!("{}:{}", place.line, place.column));
    line(out, format_args!("{gutter}{BLUE}-->{BLUE:#} {file}:{at}"));
    let source = sources.get(place.file.as_str());
    let source = source.and_then(|it| it.get(place.line.checked_sub(1)?));
    let Some(source) = source else { return gutter };
    let Window { shown, before, marked } = window(source, place.column, end);
    let (indent, carets) = (" ".repeat(before), "^".repeat(marked));
    line(out, format_args!("{gutter} {BLUE}|{BLUE:#}"));
    line(out, format_args!("{BLUE}{number} |{BLUE:#} {shown}"));
    line(out, format_args!("{gutter} {BLUE}|{BLUE:#} {indent}{style}{carets}{style:#}"));
    gutter
}

/// A line of a source as it is shown.
struct Window {
    shown: String,
    /// How many characters are shown before the marked ones.
    before: usize,
    /// How many characters are marked, at least one.
    marked: usize,
}

/// The part of a line around a column (counted from 1) that ends before the column `end`.
fn window(line: &str, column: usize, end: Option<usize>) -> Window {
    let column = column.max(1);
    let end = end.unwrap_or(0).max(column.saturating_add(1));
    let first = match line.chars().nth(EXCERPT_CHARS_MAX) {
        Some(_) => column.saturating_sub(EXCERPT_CHARS_MAX / 2).max(1),
        None => 1,
    };
    let last = first.saturating_add(EXCERPT_CHARS_MAX);
    let mut window = Window { shown: String::new(), before: 0, marked: 0 };
    if 1 < first {
        window.shown.push('…');
        window.before += 1;
    }
    let mut chars = (1..).zip(line.chars()).skip(first - 1);
    for (at, char) in chars.by_ref().take_while(|(at, _)| *at < last) {
        let text = match char {
            '\t' => " ".repeat(TAB_SPACES),
            char => visible(char.encode_utf8(&mut [0; 4])).into_owned(),
        };
        let width = text.chars().count();
        if at < column {
            window.before += width;
        } else if at < end {
            window.marked += width;
        }
        window.shown.push_str(&text);
    }
    if line.chars().nth(last.saturating_sub(1)).is_some() {
        window.shown.push('…');
    }
    window.marked = window.marked.max(1);
    window
}

fn summary(report: &Report) -> String {
    let it = report.summary();
    let judged = format!(
        "{} by {}",
        count(report.resources, "resource", "resources"),
        count(report.rules.len(), "policy", "policies")
    );
    let worst = it.worst.map(|it| format!(", {} at worst", it.word()));
    let counts = [
        (it.unknown, "unknown", "unknown"),
        (it.errors, "error", "errors"),
        (it.warnings, "warning", "warnings"),
        (it.exempt, "exempt", "exempt"),
        (it.ignored, "ignored", "ignored"),
        (it.baselined, "in the baseline", "in the baseline"),
    ];
    let counts = counts.iter().filter(|(number, ..)| 0 < *number);
    let counts: String = counts.map(|it| format!(", {}", count(it.0, it.1, it.2))).collect();
    let style = if 0 < it.violations + it.errors { RED } else { BOLD };
    format!(
        "{style}{}{}{style:#}{counts}; judged {judged}\n",
        count(it.violations, "violation", "violations"),
        worst.unwrap_or_default()
    )
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
