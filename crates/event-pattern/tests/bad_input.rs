//! Input that is broken, hostile or random is an error or a verdict, never a crash.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use event_pattern::{EventError, Limits, Options, Pattern, PatternSet, Scratch, records};
use std::time::{Duration, Instant};

const PATTERNS: [&str; 6] = [
    r#"{"source": ["aws.s3"], "detail": {"eventName": ["PutBucketAcl", {"prefix": "Put"}]}}"#,
    r#"{"detail": {"a": {"b": [1, {"exists": false}], "c": [{"numeric": [">", 0, "<=", 5]}]}}}"#,
    r#"{"$or": [{"a": ["x"]}, {"b": [{"anything-but": {"wildcard": "*\\**"}}]}], "c": [null]}"#,
    r#"{"detail": {"ip": [{"cidr": "10.0.0.0/8"}, "::1"],
        "t": [{"suffix": {"equals-ignore-case": "É"}}]}}"#,
    r#"{"a": {"b": ["x"]}, "a.c": ["y"], "detail": {"a": {"b": [true, false]}}}"#,
    r#"{"a": [{"exists": true}], "b": [{"anything-but": [1, 2.5e3]}], "c": ["\ud83d\ude80", ""]}"#,
];

const EVENTS: [&str; 5] = [
    r#"{"source": "aws.s3", "detail": {"eventName": "PutBucketAcl", "a": [{"b": 1}, {"c": 5e0}]}}"#,
    r#"{"a": [{"b": "x"}, [[{"b": "x", "c": "y"}]], "x"], "a": {"c": "y"},
        "a.c": null, "b": "\u002a"}"#,
    r#"{"detail": {"ip": ["10.1.2.3", "0:0::1"], "t": "p\u00E9 \"\\",
        "a": {"b": [true, -0.5]}}}"#,
    r#"{"detail": [{"a": {"b": false}}, {"eventName": ["x"]}], "c": null,
        "b": 12345678901234567890}"#,
    "{ \"a\" :\t\"🚀\" ,\r\n\"b\" : { } , \"c\" : [ ] }",
];

fn set() -> (Vec<Pattern>, PatternSet) {
    let patterns: Vec<_> = PATTERNS.iter().map(|it| Pattern::parse(it).unwrap()).collect();
    let set = PatternSet::build((0..).zip(patterns.iter().cloned()));
    (patterns, set)
}

/// Whatever the bytes: all calls return, and they agree where the text is an event.
fn check(event: &[u8], patterns: &[Pattern], set: &PatternSet, scratch: &mut Scratch) -> bool {
    let together = set.matches(event, scratch).map(<[u32]>::to_vec);
    let alone: Result<Vec<bool>, _> = patterns.iter().map(|it| it.matches(event)).collect();
    let explained: Result<Vec<bool>, _> =
        patterns.iter().map(|it| it.explain(event).map(|it| it.matched())).collect();
    assert_eq!(alone, explained, "{event:?}");
    let _ = records(event).filter_map(Result::ok).map(<[u8]>::len).sum::<usize>();
    // The set may overlook what is wrong in parts that no pattern asks about.
    let Ok(alone) = alone else { return false };
    let ids: Vec<u32> = (0..).zip(alone).filter(|(_, it)| *it).map(|(id, _)| id).collect();
    assert_eq!(together, Ok(ids), "{}", String::from_utf8_lossy(event));
    true
}

