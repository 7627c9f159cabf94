#![doc = include_str!("../README.md")]
#![cfg_attr(
    test,
    allow(clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")
)]

mod options;

mod error;

mod pattern;

mod explain;

mod set;

mod envelope;

mod records;

mod condition;

mod event;

mod index;

mod json;

pub use envelope::Envelope;
pub use error::{EventError, PatternError};
pub use explain::{Explanation, Miss};
pub use options::{DuplicateKeys, Limits, Options};
pub use pattern::Pattern;
pub use records::{Records, records};
pub use set::{PatternSet, Scratch};
