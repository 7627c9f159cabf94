//! A pattern alone and in a set say the same of every event.

#![no_main]

use event_pattern::{Pattern, PatternSet, Scratch};
use libfuzzer_sys::fuzz_target;

// The first line is the pattern, the rest the event.
fuzz_target!(|text: &str| {
    let Some((pattern, event)) = text.split_once('\n') else { return };
    let Ok(pattern) = Pattern::parse(pattern) else { return };
    let Ok(alone) = pattern.matches(event.as_bytes()) else { return };
    let set = PatternSet::build([(7, pattern)]);
    let together = set.matches(event.as_bytes(), &mut Scratch::default()).map(|it| !it.is_empty());
    assert_eq!(together, Ok(alone));
});
