//! The deployment, as a stranger makes it: real Terraform with the real provider, and
//! CloudFormation, each against a fresh ministack that enforces IAM. The function heals what is
//! violated, under the roles that were deployed and nothing else. Both go the same way (`life`);
//! only the storm of a thousand is Terraform's alone, and that no role could do with less is tried
//! on the stacks meanwhile (`statements`). Part of `cargo xtask e2e deploy`.
//!
//! Events are put into the queue with EventBridge's whole envelope, since nobody may put `aws.*`
//! events on a bus; that each deployed rule matches them is proven with TestEventPattern.
//!
//! What ministack does otherwise than AWS, and what is done about it here, each by name:
//!
//! - It makes no metrics of Embedded Metric lines: `watch::adapter` does.
//! - It reads metric alarms and bus policies back incompletely: `terraform::QUIRKS` are no drift.
//! - It asks about another resource than AWS does where tags and targets are listed:
//!   `World::allow_quirks` grants that.
//! - It takes a session for `aws:PrincipalArn`: testkit's stand-in says the role, as AWS does.
//! - It has the bus in the ARN of a rule on the default one, so that no fix's session may enable
//!   such a rule: `e2e::violations::OWN_RULE` is on the hub's bus.
//! - It asks about the tags of a rule as about those of any resource, so the heartbeat, which may
//!   tag one rule only, is refused: `watch::heartbeat_is_tried` sees that told, not that it
//!   returns.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::string_slice, reason = "tests")]

#[path = "../e2e/mod.rs"]
mod e2e;
mod heal;
mod life;
mod rules;
mod stacks;
mod statements;
mod storm;
mod terraform;
mod watch;
mod world;

use std::{env, thread};
use testkit::e2e_opted_in;

/// The zip of `cargo xtask dist`, which `cargo xtask e2e deploy` names.
const ZIP_VARIABLE: &str = "QUELL_DEPLOY_ZIP";

fn main() {
    if !e2e_opted_in("deploy") {
        return;
    }
    let zip = env::var(ZIP_VARIABLE).expect("run it with `cargo xtask e2e deploy`");
    // Both wait most of the time. A scope ends with a panic where either of them did.
    thread::scope(|scope| {
        scope.spawn(|| terraform::deploys_heals_and_leaves_nothing(&zip));
        scope.spawn(|| stacks::deploy_heal_and_leave_nothing(&zip));
    });
    println!("2 passed, 0 failed");
}
