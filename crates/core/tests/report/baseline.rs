//! Only what is new fails.

use crate::support::{entry, place, rich, rule};
use quell_core::policy::Severity;
use quell_core::report::baseline::{self, Applied, BASELINE_MAX_BYTES, BaselineError};
use quell_core::report::{Entry, Report, Verdict};

#[test]
fn a_baseline_is_sorted_and_readable() {
    insta::assert_snapshot!("baseline", baseline::write(&rich()));
}

#[test]
fn a_baseline_covers_what_it_was_written_for_and_nothing_new() {
    let written = baseline::write(&rich());
    let mut report = rich();
    let high = rule("aws.s3.bucket_acl", Severity::High);
    report.entries.push(entry(&high, "aws_s3_bucket.new", Verdict::Violation));
    report.entries.reverse();
    // The same resource moved within its file.
    for it in &mut report.entries {
        it.place.iter_mut().for_each(|it| it.line += 40);
    }
    assert_eq!(baseline::apply(&mut report, &written), Ok(Applied { covered: 4, gone: 0 }));
    let summary = report.summary();
    assert_eq!((summary.violations, summary.unknown, summary.baselined), (1, 0, 5));
    assert_eq!((summary.exempt, summary.ignored, summary.errors), (1, 1, 2));
    // Written again, it covers the new one, too, and is otherwise the same.
    let again = baseline::write(&report);
    assert_eq!(again.matches("fingerprint").count(), 6);
    assert!(again.contains("aws_s3_bucket.new"));
    report.entries.retain(|it| it.subject() != "aws_s3_bucket.new");
    assert_eq!(baseline::write(&report), written);
}

#[test]
fn what_was_unknown_does_not_cover_the_violation_that_it_turns_out_to_be() {
    let acl = rule("aws.s3.bucket_acl", Severity::High);
    let with = |verdict| {
        let entry = Entry { place: place("a.tf", 1, 1), ..entry(&acl, "a", verdict) };
        Report { entries: vec![entry], ..rich() }
    };
    let cases = [
        (Verdict::Unknown, Verdict::Unknown, 1),
        (Verdict::Unknown, Verdict::Violation, 0),
        (Verdict::Violation, Verdict::Unknown, 1),
        (Verdict::Violation, Verdict::Error, 0),
        (Verdict::Error, Verdict::Error, 0),
    ];
    for (then, now, covered) in cases {
        let written = baseline::write(&with(then));
        let applied = baseline::apply(&mut with(now), &written).unwrap();
        assert_eq!(applied, Applied { covered, gone: 0 });
    }
}

/// A public grant that ACLs being disabled made harmless, until somebody enabled them.
#[test]
fn what_was_without_effect_does_not_cover_what_has_come_to_be_in_force() {
    let acl = rule("aws.s3.bucket_acl", Severity::Critical);
    let with = |severity| {
        let entry = Entry { severity, ..entry(&acl, "a", Verdict::Violation) };
        Report { entries: vec![entry], ..rich() }
    };
    let (latent, live) = (Severity::Low, Severity::Critical);
    for (then, now, covered) in [(latent, latent, 1), (latent, live, 0), (live, latent, 1)] {
        let written = baseline::write(&with(then));
        let applied = baseline::apply(&mut with(now), &written).unwrap();
        assert_eq!(applied, Applied { covered, gone: 0 }, "{then:?} {now:?}");
        let before = written.replace("\"severity\": \"low\",", "");
        let applied = baseline::apply(&mut with(now), &before).unwrap();
        assert_eq!(applied.covered, 1, "one that does not tell severities covers any");
    }
}

#[test]
fn what_is_fixed_is_told_as_gone() {
    let written = baseline::write(&rich());
    let mut report = Report { entries: vec![], ..rich() };
    assert_eq!(baseline::apply(&mut report, &written), Ok(Applied { covered: 0, gone: 5 }));
}

#[test]
fn what_is_no_baseline_is_an_error_that_says_where() {
    let row = "{\"fingerprint\": \"x\", \"verdict\": \"violation\", \"policy\": \"p\",\
               \"address\": \"a\", \"file\": null, \"element\": \"\"";
    let findings =
        |rows: &str| format!("{{\"schema\": \"quell.baseline/v1\",\n\"findings\": [{rows}]}}");
    let cases = [
        (String::new(), "not a baseline: EOF while parsing a value at line 1 column 0"),
        ("[]".to_owned(), "not a baseline: "),
        ("{}".to_owned(), "not a baseline: missing field `schema` at line 1 column 2"),
        (findings("{}"), "not a baseline: missing field `verdict` at line 2 column 15"),
        (findings(&format!("{row}, \"line\": 3}}")), "not a baseline: unknown field `line`"),
        (findings(row), "not a baseline: "),
        (findings("").replace("v1", "v2"), "the baseline's `schema` is `quell.baseline/v2`"),
        (" ".repeat(BASELINE_MAX_BYTES + 1), "the baseline has 16777217 bytes"),
        (findings(&format!("{row}}}").replace("violation", "error")), "not a baseline: unknown"),
    ];
    for (text, expected) in cases {
        let mut report = rich();
        let error = baseline::apply(&mut report, &text).map_err(|it: BaselineError| it.to_string());
        assert!(error.as_ref().is_err_and(|it| it.starts_with(expected)), "{error:?}");
        assert_eq!(report, rich(), "a faulty baseline covers nothing");
    }
    assert!(baseline::apply(&mut rich(), &findings(&format!("{row}}}"))).is_ok());
}
