//! The pure heart of Quell.
pub mod facts;
pub mod ledger;
