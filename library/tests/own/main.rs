//! Our own deployment: what records tell of its parts, and rules that are enabled again and tagged
//! on real emulators.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[allow(dead_code, reason = "each test binary uses its part")]
#[path = "../ec2/bench.rs"]
mod bench;
mod events;
mod live;

const TAMPER: &str = "aws.self.tamper";
const PART: &str = "Quell::Deployment::Part";
