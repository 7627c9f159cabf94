//! The gate: the policies judge what infrastructure code declares, before anything is deployed.
//!
//! [`inputs`] reads files into plans, the library makes states of them, [`judge`] puts each before
//! the policies as a read would be, and [`report`] tells what came of it. What the code cannot tell
//! is reported as unknown, never passed. Nothing here reaches the network.

pub mod inputs;
pub mod judge;
pub mod baseline;
pub mod report;
