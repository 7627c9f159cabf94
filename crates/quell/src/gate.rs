//! The gate: the policies judge what infrastructure code declares, before anything is deployed.
//!
//! [`inputs`] reads files into plans, the library makes states of them, [`judge`] puts each before
//! the policies as a read would be, and [`rego`] the raw documents before users' own packages.
//! Both tell it in a [`Report`](quell_core::report::Report); [`ignores`] then excuses what the
//! sources say, and [`fixes`] adds how to change them. What the code cannot tell is reported as
//! unknown, never passed.
//!
//! Deliberately absent: the network. Nothing is written into the sources: a patch is only told.

mod folder;
pub mod inputs;
mod blocks;
mod notes;
pub mod judge;
pub mod rego;
pub mod ignores;
pub mod fixes;
