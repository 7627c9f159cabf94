//! Any bytes are an event or an error, for patterns that use everything there is.

#![no_main]

use std::sync::LazyLock;

use event_pattern::{Pattern, PatternSet, Scratch, records};
use libfuzzer_sys::fuzz_target;

static PATTERNS: LazyLock<Vec<Pattern>> = LazyLock::new(|| {
    let texts = [
        r#"{"source": ["aws.s3"], "detail": {"eventName": [{"prefix": "Put"}, "x"]}}"#,
        r#"{"a": {"b": [1, {"exists": false}], "c": [{"numeric": [">", 0, "<=", 5]}]}}"#,
        r#"{"$or": [{"a": ["x"]}, {"b": [{"anything-but": {"wildcard": "*\\**"}}]}], "c": [null]}"#,
        r#"{"detail": {"ip": [{"cidr": "10.0.0.0/8"}, "::1"], "t": [{"suffix": "é"}]}}"#,
    ];
    texts.iter().filter_map(|it| Pattern::parse(it).ok()).collect()
});

static SET: LazyLock<PatternSet> =
    LazyLock::new(|| PatternSet::build((0..).zip(PATTERNS.iter().cloned())));

fuzz_target!(|event: &[u8]| {
    let _ = SET.matches(event, &mut Scratch::default());
    for pattern in PATTERNS.iter() {
        let verdict = pattern.matches(event);
        assert_eq!(verdict, pattern.explain(event).map(|it| it.matched()));
    }
    let _ = records(event).count();
});