/// Splitmix64: the same bytes in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut it = self.0;
        it = (it ^ (it >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        it = (it ^ (it >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((it ^ (it >> 31)) % sides as u64) as usize
    }
}

/// Deletes, repeats, replaces or inserts something at random places.
fn mutate(text: &str, dice: &mut Dice) -> Vec<u8> {
    let pieces: &[&[u8]] = &[
        b"\"", b"\\", b"{", b"}", b"[", b"]", b",", b":", b" ", b"\\u", b"\\ud83d", b"\xff",
        b"\xc3", b"\0", b"0", b"-", b"e", b".", b"true", b"null", b"\"a\":", b"{\"b\":", b"[[",
        b"\"x\"",
    ];
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=dice.roll(4) {
        let at = dice.roll(bytes.len() + 1);
        let end = bytes.len().min(at + dice.roll(5));
        let piece = match dice.roll(4) {
            0 => Vec::new(),
            1 => {
                let from = dice.roll(bytes.len() + 1);
                bytes[from..bytes.len().min(from + dice.roll(20))].to_vec()
            }
            _ => pieces[dice.roll(pieces.len())].to_vec(),
        };
        bytes.splice(at..end, piece);
    }
    bytes
}

#[test]
fn mutated_events() {
    let (patterns, set) = set();
    let mut scratch = Scratch::default();
    let mut dice = Dice(2);
    let mut valid = 0;
    for round in 0..40_000 {
        let event = mutate(EVENTS[round % EVENTS.len()], &mut dice);
        valid += usize::from(check(&event, &patterns, &set, &mut scratch));
    }
    println!("{valid} of 40000 mutated events were still events");
    assert!(1_000 < valid, "only {valid}");
}

#[test]
fn mutated_patterns() {
    let mut scratch = Scratch::default();
    let mut dice = Dice(3);
    let mut valid = 0;
    for round in 0..40_000 {
        let bytes = mutate(PATTERNS[round % PATTERNS.len()], &mut dice);
        let Ok(text) = std::str::from_utf8(&bytes) else { continue };
        for options in [Options::default(), Options::test_event_pattern()] {
            match Pattern::parse_with(text, &options) {
                Ok(pattern) => {
                    valid += 1;
                    let event = EVENTS[dice.roll(EVENTS.len())].as_bytes();
                    let _ = pattern.matches(event);
                    let _ = PatternSet::build([(7, pattern)]).matches(event, &mut scratch);
                }
                Err(error) => assert!(error.path().starts_with('$'), "{error}"),
            }
        }
    }
    println!("{valid} of 80000 mutated patterns were still patterns");
    assert!(1_000 < valid, "only {valid}");
}

#[test]
fn random_bytes() {
    let (patterns, set) = set();
    let mut scratch = Scratch::default();
    let mut dice = Dice(4);
    let alphabet = br#"{}[]":,\ 01-e.tfnabcdl"#;
    for _ in 0..20_000 {
        let bytes: Vec<u8> =
            (0..dice.roll(200)).map(|_| alphabet[dice.roll(alphabet.len())]).collect();
        check(&bytes, &patterns, &set, &mut scratch);
        if let Ok(text) = std::str::from_utf8(&bytes) {
            let _ = Pattern::parse(text);
        }
    }
}

/// 10,000 levels deep: where a pattern looks, where none looks, and in arrays.
#[test]
fn deep_events() {
    let (patterns, set) = set();
    let mut scratch = Scratch::default();
    let nest =
        |open: &str, close: &str, depth| format!("{}1{}", open.repeat(depth), close.repeat(depth));
    for key in ["a", "detail", "nobody asks"] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"b\":", "}]")] {
            let event = |depth| format!("{{\"{key}\":{}}}", nest(open, close, depth)).into_bytes();
            assert!(check(&event(400), &patterns, &set, &mut scratch));
            let deep = event(10_000);
            let error = patterns[0].matches(&deep).unwrap_err();
            assert!(matches!(error, EventError::TooDeep { depth_max: 1_000, .. }), "{error}");
            assert_eq!(set.matches(&deep, &mut scratch).unwrap_err(), error, "{key} {open}");
        }
    }
    let pattern = nest("{\"a\":", "}", 10_000);
    let error = Pattern::parse(&pattern).unwrap_err();
    assert!(error.reason().contains("nested deeper than 100 levels"), "{error}");
}

