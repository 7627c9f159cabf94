//! What schedules ask for. Each answers with its report; what went wrong is in the ledger, too.

use super::FunctionError;
use super::input::Tick;
use crate::heartbeat::heartbeat;
use crate::runtime::Runtime;
use crate::scan::{ScanReport, What, scan};
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
            Ok(json!(report))
        }
        // Connect here: the checkpoint of all chain heads.
        Tick::Checkpoint => Err(FunctionError::NotBuilt("checkpoint")),
    }
}

/// A scan that ends, wherever it is, while a change that it has begun can still be made.
async fn look_at_everything(runtime: &Runtime) -> Result<ScanReport, FunctionError> {
    let pipeline = &runtime.pipeline;
    let what = What { until: pipeline.deadline.last_begin(), ..What::default() };
    let report = scan(pipeline, &what, &|_, _| {}).await?;
    let ScanReport { resources, violations, corrected, errors, .. } = &report;
    tracing::info!(resources, violations, corrected, errors, "ScanEnded");
    if let Some(stopped) = &report.stopped {
        let (kind, place) = (&stopped.step.kind, &stopped.step.place);
        tracing::error!(
            kind,
            account = place.account,
            region = place.region,
            "the function's time-out is too short for a scan of everything"
        );
    }
    Ok(report)
}
