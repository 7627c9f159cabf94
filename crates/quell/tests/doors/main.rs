//! What comes in through the doors: files, standard input, HTTP, the configuration. Whatever it
//! is, it ends as a clear error or as a dead letter with its reason, and the rest goes on.
// The futures of the AWS SDK's credential chain lie deep in each other.
#![recursion_limit = "256"]
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "tests"
)]

mod config;
mod files;
mod intake;
mod webhook;

use jiff::Timestamp;
use quell::demo::account::HOME_REGION;
use quell::demo::call::{Call, Caller};
use quell::simulation::dice::Dice;
use serde_json::{Value, json};

/// An event that a policy looks for, in EventBridge's envelope; each number gives another id. The
/// trail that it names is gone.
fn event(number: u64) -> Value {
    let request = json!({ "name": "gone" });
    let caller = Caller::User("mallory");
    let call = Call::new(caller, "cloudtrail", "StopLogging", HOME_REGION, request);
    let delivery = call.delivery(Timestamp::now(), &mut Dice::seeded(number));
    serde_json::from_slice(&delivery).unwrap()
}

/// The event's id, by which the ledger knows it.
fn id(event: &Value) -> String {
    event["detail"]["eventID"].as_str().unwrap().to_owned()
}
