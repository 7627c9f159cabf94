//! Three matchers that share nothing but the language must agree: a naive one that is right
//! because it is plain, [`Pattern::matches`], and [`PatternSet::matches`].

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod naive;

use event_pattern::{Envelope, Pattern, PatternSet, Scratch};
use naive::{Condition, Fields, Json};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;

/// Blocks of addresses; some begin in the middle of another.
const BLOCKS: [(&str, u32); 5] =
    [("10.0.0.0", 24), ("10.0.0.2", 24), ("10.0.0.0", 30), ("0.0.0.0", 0), ("::", 8)];

/// Of what a pattern and its events are made. In the small world events match often and fields meet
/// in arrays; the large one has everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum World {
    Small,
    Large,
}

const FEW_KEYS: [&str; 3] = ["a", "b", "detail"];
const KEYS: [&str; 8] = ["a", "b", "c", "detail", "source", "eventName", "a.b", "é\"\n"];
const TEXTS: [&str; 14] = [
    "",
    "a",
    "b",
    "ab",
    "AB",
    "abab",
    "é",
    "É",
    "🚀",
    "a\\b*",
    "\"",
    "10.0.0.1",
    "10.0.0.200",
    "::1",
];
const NUMBERS: [&str; 9] =
    ["0", "-0", "1", "1.0", "10e-1", "-2.5", "7", "12345678901234567890", "1e400"];

/// How a document is written down, as long as it means the same.
#[derive(Debug, Clone)]
struct Hand {
    seeds: Vec<u8>,
}

impl Hand {
    fn write(&self, json: &Json) -> String {
        let mut seeds = self.seeds.iter().copied().cycle();
        let mut out = String::new();
        write(json, &mut || seeds.next().unwrap_or(0), &mut out);
        out
    }
}

fn write(json: &Json, seed: &mut dyn FnMut() -> u8, out: &mut String) {
    space(seed, out);
    match json {
        Json::Null => out.push_str("null"),
        Json::Bool(it) => out.push_str(if *it { "true" } else { "false" }),
        Json::Number(text) => out.push_str(text),
        Json::Text(text) => write_text(text, seed, out),
        Json::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                write(item, seed, out);
            }
            space(seed, out);
            out.push(']');
        }
        Json::Object(members) => {
            out.push('{');
            for (at, (key, value)) in members.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                space(seed, out);
                write_text(key, seed, out);
                space(seed, out);
                out.push(':');
                write(value, seed, out);
            }
            space(seed, out);
            out.push('}');
        }
    }
    space(seed, out);
}

fn space(seed: &mut dyn FnMut() -> u8, out: &mut String) {
    out.push_str(["", "", "", "", " ", "\n", "\t\r ", "          "][usize::from(seed() % 8)]);
}

fn write_text(text: &str, seed: &mut dyn FnMut() -> u8, out: &mut String) {
    out.push('"');
    for it in text.chars() {
        let must = it < ' ' || it == '"' || it == '\\';
        match (it, seed() % 4) {
            ('\n', 1) => out.push_str("\\n"),
            ('"' | '\\', 1 | 2) => out.extend(['\\', it]),
            (_, 0) => it.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                out.push_str(&format!("\\u{unit:04x}"));
            }),
            _ if must => it.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                out.push_str(&format!("\\u{unit:04X}"));
            }),
            _ => out.push(it),
        }
    }
    out.push('"');
}

fn hand() -> impl Strategy<Value = Hand> {
    prop_oneof![
        Just(Hand { seeds: vec![3] }),
        prop::collection::vec(any::<u8>(), 1..64).prop_map(|seeds| Hand { seeds }),
    ]
}

fn text() -> impl Strategy<Value = String> {
    select(&TEXTS[..]).prop_map(str::to_owned)
}

fn scalar(world: World) -> BoxedStrategy<Json> {
    if world == World::Small {
        return select(vec!["x", "y"]).prop_map(|it| Json::Text(it.to_owned())).boxed();
    }
    prop_oneof![
        4 => text().prop_map(Json::Text),
        3 => select(&NUMBERS[..]).prop_map(|it| Json::Number(it.to_owned())),
        1 => any::<bool>().prop_map(Json::Bool),
        1 => Just(Json::Null),
    ]
    .boxed()
}

