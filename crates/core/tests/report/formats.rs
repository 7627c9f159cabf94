//! One rich report in each format, as snapshots, and what every format owes its readers.

use crate::support::{entry, place, rich, rule, sources, unstyled, valid_json, valid_sarif};
use quell_core::policy::Severity;
use quell_core::report::text::{EXCERPT_CHARS_MAX, Options};
use quell_core::report::{
    Entry, Report, Summary, Verdict, github, gitlab, json, junit, sarif, text,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const EVERYTHING: Options = Options { excused: true, patches: true };

#[test]
fn as_text() {
    let told = text::write(&rich(), &sources(), EVERYTHING);
    insta::assert_snapshot!("text", unstyled(&told).0);
    insta::assert_snapshot!("text_styles", told.replace('\u{1b}', "␛"));
}

#[test]
fn as_json() {
    let told = json::write(&rich());
    valid_json(&told);
    insta::assert_snapshot!("json", told);
}

#[test]
fn as_sarif() {
    let told = sarif::write(&rich());
    valid_sarif(&told);
    insta::assert_snapshot!("sarif", told);
}

#[test]
fn as_junit() {
    let told = junit::write(&rich());
    insta::assert_snapshot!("junit", told);
}

#[test]
fn as_github_commands() {
    insta::assert_snapshot!("github", github::write(&rich()));
}

#[test]
fn as_gitlab_code_quality() {
    insta::assert_snapshot!("gitlab", gitlab::write(&rich()));
}

#[test]
fn a_report_without_findings_is_valid_in_every_format() {
    let report = Report { entries: vec![], problems: vec![], ..rich() };
    let (shown, _) = unstyled(&text::write(&report, &sources(), EVERYTHING));
    assert_eq!(shown, "0 violations; judged 12 resources by 3 policies\n");
    valid_json(&json::write(&report));
    valid_sarif(&sarif::write(&report));
    let xml = junit::write(&report);
    let suites = roxmltree::Document::parse(&xml).unwrap();
    let suites = suites.root_element().children().filter(|it| it.is_element());
    assert!(suites.clone().all(|it| it.attribute("failures") == Some("0")), "{xml}");
    assert_eq!(suites.count(), 3);
    assert_eq!(github::write(&report), "");
    assert_eq!(gitlab::write(&report), "[]\n");
}

#[test]
fn what_is_excused_is_counted_apart_and_no_annotation() {
    let report = rich();
    let expected = Summary {
        violations: 3,
        worst: Some(Severity::Critical),
        unknown: 1,
        errors: 2,
        exempt: 1,
        ignored: 1,
        baselined: 1,
        warnings: 1,
    };
    assert_eq!(report.summary(), expected);
    let (shown, _) = unstyled(&text::write(&report, &sources(), Options::default()));
    for quiet in [shown, github::write(&report), gitlab::write(&report)] {
        for excused in ["feed", "website", "old"] {
            assert!(!quiet.contains(&format!("aws_s3_bucket.{excused}")), "{quiet}");
        }
        for told in ["aws_s3_bucket.logs", "sg-0123", "aws_security_group.db", "unclosed"] {
            assert!(quiet.contains(told), "{told}: {quiet}");
        }
    }
}

#[test]
fn junit_counts_what_it_lists() {
    let xml = junit::write(&rich());
    let document = roxmltree::Document::parse(&xml).unwrap();
    let suites = document.root_element().children().filter(|it| it.has_tag_name("testsuite"));
    let mut names = vec![];
    for (number, suite) in suites.enumerate() {
        let count = |tag| suite.descendants().filter(|it| it.has_tag_name(tag)).count();
        let told = |name| suite.attribute(name).unwrap().parse::<usize>().unwrap();
        assert_eq!(told("id"), number);
        for (attribute, tag) in [
            ("tests", "testcase"),
            ("failures", "failure"),
            ("errors", "error"),
            ("skipped", "skipped"),
        ] {
            assert_eq!(told(attribute), count(tag), "{attribute}: {xml}");
        }
        names.push(suite.attribute("name").unwrap());
    }
    let expected = ["aws.ec2.open_port", "aws.kms.rotation", "aws.s3.bucket_acl", "quell.input"];
    assert_eq!(names, expected);
}

#[test]
fn sarif_says_why_something_is_suppressed_and_offers_the_fix() {
    let log = valid_sarif(&sarif::write(&rich()));
    let run = &log["runs"][0];
    assert_eq!(run["invocations"][0]["executionSuccessful"], false);
    let results = run["results"].as_array().unwrap();
    // The error is a notification.
    assert_eq!(results.len(), rich().entries.len() - 1);
    let kinds = results.iter().map(|it| it.pointer("/suppressions/0/kind"));
    let kinds: Vec<&str> = kinds.flatten().map(|it| it.as_str().unwrap()).collect();
    assert_eq!(kinds.iter().filter(|it| **it == "inSource").count(), 1, "{kinds:?}");
    assert_eq!(kinds.iter().filter(|it| **it == "external").count(), 2, "{kinds:?}");
    let unknown = results.iter().find(|it| it["kind"] == "open").unwrap();
    assert_eq!(unknown["level"], "none");
    let fixed = results.iter().find(|it| it.get("fixes").is_some()).unwrap();
    let change = &fixed["fixes"][0]["artifactChanges"][0];
    assert_eq!(change["artifactLocation"]["uri"], "main.tf");
    assert_eq!(change["replacements"][0]["deletedRegion"]["startLine"], 5);
    assert_eq!(change["replacements"][0]["insertedContent"]["text"], "\tacl    = \"private\"\n");
}

#[test]
fn a_fingerprint_outlives_its_line_and_nothing_else() {
    let acl = rule("aws.s3.bucket_acl", Severity::High);
    let base = Entry {
        place: place("main.tf", 3, 1),
        element: "acl".to_owned(),
        ..entry(&acl, "aws_s3_bucket.a", Verdict::Violation)
    };
    let moved = [
        Entry { place: place("./main.tf", 99, 7), ..base.clone() },
        Entry { reason: "in other words".to_owned(), ..base.clone() },
        Entry { verdict: Verdict::Unknown, severity: Severity::Low, ..base.clone() },
    ];
    for it in &moved {
        assert_eq!(it.fingerprint(), base.fingerprint());
    }
    let others = [
        Entry { place: place("other.tf", 3, 1), ..base.clone() },
        Entry { address: Some("aws_s3_bucket.b".to_owned()), ..base.clone() },
        Entry { element: "policy".to_owned(), ..base.clone() },
        Entry { rule: rule("aws.s3.other", Severity::High), ..base.clone() },
        Entry { address: None, ..base.clone() },
    ];
    let prints: BTreeSet<String> = others.iter().map(Entry::fingerprint).collect();
    assert!(prints.len() == others.len() && !prints.contains(&base.fingerprint()));
}

#[test]
fn gitlab_is_never_given_one_fingerprint_twice() {
    let mut report = rich();
    report.entries.extend(report.entries.clone());
    report.problems.extend(report.problems.clone());
    let issues: Vec<Value> = serde_json::from_str(&gitlab::write(&report)).unwrap();
    let prints: BTreeSet<_> = issues.iter().map(|it| it["fingerprint"].as_str()).collect();
    assert_eq!((issues.len(), prints.len()), (14, 14));
    assert!(issues.iter().all(|it| 0 < it["location"]["lines"]["begin"].as_u64().unwrap()));
}

#[test]
fn thousands_of_equal_findings_take_no_longer_each() {
    let acl = rule("aws.s3.bucket_acl", Severity::High);
    let same = entry(&acl, "aws_s3_bucket.a", Verdict::Violation);
    let report = Report { entries: vec![same; 20_000], problems: vec![], ..rich() };
    let issues: Vec<Value> = serde_json::from_str(&gitlab::write(&report)).unwrap();
    let prints: BTreeSet<_> = issues.iter().map(|it| it["fingerprint"].as_str()).collect();
    assert_eq!(prints.len(), 20_000);
}

#[test]
fn an_unknown_of_the_baseline_is_still_open() {
    let acl = rule("aws.s3.bucket_acl", Severity::High);
    for (unknown, expected) in [(true, "open"), (false, "fail")] {
        let entries = vec![entry(&acl, "aws_s3_bucket.a", Verdict::Baselined { unknown })];
        let log = sarif::write(&Report { entries, ..rich() });
        let log: Value = serde_json::from_str(&log).unwrap();
        assert_eq!(log["runs"][0]["results"][0]["kind"], expected);
    }
}

#[test]
fn the_caret_stands_under_its_column_in_a_line_of_any_length() {
    let acl = rule("aws.s3.bucket_acl", Severity::High);
    for (before, after) in [(0, 0), (3, 0), (1_000, 0), (1_000, 1_000), (0, 1_000), (61, 59)] {
        for filler in ["a", "\t", "ü", "\u{1b}"] {
            let line = filler.repeat(before) + "X" + &filler.repeat(after);
            let sources = BTreeMap::from([("main.tf".to_owned(), line)]);
            let at = Entry {
                place: place("main.tf", 1, before + 1),
                ..entry(&acl, "aws_s3_bucket.a", Verdict::Violation)
            };
            let report = Report { entries: vec![at], problems: vec![], ..rich() };
            let (shown, _) = unstyled(&text::write(&report, &sources, Options::default()));
            let lines: Vec<&str> = shown.lines().collect();
            let column = |line: &str, mark| line.chars().position(|it| it == mark).unwrap();
            assert_eq!(column(lines[3], 'X'), column(lines[4], '^'), "{shown}");
            assert!(lines[3].chars().count() < 6 * EXCERPT_CHARS_MAX + 10);
        }
    }
}
