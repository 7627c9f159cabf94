//! EC2: what records prove, the laws of the fix, and the whole way on real emulators.
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

const ADMIN: &str = "aws.ec2.admin_port_open";
const HIGH_RISK: &str = "aws.ec2.high_risk_port_open";
