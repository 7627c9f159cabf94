//! The binary.
pub mod store;
