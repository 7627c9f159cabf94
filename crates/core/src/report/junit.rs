//! JUnit's XML: what every build server shows as tests.
//!
//! A suite is a policy, a test case is an entry: violations fail, unknowns and errors are errors,
//! what is excused is skipped. A policy that found nothing is one case that passes. Problems with
//! the input are a suite of their own. JUnit never wrote its format down; this is what the schemas
//! of Ant's task (windyroad/JUnit-Schema) and of Jenkins both accept.

use super::{Entry, Level, Problem, Report, Verdict};
use crate::plan::Place;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The suite of the problems with the input itself.
pub const PROBLEM_SUITE: &str = "quell.input";

/// A test case: what it is called, and the element that says how it ended, if it did not pass.
struct Case {
    name: String,
    end: Option<(Tag, String)>,
}

/// How a test case ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tag {
    Failure,
    Error,
    Skipped,
}

/// Writes the report.
pub fn write(report: &Report) -> String {
    let mut suites: BTreeMap<&str, Vec<Case>> =
        report.rules_by_id().into_keys().map(|it| (it, vec![])).collect();
    for it in &report.entries {
        suites.entry(&it.rule.id).or_default().push(case(it));
    }
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    let time = report.time.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    let problems = (!report.problems.is_empty())
        .then(|| (PROBLEM_SUITE, report.problems.iter().map(problem).collect()));
    for (number, (name, cases)) in suites.into_iter().chain(problems).enumerate() {
        suite(&mut out, number, name, cases, &time);
    }
    out + "</testsuites>\n"
}

fn suite(out: &mut String, number: usize, name: &str, mut cases: Vec<Case>, time: &str) {
    if cases.is_empty() {
        cases.push(Case { name: "no violation".to_owned(), end: None });
    }
    let name = escaped(name);
    let ended = |tag| cases.iter().filter(move |it| it.end.as_ref().is_some_and(|it| it.0 == tag));
    let counts = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"",
        cases.len(),
        ended(Tag::Failure).count(),
        ended(Tag::Error).count(),
        ended(Tag::Skipped).count()
    );
    // Writing to a string does not fail.
    let _ = writeln!(
        out,
        "  <testsuite id=\"{number}\" package=\"quell\" name=\"{name}\" {counts} time=\"0\" \
         timestamp=\"{time}\" hostname=\"localhost\">\n    <properties/>"
    );
    for Case { name: case, end } in &cases {
        let case = escaped(case);
        let _ = write!(out, "    <testcase classname=\"{name}\" name=\"{case}\" time=\"0\"");
        let _ = match end {
            Some((_, element)) => writeln!(out, ">\n      {element}\n    </testcase>"),
            None => writeln!(out, "/>"),
        };
    }
    out.push_str("    <system-out/>\n    <system-err/>\n  </testsuite>\n");
}

fn case(it: &Entry) -> Case {
    let mut text = format!("{}\n{}: {}\n", it.headline(), it.subject(), it.reason);
    if let Some(place) = &it.place {
        text.push_str(&at(place));
    }
    for (framework, controls) in &it.rule.controls {
        let _ = writeln!(text, "{framework}: {}", controls.join(", "));
    }
    for more in [&it.rule.help, &it.rule.link].into_iter().flatten() {
        let _ = writeln!(text, "{more}");
    }
    let severity = it.severity.word();
    let end = match (&it.verdict, it.verdict.excuse()) {
        (_, Some(excuse)) => (Tag::Skipped, format!("<skipped message=\"{}\"/>", escaped(&excuse))),
        (Verdict::Violation, _) => (Tag::Failure, element("failure", severity, &it.reason, &text)),
        (verdict, _) => (Tag::Error, element("error", verdict.word(), &it.reason, &text)),
    };
    let name = match it.element.is_empty() {
        true => it.subject().to_owned(),
        false => format!("{}: {}", it.subject(), it.element),
    };
    Case { name, end: Some(end) }
}

fn problem(it: &Problem) -> Case {
    let place = it.place.as_ref().map(at).unwrap_or_default();
    let name = match place.trim_end() {
        "" => it.level.word(),
        place => place,
    };
    let end = match it.level {
        Level::Error => (Tag::Error, element("error", "error", &it.text, &place)),
        Level::Warning => {
            (Tag::Skipped, format!("<skipped message=\"warning: {}\"/>", escaped(&it.text)))
        }
    };
    Case { name: name.to_owned(), end: Some(end) }
}

fn at(place: &Place) -> String {
    format!("{}:{}:{}\n", place.file, place.line, place.column)
}

fn element(tag: &str, kind: &str, message: &str, text: &str) -> String {
    let message = escaped(message);
    let text = escaped(text).replace("&#10;", "\n");
    format!("<{tag} type=\"{kind}\" message=\"{message}\">{text}</{tag}>")
}

/// A text within XML 1.0, in an attribute or between tags. Characters that XML can't hold, even
/// escaped (its production `Char`), become the replacement character.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for it in text.chars() {
        match it {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // A reader would make spaces of them in an attribute.
            '\n' => out.push_str("&#10;"),
            '\r' => out.push_str("&#13;"),
            '\t' => out.push_str("&#9;"),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            // Legal, but nothing that a person should have to look at.
            '\u{7f}'..='\u{9f}' => out.push('\u{fffd}'),
            _ => out.push(it),
        }
    }
    out
}
