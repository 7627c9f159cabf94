//! One delivered document, worked on within the time that is left.

use super::{FunctionError, done};
use crate::journal::JournalError;
use crate::pipeline::Ack;
use crate::runtime::Runtime;
use quell_core::record::Fact;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::time::Duration;

/// What is kept of an invocation's time to answer, in milliseconds: without an answer, what the
/// others of a batch have done would come again with the one that took too long. Half of it is for
/// what a batch asks of its queue.
pub const ANSWER_TIME_MS: u64 = 1_000;

/// The source's name of events that came without a queue.
const DIRECT: &str = "lambda";

/// Brings a document to its end, or says why that must be tried again or never can be.
pub async fn deliver(runtime: &Runtime, body: &[u8]) -> Result<Ack, JournalError> {
    let limit = runtime.config.limits.delivery_max_bytes;
    if limit < body.len() {
        let reason = format!("{} bytes; delivery_max_bytes is {limit}", body.len());
        return Ok(Ack::DeadLetter(reason));
    }
    let pipeline = &runtime.pipeline;
    let Some(left_ms) = pipeline.deadline.left_ms(pipeline.clock.now()) else {
        return pipeline.handle(body).await;
    };
    let left_ms = u64::try_from(left_ms).unwrap_or(0).saturating_sub(ANSWER_TIME_MS);
    // Cut off as by a crash: what was begun is concluded when it comes again.
    match tokio::time::timeout(Duration::from_millis(left_ms), pipeline.handle(body)).await {
        Ok(ack) => ack,
        Err(_) => Ok(Ack::Retry("the function's time is over".to_owned())),
    }
}

/// Handles an event that came without a queue. An error makes Lambda deliver it again, and in the
/// end put it to the function's failure destination.
pub async fn event(runtime: &Runtime, event: &Value) -> Result<Value, FunctionError> {
    let body = event.to_string();
    match deliver(runtime, body.as_bytes()).await? {
        Ack::Done => Ok(done()),
        Ack::Retry(reason) => Err(FunctionError::NotHandled(reason)),
        Ack::DeadLetter(reason) => {
            record_dead_letter(runtime, DIRECT, body.as_bytes(), &reason).await?;
            Err(FunctionError::NotHandled(reason))
        }
    }
}

/// Records why a document is given up. Its bytes are kept by whoever delivered it.
pub async fn record_dead_letter(
    runtime: &Runtime,
    source: &str,
    body: &[u8],
    reason: &str,
) -> Result<(), JournalError> {
    let digest = hex::encode(Sha256::digest(body));
    tracing::error!(source, reason, digest, "delivery given up");
    let fact = Fact::DeadLettered {
        source: source.to_owned(),
        reason: reason.to_owned(),
        digest,
        bytes: body.len(),
        file: None,
    };
    runtime.pipeline.record(vec![fact]).await
}
