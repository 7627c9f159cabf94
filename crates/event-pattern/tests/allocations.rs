//! Once warm, a set matches without allocating.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use event_pattern::{Envelope, Pattern, PatternSet, Scratch};

/// Counts the allocations of each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn a_warm_scratch_is_enough() {
    let patterns = [
        r#"{"source": ["aws.s3"], "detail": {"eventName": [{"prefix": "Put"}, "x"]}}"#,
        r#"{"detail": {"a": {"b": ["x"], "c": [{"exists": false}, {"numeric": [">", 0]}]}}}"#,
        r#"{"$or": [{"id": [{"wildcard": "*-1"}]}, {"account": ["1"]}], "detail": {"t": ["é\n"]}}"#,
        r#"{"detail": {"ip": [{"cidr": "10.0.0.0/8"}], "n": [1.5, {"anything-but": "y"}]}}"#,
    ];
    let patterns = patterns.iter().map(|it| Pattern::parse(it).expect(it));
    let set = PatternSet::build((0..).zip(patterns));
    let event = r#"{"id": "9-1", "source": "aws.s3", "detail": {"eventName": "PutBucketAcl",
        "a": [{"b": "y", "c": 1}, {"b": "x", "c": 20e-1}, {"d": [[{"b": "x"}]]}],
        "t": "\u00e9\n", "ip": ["10.1.2.3", "::1"], "n": [null, 0.10000000000000000001]}}"#;
    let detail = r#"{"a": {"b": "x"}, "eventName": "Put", "t": "\u00E9\u000a"}"#;
    let envelope = Envelope { source: Some("aws.s3"), account: Some("1"), ..Envelope::default() };
    let mut scratch = Scratch::default();
    let mut before = 0;
    for round in 0..10 {
        assert_eq!(set.matches(event.as_bytes(), &mut scratch).unwrap(), [0, 1, 2, 3]);
        let found = set.matches_detail(&envelope, detail.as_bytes(), &mut scratch).unwrap();
        assert_eq!(found, [0, 1, 2]);
        let now = ALLOCATIONS.get();
        assert!(round < 2 || now == before, "{} allocations in round {round}", now - before);
        before = now;
    }
    assert!(0 < before, "allocations are counted");
}
