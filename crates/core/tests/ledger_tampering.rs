//! The chain detects any one-byte edit, drop, swap and double; truncation needs an anchor.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use ed25519_dalek::SigningKey;
use jiff::Timestamp;
use proptest::prelude::*;
use quell_core::ledger::{
    chain::Chain,
    checkpoint::{Checkpoint, Unsigned},
    ids::{ChainId, Digest, Head},
    keys::{PublicKey, p256_signature},
    line::{DIGEST_DOMAIN, FACT_BYTES_MAX, FACT_DEPTH_MAX, FactError, FactJson, Line, LineError},
    verify::{Audit, Report, Tampering},
};
use serde_json::{Value, json};

type Lines = Vec<Vec<u8>>;

// -------------------------------------------------------------------------------- properties

proptest! {
    #[test]
    fn what_was_written_verifies_and_reads_back(facts in facts(1)) {
        let (lines, heads) = ledger(&facts);
        let report = audit(&lines, None);
        prop_assert!(report.intact(), "{}", report);
        prop_assert_eq!(report.records(), facts.len() as u64);
        prop_assert_eq!(&report.chains[0].head, heads.last().unwrap());
        for (line, fact) in lines.iter().zip(&facts) {
            let record = Line::parse(line).unwrap().record::<Value>().unwrap();
            prop_assert_eq!(&record.fact, fact);
            prop_assert_eq!(serde_json::to_vec(&record).unwrap(), line.clone());
        }
    }

    #[test]
    fn any_one_byte_edit_is_detected(
        facts in facts(1),
        place: prop::sample::Index,
        edit in edits(),
    ) {
        let (lines, _) = ledger(&facts);
        let bytes = file_of(&lines);
        let at = place.index(bytes.len());
        let mut edited = bytes.clone();
        match edit {
            Edit::Replace(byte) => edited[at] = byte,
            Edit::Insert(byte) => edited.insert(at, byte),
            Edit::Remove => { edited.remove(at); }
        }
        prop_assume!(edited != bytes);
        let report = audit_file(&edited);
        prop_assert!(!report.intact(), "byte {} of {}", at, bytes.len());
        // The fault is at the record that holds the byte or, where the byte is next to a line's
        // end, at most one further; never after it.
        let holder = bytes[..at].iter().filter(|it| **it == b'\n').count() as u64 + 1;
        let named = report.faults().next().unwrap().sequence.unwrap();
        prop_assert!(named == holder || named == holder + 1, "{} for {}", named, holder);
    }

    #[test]
    fn a_dropped_record_is_missing(facts in facts(2), place: prop::sample::Index) {
        let (mut lines, _) = ledger(&facts);
        let at = place.index(lines.len() - 1);
        lines.remove(at);
        let report = audit(&lines, None);
        prop_assert_eq!(first(&report), Some((Tampering::Missing, at as u64 + 1)));
        prop_assert_eq!(report.records(), at as u64);
    }

    #[test]
    fn swapped_records_are_reordered(
        facts in facts(2),
        one: prop::sample::Index,
        distance: prop::sample::Index,
    ) {
        let (mut lines, _) = ledger(&facts);
        let a = one.index(lines.len());
        let b = (a + 1 + distance.index(lines.len() - 1)) % lines.len();
        lines.swap(a, b);
        let report = audit(&lines, None);
        prop_assert_eq!(first(&report), Some((Tampering::Reordered, a.min(b) as u64 + 1)));
    }

    #[test]
    fn a_doubled_record_is_duplicated(
        facts in facts(1),
        from: prop::sample::Index,
        to: prop::sample::Index,
    ) {
        let (mut lines, _) = ledger(&facts);
        let from = from.index(lines.len());
        let to = from + 1 + to.index(lines.len() - from);
        lines.insert(to, lines[from].clone());
        let report = audit(&lines, None);
        prop_assert_eq!(first(&report), Some((Tampering::Duplicated, from as u64 + 1)));
    }

    #[test]
    fn truncation_is_detected_against_an_anchor_and_unanchored_without(
        facts in facts(2),
        anchored: prop::sample::Index,
        kept: prop::sample::Index,
    ) {
        let (mut lines, heads) = ledger(&facts);
        let anchored = 1 + anchored.index(lines.len());
        let kept = kept.index(anchored);
        let anchor = Checkpoint::sign(now(), vec![heads[anchored - 1].clone()], &key(1));
        lines.truncate(kept);

        let without = audit(&lines, None);
        prop_assert!(without.intact());
        prop_assert_eq!(without.chains[0].unanchored_since, Some(1));

        let with = audit(&lines, Some(&anchor));
        prop_assert_eq!(first(&with), Some((Tampering::Truncated, kept as u64 + 1)));
    }

    #[test]
    fn a_chain_rewritten_with_fresh_digests_is_detected_against_an_anchor(
        facts in facts(1),
        place: prop::sample::Index,
    ) {
        let (_, heads) = ledger(&facts);
        let anchor = Checkpoint::sign(now(), vec![heads.last().unwrap().clone()], &key(1));
        let mut forged = facts.clone();
        let at = place.index(forged.len());
        forged[at] = json!({"forged": forged[at]});
        let (lines, _) = ledger(&forged);
        prop_assert!(audit(&lines, None).intact(), "the chain alone cannot know");
        let last = facts.len() as u64;
        let found = first(&audit(&lines, Some(&anchor)));
        prop_assert_eq!(found, Some((Tampering::CheckpointMismatch, last)));
    }

    #[test]
    fn any_bytes_have_a_report(bytes in prop::collection::vec(any::<u8>(), 1..300)) {
        prop_assert!(!audit_file(&bytes).intact());
    }
}

