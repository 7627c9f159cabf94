//! Comments that excuse, and those that only look so.

use crate::support::{MAIN_TF, entry, place, rich, rule};
use jiff::Timestamp;
use proptest::prelude::*;
use quell_core::policy::Severity;
use quell_core::report::ignore::comments::{self, Syntax};
use quell_core::report::ignore::{apply, from_metadata, read};
use quell_core::report::{Entry, Report, Verdict};
use serde_json::json;

const ACL: &str = "aws.s3.bucket_acl";
const GOOD: &str = "quell:ignore aws.s3.bucket_acl reason=\"the website\" expires=2027-01-31";

fn now() -> Timestamp {
    "2026-05-09T07:29:33Z".parse().unwrap()
}

/// What the ignores of a source make of a violation at a line of a declaration.
fn judged(
    syntax: Syntax,
    text: &str,
    line: usize,
    block: Option<(usize, usize)>,
) -> (&'static str, Vec<String>) {
    let (ignores, problems) = read("main.tf", text, syntax);
    let at = Entry {
        place: place("main.tf", line, 3),
        block: block.map(|(first, last)| first..=last),
        ..entry(&rule(ACL, Severity::High), "aws_s3_bucket.a", Verdict::Violation)
    };
    let mut report = Report { entries: vec![at], problems, rules: vec![], ..rich() };
    apply(&mut report, &ignores, now());
    let problems = report.problems.iter().map(|it| it.text.clone()).collect();
    (report.entries[0].verdict.word(), problems)
}

#[test]
fn thousands_of_ignores_in_a_row_are_read_at_once() {
    let (ignores, problems) = read("main.tf", &"# quell:ignore x\n".repeat(60_000), Syntax::Hcl);
    assert_eq!((ignores.len(), problems.len()), (0, 60_000));
}

#[test]
fn a_comment_above_or_within_a_resource_covers_it() {
    let resource = "resource \"aws_s3_bucket\" \"a\" {\n  bucket = \"a\"\n}\n";
    for (text, line, block, expected) in [
        (format!("# {GOOD}\n{resource}"), 2, None, "ignored"),
        (format!("// {GOOD}\n{resource}"), 2, None, "ignored"),
        (format!("/* {GOOD} */\n{resource}"), 2, None, "ignored"),
        (format!("/*\n * {GOOD}\n\n */\n{resource}"), 5, None, "ignored"),
        (format!("# {GOOD}\n# more words\n{resource}"), 3, None, "ignored"),
        (format!("# {GOOD}\n{resource}"), 3, Some((2, 4)), "ignored"),
        (resource.replace("{\n", &format!("{{ # {GOOD}\n")), 1, None, "ignored"),
        (resource.replace("{\n", &format!("{{ # {GOOD}\n")), 2, Some((1, 3)), "ignored"),
        (resource.replace("\"a\"\n", &format!("\"a\" # {GOOD}\n")), 2, None, "ignored"),
        (resource.replace("\"a\"\n", &format!("\"a\" # {GOOD}\n")), 1, Some((1, 3)), "ignored"),
        // Beside the resource, it is about something else.
        (format!("# {GOOD}\n\n{resource}"), 3, Some((3, 5)), "violation"),
        (format!("x = 1 # {GOOD}\n{resource}"), 2, Some((2, 4)), "violation"),
        (format!("{resource}# {GOOD}\n"), 1, Some((1, 3)), "violation"),
        (format!("# {GOOD}\n{resource}{resource}"), 5, Some((5, 7)), "violation"),
    ] {
        assert_eq!(judged(Syntax::Hcl, &text, line, block), (expected, vec![]), "{text}");
    }
}

