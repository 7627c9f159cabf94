//! The heartbeat of every watched account and region, and whether the last ones came back.
//!
//! A schedule (or `quell run`) calls [`heartbeat`]: one tag with a new nonce is written on our rule
//! in each place, by the write role under a session that can do nothing else. The audit event of
//! that call is concluded where it arrives, in the pipeline. What does not arrive within
//! `heartbeat_late_s` is recorded as late at the next beat; where no beat is made at all, the
//! missing metric must alarm.
//!
//! Places are beaten side by side: one whose region does not answer keeps no other waiting. What
//! could not be begun in the time of a function is recorded as unseen.
//!
//! What it proves: audit log, rule, bus, queue and this process work together for that place. What
//! it cannot prove: that other rules forward what they should (that is what scans are for).

use crate::config::HeartbeatConfig;
use crate::journal::JournalError;
use crate::pipeline::Pipeline;
use futures::{StreamExt as _, stream};
use quell_core::event::CloudScope;
use quell_core::heartbeat::{Beat, RULE};
use quell_core::resource::ResourceRef;
use serde::Serialize;
use uuid::Uuid;

/// Most places that are beaten at once.
pub const PLACES_AT_ONCE_MAX: usize = 16;

/// What a round of heartbeats did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct HeartbeatReport {
    /// How many were written.
    pub written: usize,
    /// How many earlier ones were found late.
    pub late: usize,
    /// What could not be written, with why.
    pub failed: Vec<String>,
    /// In how many places none was begun, as the time was over.
    pub not_begun: usize,
}

/// Writes one heartbeat in each watched account and region; none is begun once too little time is
/// left of the process' to make a change.
///
/// # Errors
///
/// Only a ledger's that is broken, once all others are done: who tries it again writes all of them
/// again. A heartbeat that could not be written is recorded, and in the report, as is one that the
/// ledger does not take for now.
pub async fn heartbeat(
    pipeline: &Pipeline,
    settings: &HeartbeatConfig,
) -> Result<HeartbeatReport, JournalError> {
    let beats: Vec<Beaten> = stream::iter(pipeline.world.places())
        .map(|place| beat(pipeline, settings, place))
        .buffer_unordered(PLACES_AT_ONCE_MAX)
        .collect()
        .await;
    let mut report = HeartbeatReport::default();
    let mut broken = None;
    for it in beats {
        match it {
            Beaten::NotBegun => report.not_begun += 1,
            Beaten::Done { rule, step: Beat::Failed { error }, late } => {
                report.late += late;
                report.failed.push(format!("{rule}: {error}"));
            }
            Beaten::Done { late, .. } => {
                report.late += late;
                report.written += 1;
            }
            Beaten::NotRecorded { rule, error } => {
                report.failed.push(format!("{rule}: {error}"));
                broken = broken.or(Some(error).filter(|it| matches!(it, JournalError::Broken(_))));
            }
        }
    }
    if let Some(error) = broken {
        return Err(error);
    }
    if 0 < report.not_begun {
        let message = format!("no time was left to beat in {} places", report.not_begun);
        pipeline.unseen(message, None).await?;
    }
    // In whatever order the places answered.
    report.failed.sort();
    Ok(report)
}

/// What became of one place.
enum Beaten {
    NotBegun,
    Done { rule: ResourceRef, step: Beat, late: usize },
    NotRecorded { rule: ResourceRef, error: JournalError },
}

async fn beat(pipeline: &Pipeline, settings: &HeartbeatConfig, place: CloudScope) -> Beaten {
    if pipeline.deadline.too_late(pipeline.clock.now()).is_some() {
        return Beaten::NotBegun;
    }
    let rule = ResourceRef {
        kind: RULE.to_owned(),
        id: settings.rule.clone(),
        account: place.account,
        region: place.region,
    };
    let nonce = Uuid::new_v4().simple().to_string();
    match pipeline.beat(&rule, nonce, settings.heartbeat_late_s).await {
        Ok((step, late)) => Beaten::Done { rule, step, late },
        Err(error) => Beaten::NotRecorded { rule, error },
    }
}
