//! Any text is a pattern or an error that names a place.

#![no_main]

use event_pattern::{Options, Pattern};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for options in [Options::default(), Options::test_event_pattern()] {
        match Pattern::parse_with(text, &options) {
            Ok(pattern) => assert_eq!(pattern.text(), text),
            Err(error) => assert!(error.path().starts_with('$')),
        }
    }
});
