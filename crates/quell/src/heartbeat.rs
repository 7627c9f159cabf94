//! The heartbeat of every watched account and region, and whether the last ones came back.
//!
//! A schedule (or `quell run`) calls [`heartbeat`]: one tag with a new nonce is written on our rule
//! in each place, by the write role under a session that can do nothing else. The audit event of
//! that call is concluded where it arrives, in the pipeline. What does not arrive within
//! `heartbeat_late_s` is recorded as late at the next beat; where no beat is made at all, the
//! missing metric must alarm.
//!
//! What it proves: audit log, rule, bus, queue and this process work together for that place. What
//! it cannot prove: that other rules forward what they should (that is what scans are for).

use crate::config::HeartbeatConfig;
use crate::journal::JournalError;
use crate::pipeline::Pipeline;
use quell_core::heartbeat::{Beat, RULE};
use quell_core::resource::ResourceRef;
use serde::Serialize;
use uuid::Uuid;

/// What a round of heartbeats did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct HeartbeatReport {
    /// How many were written.
    pub written: usize,
    /// How many earlier ones were found late.
    pub late: usize,
    /// What could not be written, with why.
    pub failed: Vec<String>,
}

/// Writes one heartbeat in each watched account and region.
///
/// # Errors
///
/// Only the ledger's; a heartbeat that could not be written is recorded, and in the report.
pub async fn heartbeat(
    pipeline: &Pipeline,
    settings: &HeartbeatConfig,
) -> Result<HeartbeatReport, JournalError> {
    let mut report = HeartbeatReport::default();
    for place in pipeline.world.places() {
        let rule = ResourceRef {
            kind: RULE.to_owned(),
            id: settings.rule.clone(),
            account: place.account,
            region: place.region,
        };
        let nonce = Uuid::new_v4().simple().to_string();
        let (step, late) = pipeline.beat(&rule, nonce, settings.heartbeat_late_s).await?;
        report.late += late;
        match step {
            Beat::Failed { error } => report.failed.push(format!("{rule}: {error}")),
            _ => report.written += 1,
        }
    }
    Ok(report)
}
