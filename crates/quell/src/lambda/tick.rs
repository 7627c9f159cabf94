//! What schedules ask for. Each answers with its report; what went wrong is in the ledger, too.

use super::input::Tick;
use super::{FunctionError, write_metrics};
use crate::heartbeat::heartbeat;
use crate::pipeline::{RetryReport, after_grace_since};
use crate::runtime::Runtime;
use crate::scan::report::ScanReport;
use crate::scan::{What, scan};
use crate::store::dynamodb::checkpoint;
use quell_core::event::CloudScope;
use serde_json::{Value, json};

/// Does it.
pub async fn run(tick: Tick, runtime: &Runtime) -> Result<Value, FunctionError> {
    match tick {
        Tick::Scan => look_at_everything(runtime).await.map(|it| json!(it)),
        Tick::Heartbeat => {
            let settings = runtime.config.heartbeat.as_ref();
            let settings = settings.ok_or(FunctionError::NotConfigured("heartbeat"))?;
            let report = heartbeat(&runtime.pipeline, settings).await?;
            for problem in &report.failed {
                tracing::error!(problem, "a heartbeat could not be written");
            }
            if 0 < report.not_begun {
                let places = report.not_begun;
                tracing::error!(places, "the function's time-out is too short for all heartbeats");
            }
            look_after_grace(runtime).await?;
            Ok(json!(report))
        }
        Tick::Checkpoint => sign_heads(runtime).await,
    }
}

/// Looks again at what was left to known pipelines and is over, whichever environment left it: the
/// beat is the schedule that comes most often.
async fn look_after_grace(runtime: &Runtime) -> Result<(), FunctionError> {
    let pipeline = &runtime.pipeline;
    if pipeline.rails.pipelines.is_empty() {
        return Ok(());
    }
    pipeline.journal.load().await?;
    let report = pipeline.retry_after_grace(after_grace_since(pipeline.clock.now())).await?;
    if report != RetryReport::default() {
        tracing::info!(?report, "pipelines had their time");
    }
    Ok(())
}

/// A checkpoint of all chains. Deployed, this is a function of its own: its role alone may sign.
async fn sign_heads(runtime: &Runtime) -> Result<Value, FunctionError> {
    let (Some(live), Some(settings)) = (&runtime.live, &runtime.config.store.dynamodb) else {
        return Err(FunctionError::NotConfigured("store.dynamodb"));
    };
    let now = runtime.pipeline.clock.now();
    let kept = checkpoint::make(live.aws(), settings, &runtime.secrets, now).await?;
    let (chains, url) = (kept.checkpoint.heads.len(), &kept.url);
    tracing::info!(chains, url, "CheckpointSigned");
    Ok(json!({ "chains": chains, "checkpoint": url }))
}

/// A scan that ends, wherever it is, while a change that it has begun can still be made; the next
/// one goes on from there.
async fn look_at_everything(runtime: &Runtime) -> Result<ScanReport, FunctionError> {
    let pipeline = &runtime.pipeline;
    let what = What {
        until: pipeline.deadline.last_begin(),
        resume: true,
        ..What::within(&runtime.config.limits)
    };
    let report = scan(pipeline, &what, &|_, _| write_metrics(runtime)).await?;
    let report = ScanReport { left_out: runtime.left_out.clone(), ..report };
    let ScanReport { resources, violations, corrected, errors, .. } = &report;
    tracing::info!(resources, violations, corrected, errors, "ScanEnded");
    if let Some(stopped) = &report.stopped {
        let (kind, CloudScope { account, region }) = (&stopped.step.kind, &stopped.step.place);
        tracing::warn!(kind, account, region, "a scan ran out of time; the next one goes on");
        // Where none comes any further, what is behind it is never reached: that must alarm.
        if report.resources == 0 {
            let message = format!("the scan ran out of time at {kind} in {account} {region}");
            pipeline.unseen(message, None).await?;
        }
    }
    Ok(report)
}
