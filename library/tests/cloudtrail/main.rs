//! CloudTrail: what records prove, the laws of the fixes, and the whole way on a real emulator.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[path = "../ec2/bench.rs"]
mod bench;
mod events;
mod laws;
mod live;

const STOPPED: &str = "aws.cloudtrail.trail_stopped";
const WEAKENED: &str = "aws.cloudtrail.trail_weakened";
