//! A batch of SQS, answered message by message.
//!
//! A message that is not done is named in the answer, and the queue delivers it again; the rest of
//! the batch is deleted. One that can never be done goes the same way: after `maxReceiveCount`
//! receives, the queue itself moves it to its dead-letter queue. So the bytes are never in our
//! hands alone, and the function needs no right to write to any queue. The reason is logged at
//! every receive and recorded at the last. The redrive policy's `maxReceiveCount` must therefore
//! be `limits.delivery_attempts_max`, as our own infrastructure code makes it.

use super::delivery::{deliver, record_dead_letter};
use super::input::Message;
use crate::journal::JournalError;
use crate::pipeline::Ack;
use crate::runtime::Runtime;
use crate::telemetry::trace::{self, TraceId};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};

/// Handles a batch; the answer names the messages that must come again. An error of the ledger is
/// the whole batch's: what of it was done is recognized when it comes again.
pub async fn batch(runtime: &Runtime, messages: Vec<Message>) -> Result<Value, JournalError> {
    let limits = &runtime.config.limits;
    let failed: Vec<Option<String>> = stream::iter(messages)
        .map(|it| message(runtime, it))
        .buffer_unordered(limits.deliveries_at_once_max)
        .try_collect()
        .await?;
    let failures: Vec<Value> =
        failed.into_iter().flatten().map(|it| json!({ "itemIdentifier": it })).collect();
    Ok(json!({ "batchItemFailures": failures }))
}

/// Handles one message; its id comes back where it is not done.
async fn message(runtime: &Runtime, message: Message) -> Result<Option<String>, JournalError> {
    let body = message.body.as_bytes();
    let trace_id = message.attributes.trace_header.as_deref().and_then(TraceId::from_xray);
    let reason = match trace::carried(trace_id, deliver(runtime, body)).await? {
        Ack::Done => return Ok(None),
        Ack::Retry(reason) | Ack::DeadLetter(reason) => reason,
    };
    let (source, receives) = (message.source(), message.receives());
    let message_id = message.message_id.as_str();
    tracing::warn!(source, message_id, receives, reason, "message not done");
    if runtime.config.limits.delivery_attempts_max <= receives {
        let reason = format!("received {receives} times: {reason}");
        match record_dead_letter(runtime, &source, body, &reason).await {
            Err(error @ JournalError::Broken(_)) => return Err(error),
            Err(error) => tracing::error!(message_id, %error, "dead letter not recorded"),
            Ok(()) => {}
        }
    }
    Ok(Some(message.message_id))
}
