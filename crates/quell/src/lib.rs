//! The doors of Quell: command line, configuration, sources, store, and the pipeline that joins the
//! pure core with the live cloud.

pub mod exit;
pub mod output;
pub mod clock;
pub mod secret;
pub mod config;
pub mod organization;
pub mod journal;
pub mod telemetry;
pub mod store;
pub mod embedded;
pub mod pipeline;
pub mod sources;
pub mod simulation;
pub mod runtime;
pub mod scan;
pub mod gate;
pub mod heartbeat;
pub mod replay;
pub mod demo;
pub mod lambda;
pub mod deploy;
pub mod docs;
pub mod cli;