fn key(world: World) -> impl Strategy<Value = String> {
    let keys = if world == World::Small { &FEW_KEYS[..] } else { &KEYS[..] };
    select(keys).prop_map(str::to_owned)
}

fn event(world: World) -> impl Strategy<Value = Json> {
    let value = scalar(world).prop_recursive(4, 40, 4, move |inner| {
        let object =
            prop::collection::vec((key(world), inner.clone()), 0..4).prop_map(Json::Object).boxed();
        let item = prop_oneof![inner.clone(), object.clone()];
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Json::Array),
            prop::collection::vec(item, 1..4).prop_map(Json::Array),
            object,
        ]
    });
    prop::collection::vec((key(world), value), 0..5).prop_map(Json::Object)
}

fn conditions(world: World) -> BoxedStrategy<Vec<Condition>> {
    if world == World::Large {
        return prop::collection::vec(condition(), 1..4).boxed();
    }
    let text = |it: &str| Condition::Text(it.to_owned());
    select(vec![
        vec![text("x")],
        vec![text("y")],
        vec![text("x"), Condition::Exists(false)],
        vec![Condition::Exists(false)],
        vec![Condition::Exists(true)],
        vec![Condition::AnythingButTexts(vec!["x".to_owned()])],
    ])
    .boxed()
}

fn condition() -> impl Strategy<Value = Condition> {
    let numbers = select(vec!["0", "1", "1.0", "-2.5", "7"]).prop_map(str::to_owned);
    let bounds = select(vec![("=", None), ("<", None), (">=", None), (">", Some("<="))]);
    let prefix = text().prop_filter("not empty", |it| !it.is_empty());
    let wildcard = select(vec!["*", "a*", "*b", "a*b", "ab*ab", "\\\\*", "*\\**", ""]);
    let nested = prop_oneof![
        (select(vec!["prefix", "suffix"]), prop::collection::vec(prefix, 1..3)),
        (Just("equals-ignore-case"), prop::collection::vec(text(), 1..3)),
        (Just("wildcard"), prop::collection::vec(wildcard.clone().prop_map(str::to_owned), 1..3)),
    ];
    prop_oneof![
        4 => text().prop_map(Condition::Text),
        3 => select(&NUMBERS[..]).prop_map(|it| Condition::Number(it.to_owned())),
        1 => any::<bool>().prop_map(Condition::Bool),
        1 => Just(Condition::Null),
        2 => any::<bool>().prop_map(Condition::Exists),
        1 => text().prop_map(Condition::Prefix),
        1 => text().prop_map(Condition::Suffix),
        1 => text().prop_map(Condition::PrefixIgnoreCase),
        1 => text().prop_map(Condition::SuffixIgnoreCase),
        1 => text().prop_map(Condition::IgnoreCase),
        1 => wildcard.prop_map(|it| Condition::Wildcard(it.to_owned())),
        1 => bounds.prop_map(|(low, high)| Condition::Numeric(low, high)),
        1 => select(BLOCKS.to_vec())
            .prop_map(|(address, bits)| Condition::Cidr(address, bits)),
        1 => prop::collection::vec(text(), 1..3).prop_map(Condition::AnythingButTexts),
        1 => prop::collection::vec(numbers, 1..3).prop_map(Condition::AnythingButNumbers),
        1 => nested.prop_map(|(operator, texts)| Condition::AnythingButNested(operator, texts)),
    ]
}

fn fields(world: World) -> impl Strategy<Value = Fields> {
    let conditions = conditions(world).prop_map(Fields::Conditions);
    let value = conditions.prop_recursive(3, 16, 3, move |inner| {
        prop::collection::vec((key(world), inner), 1..4).prop_map(Fields::Object)
    });
    let member = (key(world), value);
    let members = prop::collection::vec(member, 1..4).prop_map(Fields::Object);
    members.prop_recursive(2, 24, 3, move |inner| {
        let or = prop::collection::vec(inner.clone(), 2..4).prop_map(Fields::Or);
        (prop::collection::vec((key(world), inner), 0..2), or, 0..3_usize).prop_map(
            |(mut members, or, at)| {
                members.insert(at.min(members.len()), ("$or".to_owned(), or));
                Fields::Object(members)
            },
        )
    })
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|it| it.parse().ok()).unwrap_or(400)
}

