//! Whatever stands in a name, a reason or a source, each format remains what it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::support::{PATCH, entry, rich, rule, sources, unstyled, valid_json, valid_sarif};
use jiff::Timestamp;
use proptest::prelude::*;
use quell_core::plan::Place;
use quell_core::policy::Severity;
use quell_core::report::shown::{lines, visible};
use quell_core::report::text::Options;
use quell_core::report::{
    End, Entry, Level, Problem, Report, Rule, Verdict, baseline, github, gitlab, json, junit,
    sarif, text,
};
use quell_core::resource::ResourceRef;
use serde_json::{Value, json as value};

/// What has broken formats before, and anything else.
fn hostile() -> impl Strategy<Value = String> {
    let nasty = prop::sample::select(vec![
        "\u{1b}[35m",
        "\u{1b}]0;owned\u{7}",
        "\u{9b}2J",
        "\r",
        "\n",
        "\n::error::owned",
        "::",
        "%0A",
        "%",
        ",",
        ":",
        "]]>",
        "<![CDATA[",
        "&#0;",
        "&",
        "<",
        "\"",
        "'",
        "\\",
        "{0}",
        "}",
        "](http://x)",
        "\0",
        "\u{b}",
        "\u{7f}",
        "\u{85}",
        "\u{202e}",
        "\u{2066}",
        "\u{2028}",
        "\u{fffe}",
        "\u{ffff}",
        "\u{feff}",
        "##[error]",
        "../",
        "./",
        "/",
        " ",
        "\t",
        "😀",
        "https://docs.example/",
    ]);
    let piece = prop_oneof![nasty.prop_map(str::to_owned), any::<char>().prop_map(String::from)];
    prop::collection::vec(piece, 0..8).prop_map(|it| it.concat())
}

fn number() -> impl Strategy<Value = usize> {
    prop_oneof![0..200_usize, Just(usize::MAX)]
}

fn verdict() -> impl Strategy<Value = Verdict> {
    (0..6, hostile(), hostile(), hostile()).prop_map(|(which, id, owner, reason)| match which {
        0 => Verdict::Violation,
        1 => Verdict::Unknown,
        2 => Verdict::Error,
        3 => Verdict::Exempt { id, owner, reason, expires: Timestamp::UNIX_EPOCH },
        4 => Verdict::Ignored { reason, expires: jiff::civil::Date::MAX },
        _ => Verdict::Baselined { unknown: reason.is_empty() },
    })
}

fn severity() -> impl Strategy<Value = Severity> {
    prop::sample::select(vec![
        Severity::Informational,
        Severity::Low,
        Severity::Medium,
        Severity::High,
        Severity::Critical,
    ])
}

fn of_rule() -> impl Strategy<Value = Arc<Rule>> {
    let texts = prop::collection::vec(hostile(), 7);
    (texts, severity()).prop_map(|(mut texts, severity)| {
        let mut next = || texts.pop().unwrap();
        let controls = BTreeMap::from([(next(), vec![next(), next()])]);
        let link = Some(next()).map(|it| if it.len() < 4 { it } else { format!("https://{it}") });
        let (id, title, description) = (next(), next(), next());
        let help = Some(description.clone());
        Arc::new(Rule { id, title, description, severity, help, link, controls })
    })
}

fn of_place() -> impl Strategy<Value = Option<Place>> {
    let place = (hostile(), number(), number());
    prop::option::of(place.prop_map(|(file, line, column)| Place { file, line, column }))
}

fn of_entry() -> impl Strategy<Value = Entry> {
    let texts = prop::collection::vec(hostile(), 9);
    (of_rule(), severity(), verdict(), of_place(), texts, number(), number()).prop_map(
        |(rule, severity, verdict, place, mut texts, line, column)| {
            let mut next = || texts.pop().unwrap();
            let (kind, id, account, region) = (next(), next(), next(), next());
            let patch = next();
            Entry {
                rule,
                severity,
                verdict,
                resource: ResourceRef { kind, id, account, region },
                address: (line < 100).then(&mut next),
                place,
                end: (line % 2 == 0).then_some(End { line, column }),
                block: None,
                element: next(),
                reason: next(),
                evidence: value!({ (next()): patch }),
                patch: Some(if column < 100 { PATCH.replace("main.tf", &patch) } else { patch }),
            }
        },
    )
}

fn of_report() -> impl Strategy<Value = Report> {
    let problem = (any::<bool>(), of_place(), hostile()).prop_map(|(error, place, text)| Problem {
        level: if error { Level::Error } else { Level::Warning },
        place,
        text,
    });
    let problems = prop::collection::vec(problem, 0..3);
    let entries = prop::collection::vec(of_entry(), 0..4);
    (hostile(), of_rule(), entries, problems).prop_map(|(version, rule, entries, problems)| {
        let mut report =
            Report { version, rules: vec![rule], entries, problems, resources: 3, ..rich() };
        report.sort();
        report
    })
}

/// Whether a terminal would obey it, or a reader of lines take it for the end of one.
fn is_obeyed(it: char) -> bool {
    it.is_control() || ('\u{202a}'..='\u{202e}').contains(&it) || it == '\u{2028}'
}

fn check_github(report: &Report) {
    let told = github::write(report);
    let counted = report.entries.iter().filter(|it| it.verdict.excuse().is_none()).count();
    assert_eq!(told.lines().count(), counted + report.problems.len(), "{told:?}");
    for line in told.split_terminator('\n') {
        assert!(!line.chars().any(|it| is_obeyed(it) && it != '\t'), "{line:?}");
        let (command, _) = line.strip_prefix("::").unwrap().split_once("::").unwrap();
        let (level, properties) = command.split_once(' ').unwrap();
        assert!(["error", "warning", "notice"].contains(&level), "{line:?}");
        let known = ["file", "line", "col", "endLine", "endColumn", "title"];
        for property in properties.split(',') {
            let (key, _) = property.split_once('=').unwrap();
            assert!(known.contains(&key), "{line:?}");
        }
    }
}

