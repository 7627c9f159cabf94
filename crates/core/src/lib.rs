//! The pure heart of Quell: values in, values out.
//!
//! Everything that decides lives here, and nothing here touches the world: no clock, file,
//! network or async runtime (the crate's `clippy.toml` refuses them). `now` is a parameter, reads
//! arrive as [`State`](resource::State) values, fixes leave as [`Change`](change::Change) values.
//!
//! The modules stand in the order of the data's path. A module uses only those above it; `cargo
//! xtask tidy` checks that.

pub mod event;
pub mod normalize;
pub mod region;
pub mod plan;
pub mod resource;
pub mod change;
pub mod facts;
pub mod action;
pub mod policy;
pub mod detect;
pub mod scope;
pub mod exemption;
pub mod reason;
pub mod report;
pub mod heartbeat;
pub mod record;
pub mod ledger;
pub mod history;
pub mod decide;
