//! Starts the real services that Quell's tests talk to.
//!
//! Tests here use no mocks of our own code: what speaks to AWS is tested against an emulator that
//! answers on loopback. This crate starts one on a free port, waits until it answers (bounded),
//! keeps its log, and stops it. A service cannot outlive its test process, even one that was
//! killed with SIGKILL: see `watchdog.py`.
//!
//! | service | good for | not for |
//! |---|---|---|
//! | [`Ministack`] | IAM enforcement (`auth: true`), EventBridge, SQS, Lambda | S3 account block |
//! | [`Moto`] | what ministack lacks: the S3 account block, managed policies | proof about IAM |
//! | [`LocalEmu`] | real API calls that become CloudTrail events, after 60 s | speed |
//! | [`RuntimeApi`] | our stand-in: any deadline, bytes that are no JSON | Lambda itself |
//!
//! The services are Python packages in a virtual environment that `cargo xtask test` makes in the
//! user's cache folder; [`Venv`] says which and where. Where it is missing, starting a service is
//! an error that says what to run. It is never a reason for a test to pass.
//!
//! Deliberately absent: AWS clients (tests use the SDK) and anything that a product crate needs.

mod binary;
mod checkout;
mod e2e;
mod error;
mod http;
mod localemu;
mod ministack;
mod moto;
mod python;
mod runtime_api;
mod service;
mod terraform;

pub use binary::{Background, Quell, Ran};
pub use checkout::{corpus, corpus_path, package, repository};
pub use e2e::{E2E_VARIABLE, e2e_opted_in};
pub use error::TestkitError;
pub use http::{HttpAnswer, http_request};
pub use localemu::LocalEmu;
pub use ministack::Ministack;
pub use moto::Moto;
pub use python::{Venv, cache_folder};
pub use runtime_api::{Answered, RuntimeApi};
pub use terraform::Terraform;

/// Access key id of the administrator that every emulator knows from the start.
pub const ADMIN_ACCESS_KEY_ID: &str = "test";
/// Secret access key that belongs to [`ADMIN_ACCESS_KEY_ID`].
pub const ADMIN_SECRET_ACCESS_KEY: &str = "test";
/// The region in which the services are started.
pub const REGION: &str = "us-east-1";