fn check_junit(report: &Report) {
    let xml = junit::write(report);
    let document = roxmltree::Document::parse(&xml).unwrap_or_else(|it| panic!("{it}: {xml}"));
    let cases = document.descendants().filter(|it| it.has_tag_name("testcase")).count();
    assert!(report.entries.len() + report.problems.len() <= cases, "{xml}");
    for node in document.descendants().filter(|it| it.is_element()) {
        let rule = JUNIT.iter().find(|(name, ..)| node.has_tag_name(*name));
        let (_, attributes, children) = rule.unwrap_or_else(|| panic!("{node:?}: {xml}"));
        assert!(attributes.iter().all(|it| node.has_attribute(*it)), "{node:?}: {xml}");
        let at = |it: roxmltree::Node<'_, '_>| children.iter().position(|of| it.has_tag_name(*of));
        let order: Vec<_> = node.children().filter(|it| it.is_element()).map(at).collect();
        assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{node:?}: {xml}");
    }
}

/// What the JUnit schema of Apache Ant's tasks demands: of each element its attributes, and which
/// elements may be in it, in this order. <https://github.com/windyroad/JUnit-Schema>
const JUNIT: [(&str, &[&str], &[&str]); 9] = [
    ("testsuites", &[], &["testsuite"]),
    (
        "testsuite",
        &["id", "package", "name", "tests", "failures", "errors", "time", "timestamp", "hostname"],
        &["properties", "testcase", "system-out", "system-err"],
    ),
    ("properties", &[], &["property"]),
    ("testcase", &["classname", "name", "time"], &["skipped", "error", "failure"]),
    ("skipped", &[], &[]),
    ("error", &["type"], &[]),
    ("failure", &["type"], &[]),
    ("system-out", &[], &[]),
    ("system-err", &[], &[]),
];

fn check_gitlab(report: &Report) {
    let issues: Vec<Value> = serde_json::from_str(&gitlab::write(report)).unwrap();
    let prints: BTreeSet<_> = issues.iter().map(|it| it["fingerprint"].as_str()).collect();
    assert_eq!(prints.len(), issues.len());
    assert!(issues.iter().all(|it| 0 < it["location"]["lines"]["begin"].as_u64().unwrap()));
    assert!(issues.iter().all(|it| it["location"]["path"].is_string()));
}

proptest! {
    #[test]
    fn every_format_stays_what_it_is(report in of_report()) {
        let document = valid_json(&json::write(&report));
        prop_assert_eq!(document["entries"].as_array().unwrap().len(), report.entries.len());
        valid_sarif(&sarif::write(&report));
        check_junit(&report);
        check_github(&report);
        check_gitlab(&report);
    }

    #[test]
    fn a_terminal_obeys_our_styles_alone(report in of_report(), source in hostile()) {
        let options = Options { excused: true, patches: true };
        let (_, ours) = unstyled(&text::write(&rich(), &sources(), options));
        let mut ours = BTreeSet::from_iter(ours);
        ours.extend(["31", "33", "2", "0"].map(str::to_owned));
        let source = format!("{source}\n").repeat(200);
        let files = report.entries.iter().filter_map(|it| it.place.as_ref());
        let sources = files.map(|it| (it.file.clone(), source.clone())).collect();
        let told = text::write(&report, &sources, options);
        let (shown, styles) = unstyled(&told);
        let obeyed = |it| is_obeyed(it) && it != '\n' && it != '\t';
        prop_assert!(!shown.chars().any(obeyed), "{shown:?}");
        prop_assert!(styles.iter().all(|it| ours.contains(it)), "{styles:?}");
    }

    #[test]
    fn a_baseline_of_any_names_covers_them_all(mut report in of_report()) {
        let summary = report.summary();
        let written = baseline::write(&report);
        report.entries.reverse();
        prop_assert_eq!(&baseline::write(&report), &written);
        let applied = baseline::apply(&mut report, &written).unwrap();
        prop_assert_eq!(applied.covered, summary.violations + summary.unknown);
        prop_assert_eq!(applied.gone, 0);
        prop_assert_eq!(report.summary().violations, 0);
    }
}

#[test]
fn a_style_in_a_source_is_shown_and_not_obeyed() {
    let named = entry(&rule("p", Severity::High), "a\u{1b}[35m\r\n::x", Verdict::Violation);
    let report = Report { entries: vec![named], problems: vec![], ..rich() };
    let told = text::write(&report, &BTreeMap::new(), Options::default());
    assert!(told.contains("a\\u{1b}[35m\\r\\n::x"), "{told}");
}

#[test]
fn what_a_terminal_would_obey_is_shown() {
    const HOSTILE: &str = "a\x1b[2Jb\x07\r\u{7f}\u{9b}2J\u{202e}\u{2066}\u{2028}";
    let obeyed = ['\x1b', '\x07', '\r', '\u{7f}', '\u{9b}', '\u{202e}', '\u{2066}', '\u{2028}'];
    assert_eq!(visible("arn:aws:iam::1:user/ünï"), "arn:aws:iam::1:user/ünï");
    assert_eq!(visible("a\x1b[2Jb\nc\u{9b}"), "a\\u{1b}[2Jb\\nc\\u{9b}");
    assert_eq!(lines("a\n\tb\x07"), "a\n\tb\\u{7}");
    assert!(!visible(HOSTILE).contains(obeyed) && !lines(HOSTILE).contains(obeyed));
}