// ------------------------------------------------------------------------------------- cases

#[test]
fn every_replacement_of_every_byte_is_detected() {
    let (lines, _) = ledger(&[json!({"a": "é"}), json!([1, null])]);
    let bytes = file_of(&lines);
    for at in 0..bytes.len() {
        for byte in (0..=u8::MAX).filter(|it| *it != bytes[at]) {
            let mut edited = bytes.clone();
            edited[at] = byte;
            assert!(!audit_file(&edited).intact(), "byte {at} replaced by {byte}");
        }
    }
}

#[test]
fn the_format_is_the_documented_one() {
    // The file was written with Python's hashlib from docs/reference/ledger-format.md.
    let (lines, _) = ledger(&[json!({"seen": "é\n"}), json!([1, 2.5, null])]);
    let expected = include_str!("ledger_format_v1.jsonl");
    assert_eq!(String::from_utf8(file_of(&lines)).unwrap(), expected);
}

#[test]
fn a_record_that_does_not_continue_its_predecessor_is_a_broken_link() {
    let (mut lines, _) = ledger(&[json!(1), json!(2), json!(3)]);
    let (forged, _) = ledger(&[json!(1), json!("other"), json!(3)]);
    lines[1] = forged[1].clone();
    assert_eq!(first(&audit(&lines, None)), Some((Tampering::BrokenLink, 3)));
}

#[test]
fn a_record_of_another_chain_is_foreign() {
    let (mut lines, _) = ledger(&[json!(1), json!(2)]);
    let mut other = String::new();
    let mut chain = Chain::new(ChainId::new("other").unwrap());
    for fact in [1, 2] {
        other.clear();
        chain.seal(now(), fact, &FactJson::encode(&fact).unwrap(), &mut other);
    }
    lines[1] = other.trim_end().as_bytes().to_vec();
    assert_eq!(first(&audit(&lines, None)), Some((Tampering::ForeignChain, 2)));
}

#[test]
fn a_line_that_is_sealed_but_not_canonical_is_malformed() {
    let (lines, _) = ledger(&[json!({"a": 1})]);
    let line = String::from_utf8(lines[0].clone()).unwrap();
    let (sealed, _) = line.rsplit_once(",\"digest\"").unwrap();
    for (from, to) in [
        ("{\"a\":1}", "{\"a\": 1}"),
        ("{\"a\":1}", "{\"a\":1},\"extra\":2"),
        ("{\"a\":1}", "{\"a\":1"),
        ("\"sequence\":1", "\"sequence\":01"),
        ("\"sequence\":1", "\"sequence\":+1"),
        (".5Z", ".500Z"),
        ("{\"chain\"", " {\"chain\""),
    ] {
        let sealed = sealed.replacen(from, to, 1);
        let digest = Digest::of(&[DIGEST_DOMAIN, sealed.as_bytes()]);
        let forged = format!("{sealed},\"digest\":\"{digest}\"}}");
        assert_ne!(forged, line, "{from}");
        let result = Line::parse(forged.as_bytes());
        assert!(matches!(result, Err(LineError::Malformed(_))), "{from} -> {to}: {result:?}");
    }
}

