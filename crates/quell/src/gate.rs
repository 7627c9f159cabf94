//! The gate: the policies judge what infrastructure code declares, before anything is deployed.
//!
//! [`inputs`] reads files into plans, the library makes states of them, [`judge`] puts each before
//! the policies as a read would be, and [`rego`] the raw documents before users' own packages.
//! Both tell it in a [`Report`](quell_core::report::Report); [`ignores`] then excuses what the
//! sources say. What the code cannot tell is reported as unknown, never passed.
//!
//! Deliberately absent: the network, and fixes of the source.

mod folder;
pub mod inputs;
mod blocks;
mod notes;
pub mod judge;
pub mod rego;
pub mod ignores;