#[test]
fn what_is_expired_malformed_or_of_no_policy_is_told_and_not_obeyed() {
    for (comment, expected) in [
        (GOOD.replace("2027-01-31", "2026-05-09"), "has expired on 2026-05-09"),
        (GOOD.replace("2027", "2020"), "has expired on 2020-01-31"),
        (GOOD.replace("2027-01-31", "2027-02-30"), "`2027-02-30`, not a YYYY-MM-DD day"),
        (GOOD.replace("2027-01-31", "2027-01-31T00:00"), "not a YYYY-MM-DD day"),
        (GOOD.replace("2027-01-31", "never"), "`never`, not a YYYY-MM-DD day"),
        (GOOD.replace(" expires=2027-01-31", ""), "has no `expires`"),
        (GOOD.replace(" reason=\"the website\"", ""), "has no `reason`"),
        (GOOD.replace("the website", "  "), "`reason` is empty"),
        (GOOD.replace("website\"", "website"), "`reason` has no closing quote"),
        (GOOD.replace("\"the website\"", "the website"), "unknown word `website"),
        (GOOD.replace("reason", "because"), "unknown word `because`"),
        (format!("{GOOD} expires=2028-01-01"), "two of `expires`"),
        (GOOD.replace("aws.s3.bucket_acl ", ""), "names no policy"),
        (GOOD.replace("aws.s3.bucket_acl", "*"), "names no policy: `*` is no id"),
        (GOOD.replace("aws.s3.bucket_acl", "aws.s3.bucket_acl2"), "no such policy judged here"),
        (GOOD.replace("ignore", "ignore-all"), "there is no `quell:ignore-all`"),
        (format!("see {GOOD}"), "must begin its comment"),
        (GOOD.replace("website", &"w".repeat(1_000)), "at most 1000 characters"),
    ] {
        let text = format!("# {comment}\nresource \"aws_s3_bucket\" \"a\" {{}}\n");
        let (verdict, problems) = judged(Syntax::Hcl, &text, 2, None);
        assert_eq!(verdict, "violation", "{comment}");
        assert!(problems.len() == 1 && problems[0].contains(expected), "{comment}: {problems:?}");
    }
}

#[test]
fn another_policy_an_error_and_an_excused_entry_are_left_as_they_are() {
    let (ignores, _) = read("./main.tf", &format!("# {GOOD}\n{MAIN_TF}"), Syntax::Hcl);
    let mut report = rich();
    for it in &mut report.entries {
        it.place = place("./main.tf", 2, 1);
    }
    apply(&mut report, &ignores, now());
    let words: Vec<_> = report.entries.iter().map(|it| it.verdict.word()).collect();
    let before = rich();
    for (entry, (was, word)) in report.entries.iter().zip(before.entries.iter().zip(words)) {
        let covered = was.rule.id == ACL && was.verdict.is_excusable();
        let expected = if covered { "ignored" } else { was.verdict.word() };
        assert_eq!(word, expected, "{}", entry.subject());
    }
}

#[test]
fn a_string_is_no_comment_in_hcl() {
    for text in [
        format!("a = \"# {GOOD}\""),
        format!("a = \"\\\"# {GOOD}\""),
        format!("a = \"${{f(\"# {GOOD}\")}} # {GOOD}\""),
        format!("a = \"$${{ # {GOOD}\""),
        format!("a = <<EOT\n# {GOOD}\nEOT"),
        format!("a = <<-EOT\n  /* {GOOD} */\n  EOT\nb = \"// {GOOD}\""),
    ] {
        assert_eq!(comments::read(&text, Syntax::Hcl), [], "{text}");
    }
    let text =
        "a = \"${ { x = \"}\" } }\" # one\nb = <<EOT\n# no\nEOT\n/* two\nthree */ c = 1 // four\n";
    let found = comments::read(text, Syntax::Hcl);
    let found: Vec<_> = found.iter().map(|it| (it.line, it.column, it.text, it.is_alone)).collect();
    let expected = [
        (1, 24, "one", false),
        (5, 3, "two", true),
        (6, 1, "three", false),
        (6, 16, "four", false),
    ];
    assert_eq!(found, expected);
    // A line of very many comments is no reason to count its columns as many times.
    let text = "/*ü*/".repeat(200_000);
    let many = comments::read(&text, Syntax::Hcl).pop().unwrap();
    assert_eq!((many.line, many.column, many.text), (1, 199_999 * 5 + 3, "ü"));
}

