//! S3: what records prove, the laws of the fixes, the whole way on real emulators, and with no more
//! permissions than are declared.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod bench;
mod events;
mod laws;
mod live;
mod privileges;
