//! What every store must do, run against each of them: in memory, embedded, and DynamoDB on
//! ministack. Then what only a store of many writers can do, and what happens to it: lost leases,
//! taken chains, throttled tables, edited items.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::string_slice, reason = "tests")]

mod audit;
mod cases;
mod faults;
mod fleet;
mod proxy;
mod support;
mod writers;
