//! Real cases that nobody here wrote: the verdicts of AWS and of its published engine.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use event_pattern::{DuplicateKeys, Options, Pattern, PatternSet, Scratch};
use serde_json::Value;

fn rows(set: &str) -> Vec<Value> {
    let text = testkit::corpus(&format!("eventpattern/{set}.jsonl")).unwrap();
    let rows: Vec<Value> =
        text.lines().map(|it| serde_json::from_str(it).expect("a row is JSON")).collect();
    assert!(!rows.is_empty(), "the corpus `{set}` is empty");
    rows
}

fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_else(|| panic!("{key} is missing in {row}"))
}

fn verdict(pattern: &str, event: &str, options: &Options) -> String {
    let judged = Pattern::parse_with(pattern, options)
        .map_err(|it| it.to_string())
        .and_then(|it| it.matches(event.as_bytes()).map_err(|it| it.to_string()));
    match judged {
        Ok(true) => "match".to_owned(),
        Ok(false) => "no_match".to_owned(),
        Err(error) => format!("invalid: {error}"),
    }
}

/// Every row with an event must get its verdict.
fn check(set: &str, options: &Options) {
    let rows = rows(set);
    let mut wrong = Vec::new();
    for row in &rows {
        let verdict = verdict(text(row, "pattern"), text(row, "event"), options);
        if verdict.split(':').next() != Some(text(row, "expect")) {
            wrong.push(format!("{}: {verdict}, expected {}", row["name"], row["expect"]));
        }
    }
    println!("{set}: {} of {} rows agree", rows.len() - wrong.len(), rows.len());
    assert!(wrong.is_empty(), "{set}: {} rows disagree:\n{}", wrong.len(), wrong.join("\n"));
}

/// A: what AWS itself answered through `TestEventPattern`.
#[test]
fn aws() {
    check("localstack_aws_validated", &Options::test_event_pattern());
}

/// The complaints, too, are those of AWS (except about what is not JSON at all).
#[test]
fn aws_complaints() {
    let mut compared = 0;
    for row in rows("localstack_aws_validated") {
        let Some(message) = row["aws_error"]["message"].as_str() else { continue };
        let Some((_, reason)) = message.split_once("Reason: ") else { continue };
        if reason.starts_with("Unexpected character") {
            continue;
        }
        let options = Options::test_event_pattern();
        let error = Pattern::parse_with(text(&row, "pattern"), &options).unwrap_err();
        assert_eq!(error.reason(), reason.lines().next().unwrap(), "{}", row["name"]);
        compared += 1;
    }
    assert!(10 < compared, "only {compared} complaints were compared");
}

/// All patterns of all sets, matched together, say of each event what each says alone.
#[test]
fn together_as_alone() {
    let sets = [
        "localstack_aws_validated",
        "event_ruler_tests",
        "event_ruler_correctness_cases",
        "moto_cases",
        "derived_pairs",
        "real_patterns_x_events",
    ];
    let rows: Vec<_> = sets.into_iter().flat_map(rows).collect();
    let mut texts: Vec<_> = rows.iter().map(|it| text(it, "pattern")).collect();
    texts.sort_unstable();
    texts.dedup();
    let patterns: Vec<_> =
        (0..).zip(texts.iter().filter_map(|it| Pattern::parse(it).ok())).collect();
    let set = PatternSet::build(patterns.clone());
    let mut scratch = Scratch::default();
    let mut events: Vec<_> = rows.iter().map(|it| text(it, "event")).collect();
    events.sort_unstable();
    events.dedup();
    for event in &events {
        let together = set.matches(event.as_bytes(), &mut scratch).map(<[u32]>::to_vec);
        let mut alone = Ok(Vec::new());
        for (id, pattern) in &patterns {
            match (pattern.matches(event.as_bytes()), &mut alone) {
                (Ok(true), Ok(ids)) => ids.push(*id),
                (Ok(_), _) => {}
                (Err(error), _) => alone = Err(error),
            }
        }
        assert_eq!(together, alone, "{event}");
    }
    println!("{} patterns and {} events agree", patterns.len(), events.len());
}

/// Two verdicts of AWS are the service's, not the language's: without its options they change.
#[test]
fn service_level_checks_are_options() {
    let by_option = |row: &&Value| {
        let (pattern, event) = (text(row, "pattern"), text(row, "event"));
        let with = verdict(pattern, event, &Options::test_event_pattern());
        let without = verdict(pattern, event, &Options::default());
        with.split(':').next() != without.split(':').next()
    };
    let rows = rows("localstack_aws_validated");
    let names: Vec<_> = rows.iter().filter(by_option).map(|it| text(it, "name")).collect();
    assert_eq!(names, ["localstack/content_wildcard_complex_EXC"]);
}

/// B: assertions of the engine's own tests.
#[test]
fn event_ruler() {
    check("event_ruler_tests", &Options::default());
}

/// B: which patterns the engine takes.
#[test]
fn event_ruler_validity() {
    let rows = rows("event_ruler_validity");
    let mut rejecting = Options::default();
    rejecting.duplicate_keys = DuplicateKeys::Reject;
    let mut wrong = Vec::new();
    for row in &rows {
        let expectations = [
            (&row["expect"], Options::default()),
            (&row["expect_when_duplicate_keys_rejected"], rejecting.clone()),
        ];
        for (expected, options) in expectations {
            let result = Pattern::parse_with(text(row, "pattern"), &options);
            let verdict = if result.is_ok() { "valid" } else { "invalid" };
            if expected != verdict {
                wrong.push(format!("{expected} expected: {} {result:?}", row["pattern"]));
            }
        }
    }
    println!("event_ruler_validity: {} rows", rows.len());
    assert!(wrong.is_empty(), "{} verdicts disagree:\n{}", wrong.len(), wrong.join("\n"));
}

/// D: the engine's verdicts on inputs from elsewhere.
#[test]
fn event_ruler_on_other_inputs() {
    for set in ["event_ruler_correctness_cases", "moto_cases", "derived_pairs"] {
        check(set, &Options::default());
    }
}

/// D: published patterns and real events.
#[test]
fn real_patterns_and_events() {
    check("real_patterns_x_events", &Options::default());
}

/// Published patterns are valid. One is not, nor would AWS take it: it is a template that leaves
/// `detail` empty.
#[test]
fn real_patterns_parse() {
    let rows = rows("real_world_patterns");
    let refusal = |row: &Value| Pattern::parse(text(row, "pattern")).err().map(|it| it.to_string());
    let refusals: Vec<_> = rows.iter().filter_map(refusal).collect();
    println!(
        "real_world_patterns: {} of {} rows are valid",
        rows.len() - refusals.len(),
        rows.len()
    );
    assert_eq!(refusals, ["at `$.detail`: Empty arrays are not allowed"]);
}
