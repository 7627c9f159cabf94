//! The embedded store: what is acknowledged is there, whatever happens to the process or the file.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

mod append;
mod audit;
mod recovery;
mod crash;
