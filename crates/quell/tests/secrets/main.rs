//! References to secrets: every scheme, rotation, refusal, failure and recovery, and that no secret
//! is ever told.
//!
//! AWS' stores are ministack, which enforces IAM. Vault's HTTP API is a stand-in of ours
//! (`standin.rs`), written from HashiCorp's API documentation, because no real server that can run
//! here has KV version 2, AppRole, AWS login, namespaces and leases; where it is asked to prove an
//! identity, ministack's STS checks the signature.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::string_slice, reason = "tests")]

#[path = "../e2e/mod.rs"]
mod e2e;

mod support;
mod standin;
mod resolver;
mod aws;
mod vault;
mod leaks;
