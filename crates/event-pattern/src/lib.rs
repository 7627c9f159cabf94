#![doc = include_str!("../README.md")]
#![cfg_attr(
    test,
    allow(clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")
)]

mod condition;
mod error;
mod event;
mod explain;
mod json;
mod options;
mod pattern;

pub use error::{EventError, PatternError};
pub use explain::{Explanation, Miss};
pub use options::{DuplicateKeys, Limits, Options};
pub use pattern::Pattern;