/// Patterns and events of one world, each in some handwriting.
type Documents = (Vec<(Fields, Hand)>, Vec<(Json, Hand)>);

fn documents(world: World) -> impl Strategy<Value = Documents> {
    let patterns = prop::collection::vec((fields(world), hand()), 1..6);
    let events = prop::collection::vec((event(world), hand()), 1..8);
    (patterns, events)
}

/// How many times did a pattern match?
fn check_agreement((patterns, events): &Documents) -> Result<usize, TestCaseError> {
    let parsed: Vec<_> = patterns
        .iter()
        .map(|(fields, hand)| Pattern::parse(&hand.write(&fields.to_json())).unwrap())
        .collect();
    let set = PatternSet::build((0..).zip(parsed.iter().cloned()));
    let mut scratch = Scratch::default();
    let mut matches = 0;
    for (event, hand) in events {
        let text = hand.write(event);
        let ids = |it: &mut dyn Iterator<Item = bool>| -> Vec<u32> {
            (0..).zip(it).filter(|(_, it)| *it).map(|(id, _)| id).collect()
        };
        let expected = ids(&mut patterns.iter().map(|(it, _)| naive::matches(it, event)));
        let alone = ids(&mut parsed.iter().map(|it| it.matches(text.as_bytes()).unwrap()));
        prop_assert_eq!(&alone, &expected, "alone: {}\n{:#?}", text, parsed);
        let together = set.matches(text.as_bytes(), &mut scratch).unwrap();
        prop_assert_eq!(together, &expected, "together: {}\n{:#?}", text, parsed);
        for (id, pattern) in (0..).zip(&parsed) {
            let explanation = pattern.explain(text.as_bytes()).unwrap();
            prop_assert_eq!(explanation.matched(), expected.contains(&id));
            prop_assert!(!explanation.matched() || explanation.misses().is_empty());
        }
        matches += expected.len();
    }
    Ok(matches)
}

/// Checks many documents; enough of them must have matched for this to mean something.
fn check_world(world: World, cases_per_match_max: usize) {
    let mut runner = TestRunner::new(ProptestConfig::with_cases(cases()));
    let matches = std::cell::Cell::new(0);
    let result = runner.run(&documents(world), |documents| {
        matches.set(matches.get() + check_agreement(&documents)?);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    println!("{} matches", matches.get());
    let matches_min = cases() as usize / cases_per_match_max;
    assert!(matches_min <= matches.get(), "only {} matches", matches.get());
}

#[test]
fn matchers_agree_on_everything() {
    check_world(World::Large, 20);
}

#[test]
fn matchers_agree_on_arrays() {
    check_world(World::Small, 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn a_detail_in_an_envelope_is_an_event(
        patterns in prop::collection::vec(fields(World::Large), 1..4),
        detail in prop::collection::vec((key(World::Large), scalar(World::Large)), 0..4),
        (source, account) in (prop::option::of(text()), prop::option::of(text())),
        hand in hand(),
    ) {
        let set = PatternSet::build((0..).zip(
            patterns.iter().map(|it| Pattern::parse(&hand.write(&it.to_json())).unwrap())
        ));
        let envelope = Envelope {
            source: source.as_deref(),
            account: account.as_deref(),
            resources: &["a", "b"],
            ..Envelope::default()
        };
        let resources = ["a", "b"].map(|it| Json::Text(it.to_owned())).to_vec();
        let mut members = vec![("resources".to_owned(), Json::Array(resources))];
        members.extend(source.clone().map(|it| ("source".to_owned(), Json::Text(it))));
        members.extend(account.clone().map(|it| ("account".to_owned(), Json::Text(it))));
        let detail = Json::Object(detail);
        members.push(("detail".to_owned(), detail.clone()));
        let whole = hand.write(&Json::Object(members));
        let mut scratch = Scratch::default();
        let expected = set.matches(whole.as_bytes(), &mut scratch).unwrap().to_vec();
        let detail = hand.write(&detail);
        let found = set.matches_detail(&envelope, detail.as_bytes(), &mut scratch).unwrap();
        prop_assert_eq!(found, expected);
    }
}