#[test]
fn a_clock_that_goes_backwards_is_no_tampering() {
    let mut chain = Chain::new(ChainId::new("main").unwrap());
    let mut text = String::new();
    for second in [50, 10, 30] {
        let time = Timestamp::from_second(second).unwrap();
        chain.seal(time, second, &FactJson::encode(&second).unwrap(), &mut text);
    }
    assert!(audit_file(text.as_bytes()).intact());
}

#[test]
fn a_key_that_never_leaves_its_service_signs_checkpoints_too() {
    use p256::ecdsa::signature::Signer as _;
    let (lines, heads) = ledger(&[json!(1), json!(2)]);
    let private = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
    let public = PublicKey::P256(*private.verifying_key());
    let unsigned = Unsigned::new(now(), vec![heads[1].clone()], &public);
    let der: p256::ecdsa::DerSignature = private.sign(&unsigned.message());
    let signature = p256_signature(der.as_bytes()).unwrap();
    let signed = unsigned.signed(&signature);

    signed.verify(&[key(1).verifying_key().into(), public.clone()]).unwrap();
    let mut audit = Audit::new(std::slice::from_ref(&public));
    audit.anchor("anchor.json", signed.to_json().as_bytes()).unwrap();
    let report = finish(audit, &file_of(&lines));
    assert!(report.intact(), "{report}");
    assert_eq!(report.chains[0].unanchored_since, None);

    let moved = signed.to_json().replacen("\"sequence\":2", "\"sequence\":1", 1);
    assert!(Checkpoint::parse(moved.as_bytes()).unwrap().verify(&[public]).is_err());
}

#[test]
fn checkpoints_in_the_ledger_are_held_against_it() {
    let (mut lines, heads) = ledger(&[json!(1), json!(2), json!(3)]);
    let signed = Checkpoint::sign(now(), vec![heads[1].clone()], &key(1));
    let public = PublicKey::from(key(1).verifying_key());

    let mut intact = Audit::new(std::slice::from_ref(&public));
    intact.checkpoint("2.json", signed.to_json().as_bytes());
    let report = finish(intact, &file_of(&lines));
    assert!(report.intact(), "{report}");
    assert_eq!(report.chains[0].unanchored_since, Some(3));

    let mut unchecked = Audit::new(&[]);
    unchecked.checkpoint("2.json", signed.to_json().as_bytes());
    let report = finish(unchecked, &file_of(&lines));
    assert!(report.intact() && !report.signatures_checked);
    assert_eq!(report.chains[0].unanchored_since, Some(1), "an unchecked signature is no proof");

    lines.truncate(1);
    let mut cut = Audit::new(std::slice::from_ref(&public));
    cut.checkpoint("2.json", signed.to_json().as_bytes());
    let report = finish(cut, &file_of(&lines));
    assert_eq!(first(&report), Some((Tampering::CheckpointMismatch, 2)));
}

#[test]
fn a_forged_checkpoint_is_detected() {
    let (lines, heads) = ledger(&[json!(1), json!(2)]);
    let genuine = Checkpoint::sign(now(), vec![heads[1].clone()], &key(1)).to_json();
    let by_another = Checkpoint::sign(now(), vec![heads[1].clone()], &key(2)).to_json();
    let other_head = genuine.replacen("\"sequence\":2", "\"sequence\":1", 1);
    let other_time = genuine.replacen("2026-", "2025-", 1);
    for forged in [by_another, other_head, other_time] {
        assert_ne!(forged, genuine);
        let mut audit = Audit::new(&[key(1).verifying_key().into()]);
        audit.checkpoint("c.json", forged.as_bytes());
        let report = finish(audit, &file_of(&lines));
        let fault = &report.checkpoint_faults[0];
        assert_eq!(fault.tampering, Tampering::BadCheckpointSignature, "{forged}");
    }
}

#[test]
fn a_checkpoint_may_be_formatted_anew_but_not_extended() {
    let (lines, heads) = ledger(&[json!(1)]);
    let genuine = Checkpoint::sign(now(), vec![heads[0].clone()], &key(1));
    let value: Value = serde_json::from_str(&genuine.to_json()).unwrap();
    let pretty = serde_json::to_string_pretty(&value).unwrap();
    let mut audit = Audit::new(&[key(1).verifying_key().into()]);
    audit.anchor("pretty.json", pretty.as_bytes()).unwrap();
    let report = finish(audit, &file_of(&lines));
    assert!(report.intact(), "{report}");
    assert_eq!(report.chains[0].unanchored_since, None);

    let extended = pretty.replacen('{', "{\"note\": 1,", 1);
    assert!(Audit::new(&[]).anchor("extended.json", extended.as_bytes()).is_err());
}

