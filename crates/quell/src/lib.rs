//! The doors of Quell: command line, configuration, sources, store, and the pipeline that joins the
//! pure core with the live cloud.

pub mod clock;
pub mod config;
pub mod journal;
pub mod pipeline;
pub mod sources;
pub mod exit;
pub mod output;
pub mod docs;
pub mod cli;