#[test]
fn a_string_is_no_comment_in_yaml() {
    for text in [
        format!("a: \"x # {GOOD}\""),
        format!("a: 'it''s # {GOOD}'"),
        format!("a: x# {GOOD}"),
        format!("a: |\n  # {GOOD}\n\n  # {GOOD}\nb: 1"),
        format!("a: !Sub >-\n  # {GOOD}\nb: \"\\\" # {GOOD}\""),
        format!("a:\n  - |\n    # {GOOD}\n  - b: |+2\n      # {GOOD}\n"),
        format!("a: \"x\n  # {GOOD}\n  y\""),
        format!("a: [ 'x # {GOOD}', {{ b: \"# {GOOD}\" }} ]"),
    ] {
        assert_eq!(comments::read(&text, Syntax::Yaml), [], "{text}");
    }
    let text = "# one\na: don't # two\nb: |  # three\n  # no\nc:\n  - d: |\n      # no\n    \
                e: 1 # four\n  # five\n";
    let found = comments::read(text, Syntax::Yaml);
    let found: Vec<_> = found.iter().map(|it| (it.line, it.text, it.is_alone)).collect();
    let expected = [
        (1, "one", true),
        (2, "two", false),
        (3, "three", false),
        (8, "four", false),
        (9, "five", true),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_comment_in_a_template_covers_its_resource() {
    let text = format!(
        "Resources:\n  # {GOOD}\n  Logs:\n    Type: AWS::S3::Bucket\n    Properties:\n      \
         AccessControl: PublicRead\n"
    );
    assert_eq!(judged(Syntax::Yaml, &text, 6, Some((3, 6))), ("ignored", vec![]));
    assert_eq!(judged(Syntax::Yaml, &text, 1, None), ("violation", vec![]));
}

#[test]
fn metadata_is_the_comment_of_json() {
    let row = json!({ "policy": ACL, "reason": "the website", "expires": "2027-01-31" });
    let read =
        |rows| from_metadata("t.json", "Logs", None, &json!({ "quell": { "ignore": rows } }));
    let (ignores, problems) = read(json!([row]));
    assert!(problems.is_empty());
    for (file, address, expected) in [
        ("t.json", "Logs", "ignored"),
        ("t.json", "Other", "violation"),
        ("other.json", "Logs", "violation"),
    ] {
        let acl = rule(ACL, Severity::High);
        let at = Entry { place: place(file, 3, 3), ..entry(&acl, address, Verdict::Violation) };
        let mut report = Report { entries: vec![at], problems: vec![], ..rich() };
        apply(&mut report, &ignores, now());
        assert_eq!(report.entries[0].verdict.word(), expected);
    }
    for (rows, expected) in [
        (json!([{ "policy": ACL, "reason": "x" }]), "missing field `expires`"),
        (json!([{ "policy": ACL, "reason": "x", "expires": 2027 }]), "invalid type"),
        (json!([{ "policy": ACL, "reason": "", "expires": "2027-01-31" }]), "is empty"),
        (json!("all"), "invalid type"),
        (json!([{ "policy": ACL, "reason": "x", "expires": "2027-01-31", "to": 1 }]), "`to`"),
    ] {
        let (ignores, problems) = read(rows);
        assert!(ignores.is_empty() && problems.len() == 1, "{problems:?}");
        assert!(problems[0].text.contains(expected), "{problems:?}");
    }
    assert_eq!(from_metadata("t.json", "Logs", None, &json!({ "cfn": 1 })), (vec![], vec![]));
}

#[test]
fn the_syntax_is_told_by_name_and_content() {
    for (file, text, expected) in [
        ("main.tf", "", Some(Syntax::Hcl)),
        ("a.b.tfvars", "", Some(Syntax::Hcl)),
        ("main.tf.json", "{}", None),
        ("template.yaml", "Resources: {}", Some(Syntax::Yaml)),
        ("template.yaml", "\u{feff} {}", None),
        ("template", "Resources: {}", Some(Syntax::Yaml)),
    ] {
        assert_eq!(Syntax::of(file, text), expected, "{file}");
    }
}

proptest! {
    #[test]
    fn any_source_is_scanned_to_its_end(
        pieces in prop::collection::vec(prop_oneof![
            prop::sample::select(vec![
                "#", "//", "/*", "*/", "\"", "${", "%{", "{", "}", "'", "|", ">", "\n", "  ",
                "- ", ": ",
                "<<EOT\n", "EOT\n", "\\", "!Sub ", "quell:ignore ", "reason=\"", "expires=",
            ]).prop_map(str::to_owned),
            any::<char>().prop_map(String::from),
        ], 0..60),
    ) {
        let text = pieces.concat();
        let lines = text.lines().count();
        for syntax in [Syntax::Hcl, Syntax::Yaml] {
            read("main.tf", &text, syntax);
            for comment in comments::read(&text, syntax) {
                prop_assert!((1..=lines).contains(&comment.line) && 0 < comment.column);
            }
        }
    }

    #[test]
    fn no_text_within_quotes_is_a_comment(inside in "[^\"\\\\$%\\n\\r]*") {
        for (syntax, text) in [
            (Syntax::Hcl, format!("a = \"{inside}\" # the end")),
            (Syntax::Yaml, format!("a: \"{inside}\" # the end")),
        ] {
            let found = comments::read(&text, syntax);
            let found: Vec<_> = found.iter().map(|it| it.text).collect();
            prop_assert_eq!(found, ["the end"]);
        }
    }
}