#[test]
fn a_chain_that_is_gone_whole_is_truncated_against_the_anchor() {
    let (_, heads) = ledger(&[json!(1)]);
    let anchor = Checkpoint::sign(now(), vec![heads[0].clone()], &key(1));
    let mut audit = Audit::new(&[]);
    audit.anchor("anchor.json", anchor.to_json().as_bytes()).unwrap();
    assert_eq!(first(&audit.report()), Some((Tampering::Truncated, 1)));
}

#[test]
fn a_fact_has_a_largest_size_and_depth() {
    let mut deep = json!(1);
    for _ in 0..FACT_DEPTH_MAX {
        deep = json!([deep]);
    }
    assert!(FactJson::encode(&deep).is_ok());
    assert!(matches!(FactJson::encode(&json!([deep])), Err(FactError::TooDeep { .. })));
    let large = "x".repeat(FACT_BYTES_MAX);
    assert!(matches!(FactJson::encode(&large), Err(FactError::TooLarge { .. })));
    let brackets = "[".repeat(1000);
    assert!(FactJson::encode(&brackets).is_ok(), "brackets inside a string do not nest");
}

// ----------------------------------------------------------------------------------- helpers

#[derive(Clone, Copy, Debug)]
enum Edit {
    Replace(u8),
    Insert(u8),
    Remove,
}

fn edits() -> impl Strategy<Value = Edit> {
    // Half of the bytes are those that JSON and line ends are made of.
    let telling = prop::sample::select(b" \n\r\t\"\\{}[]:,0aA\0".to_vec());
    let bytes = prop_oneof![any::<u8>(), telling];
    prop_oneof![
        bytes.clone().prop_map(Edit::Replace),
        bytes.prop_map(Edit::Insert),
        Just(Edit::Remove)
    ]
}

/// At least `count` facts.
fn facts(count: usize) -> impl Strategy<Value = Vec<Value>> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        Just(json!("\",\"digest\":\"")),
    ];
    let fact = leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".{0,6}", inner, 0..4)
                .prop_map(|it| Value::Object(it.into_iter().collect())),
        ]
    });
    prop::collection::vec(fact, count..8)
}

/// The lines of a chain with these facts, and its head after each.
fn ledger(facts: &[Value]) -> (Lines, Vec<Head>) {
    let mut chain = Chain::new(ChainId::new("main").unwrap());
    let mut heads = Vec::new();
    let mut lines = Vec::new();
    for fact in facts {
        let mut line = String::new();
        chain.seal(now(), fact, &FactJson::encode(fact).unwrap(), &mut line);
        lines.push(line.strip_suffix('\n').unwrap().as_bytes().to_vec());
        heads.push(chain.head().clone());
    }
    (lines, heads)
}

fn audit(lines: &Lines, anchor: Option<&Checkpoint>) -> Report {
    let mut audit = Audit::new(&[]);
    if let Some(anchor) = anchor {
        audit.anchor("anchor.json", anchor.to_json().as_bytes()).unwrap();
    }
    finish(audit, &file_of(lines))
}

fn audit_file(bytes: &[u8]) -> Report {
    finish(Audit::new(&[]), bytes)
}

fn finish(mut audit: Audit, bytes: &[u8]) -> Report {
    let mut walk = audit.walk(ChainId::new("main").unwrap());
    let mut rest = bytes;
    while let Some(end) = rest.iter().position(|it| *it == b'\n') {
        let _ = walk.line(&rest[..end]);
        rest = &rest[end + 1..];
    }
    walk.torn_tail(rest.len());
    audit.walked(walk);
    audit.report()
}

fn file_of(lines: &Lines) -> Vec<u8> {
    lines.iter().flat_map(|it| it.iter().copied().chain([b'\n'])).collect()
}

fn first(report: &Report) -> Option<(Tampering, u64)> {
    report.faults().next().map(|it| (it.tampering, it.sequence.unwrap()))
}

fn now() -> Timestamp {
    "2026-05-09T07:29:33.5Z".parse().unwrap()
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}
