//! The report in each of its formats, and what excuses an entry.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod baseline;
mod formats;
mod hostile;
mod ignore;
mod patch;
mod support;