#[test]
fn the_limit_of_depth_is_the_same_for_both() {
    let mut limits = Limits::default();
    limits.event_depth_max = 5;
    let mut options = Options::default();
    options.limits = limits.clone();
    let pattern = Pattern::parse_with(r#"{"a": {"b": [1]}}"#, &options).unwrap();
    let set = PatternSet::build_with([(0, pattern.clone())], &limits);
    let mut scratch = Scratch::default();
    for event in [
        r#"{"a":[[[[1]]]]}"#,
        r#"{"a":[[[[[1]]]]]}"#,
        r#"{"x":[[[[1]]]]}"#,
        r#"{"x":[[[[[1]]]]]}"#,
        r#"{"x":[[],[[]],[[[]]],[[[[]]]]]}"#,
        r#"{"x":[[],[[]],[[[[]]]],[[[[[]]]]]]}"#,
        r#"{"a":{"c":[[[1]]]}}"#,
        r#"{"a":{"c":[[[[1]]]]}}"#,
        r#"{"a":{"b":[[[[1]]]]}}"#,
    ] {
        let alone = pattern.matches(event.as_bytes());
        let together = set.matches(event.as_bytes(), &mut scratch).map(|it| !it.is_empty());
        assert_eq!(together, alone, "{event}");
    }
}

#[test]
fn large_events() {
    let (patterns, set) = set();
    let mut scratch = Scratch::default();
    let event = format!(r#"{{"source":"aws.s3","x":"{}"}}"#, "y".repeat(64 << 20));
    let too_large = EventError::TooLarge { bytes: event.len(), bytes_max: 16 << 20 };
    assert_eq!(patterns[0].matches(event.as_bytes()).unwrap_err(), too_large);
    assert_eq!(set.matches(event.as_bytes(), &mut scratch).unwrap_err(), too_large);
}

#[test]
fn not_utf8() {
    let (patterns, set) = set();
    let mut scratch = Scratch::default();
    let event = b"{\"source\": \"aws.s3\", \"x\": \"\xff\"}";
    let error = EventError::NotUtf8 { offset: 27 };
    assert_eq!(patterns[0].matches(event).unwrap_err(), error);
    assert_eq!(set.matches(event, &mut scratch).unwrap_err(), error);
}

/// Every way to choose among twins is tried, but not without end.
#[test]
fn repeated_keys_of_arrays_cannot_take_forever() {
    let fields = ["b", "c", "d", "e", "f", "g"];
    let wanted = |it: &str| format!(r#""{it}": ["x"]"#);
    let pattern = format!(r#"{{"a": {{{}}}}}"#, fields.map(wanted).join(","));
    let pattern = Pattern::parse(&pattern).unwrap();
    let set = PatternSet::build([(1, pattern.clone())]);
    let mut scratch = Scratch::default();

    let array = |it: &str| format!(r#""a":[{}{{}}]"#, format!(r#"{{"{it}":"x"}},"#).repeat(50));
    let event = format!("{{{}}}", fields.map(array).join(","));
    assert_eq!(pattern.matches(event.as_bytes()), Ok(true));
    assert_eq!(set.matches(event.as_bytes(), &mut scratch), Ok(&[1][..]));

    // Every `g` is in the array of the `b`s, so that the two never agree; that is found out only
    // after each of 50^5 choices.
    let hopeless =
        event.replacen("{}", r#"{"g":"x"}"#, 1).replace(r#"[{"g":"x"}"#, r#"[{"h":"x"}"#);
    let hopeless = hopeless.replace(r#"{"g":"x"},"#, "");
    assert_eq!(hopeless.matches(r#""g":"x""#).count(), 1);
    let error = EventError::TooManyChoices { choices_max: 1_000_000 };
    assert_eq!(pattern.matches(hopeless.as_bytes()), Err(error.clone()));
    assert_eq!(set.matches(hopeless.as_bytes(), &mut scratch), Err(error));
}

#[test]
fn an_event_must_be_an_object() {
    let (patterns, set) = set();
    let mut scratch = Scratch::default();
    for event in ["1", "\"x\"", "[{}]", "null", " true "] {
        assert_eq!(patterns[0].matches(event.as_bytes()), Err(EventError::NotAnObject), "{event}");
        let error = set.matches(event.as_bytes(), &mut scratch).unwrap_err();
        assert_eq!(error, EventError::NotAnObject, "{event}");
    }
    for event in
        ["", " ", "{", "{\"a\"", "{\"a\":}", "{\"a\":1,}", "{\"a\":1}}", "{\"a\":1} 2", "\"", "tru"]
    {
        let error = patterns[0].matches(event.as_bytes()).unwrap_err();
        assert!(matches!(error, EventError::NotJson { .. }), "{event}: {error}");
        let error = set.matches(event.as_bytes(), &mut scratch).unwrap_err();
        assert!(matches!(error, EventError::NotJson { .. }), "{event}: {error}");
    }
}

#[test]
fn mandatory_fields_are_asked_for_by_option() {
    let pattern = Pattern::parse_with("{\"id\": [\"1\"]}", &Options::test_event_pattern()).unwrap();
    let error = pattern.matches(br#"{"id": "1", "account": "", "source": "s"}"#).unwrap_err();
    assert_eq!(error, EventError::MissingField { field: "time" });
}

/// Each alternative is judged once, however often the value that suggests it comes.
#[test]
fn a_value_that_comes_often_cannot_take_forever() {
    let pattern = r#"{"detail": {"source": ["trail"], "name": ["Stop"]}}"#;
    let set = PatternSet::build([(1, Pattern::parse(pattern).unwrap())]);
    let many = r#",{"name":"Stop"},{"source":"trail"}"#.repeat(10_000);
    let event = format!(r#"{{"detail":[{{}}{many}]}}"#);
    let start = Instant::now();
    assert_eq!(set.matches(event.as_bytes(), &mut Scratch::default()), Ok(&[][..]));
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn paths_cannot_take_all_memory() {
    let complaint = |pattern: &str| Pattern::parse(pattern).unwrap_err().to_string();
    let steps = |count: usize| format!(r#"{{"{}": ["x"]}}"#, vec!["a"; count].join("."));
    Pattern::parse(&steps(100)).unwrap();
    assert!(complaint(&steps(101)).contains("101 steps"));
    // One long key above many leaves.
    let leaves = |count: usize| {
        let leaves: Vec<String> = (0..count).map(|it| format!(r#""{it}":[1]"#)).collect();
        leaves.join(",")
    };
    let key = "k".repeat(100_000);
    assert!(complaint(&format!(r#"{{"{key}":{{{}}}}}"#, leaves(10_000))).contains("bytes"));
    // Many leaves before many alternatives, and a long one in each.
    let branches = |count: usize, branch: &str| vec![format!("{{{branch}}}"); count].join(",");
    let after = |fields: &str| format!(r#"{{{fields},"$or":[{}]}}"#, branches(999, r#""b":[1]"#));
    assert!(complaint(&after(&leaves(10_000))).contains("bytes"));
    assert!(complaint(&after(&format!(r#""{key}":[1]"#))).contains("bytes"));
    Pattern::parse(&after(&leaves(100))).unwrap();
    let both = format!(r#"{{"$or":[{}],"{key}":[1]}}"#, branches(999, r#""b":[1]"#));
    assert!(complaint(&both).contains("bytes"));
}
