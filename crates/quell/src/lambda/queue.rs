//! A batch of SQS, answered message by message.
//!
//! A message that is not done is named in the answer, and the queue delivers it again; the rest of
//! the batch is deleted. What failed for the time being, such as a resource whose turn another
//! writer has, is asked for again within seconds at first: the queue's own wait is that of a run
//! that died. One that can never be done goes the same way: after `maxReceiveCount`
//! receives, the queue itself moves it to its dead-letter queue. So the bytes are never in our
//! hands alone, and the function needs no right to write to any queue. The reason is logged at
//! every receive and recorded at the last. The redrive policy's `maxReceiveCount` must therefore
//! be `limits.delivery_attempts_max`, as our own infrastructure code makes it.

use super::delivery::{ANSWER_TIME_MS, deliver, record_dead_letter};
use super::input::Message;
use super::write_metrics;
use crate::journal::JournalError;
use crate::pipeline::Ack;
use crate::runtime::Runtime;
use crate::telemetry::trace::{self, TraceId};
use futures::{StreamExt as _, future, stream};
use quell_library::aws::queue::Queue;
use quell_library::cloud::CloudError;
use serde_json::{Value, json};
use std::time::Duration;

/// How long what failed for the time being waits for its next receive, in seconds, after its
/// first, second and third: together longer than a lease lasts that a run left behind. Later it
/// waits as long as the queue says.
pub const RETRY_WAITS_S: [i32; 3] = [15, 60, 240];
/// Longest time to ask for these waits, in milliseconds.
const ASK_TIME_MAX_MS: u64 = 2_000;

/// A batch that was worked on.
#[derive(Debug)]
pub struct Batch {
    /// Lambda's answer: it names the messages that must come again.
    pub answer: Value,
    /// Whether the ledger is not what it should be for one of them: it must be opened anew.
    pub is_broken: bool,
}

/// A message that is not done.
struct NotDone {
    message: Message,
    is_passing: bool,
    is_broken: bool,
}

/// Handles a batch, each message by itself: what is wrong with one, or with the ledger of its
/// resource, takes no other with it.
pub async fn batch(runtime: &Runtime, messages: Vec<Message>) -> Batch {
    let not_done: Vec<NotDone> = stream::iter(messages)
        .map(|it| message(runtime, it))
        .buffer_unordered(runtime.config.limits.deliveries_at_once_max)
        .filter_map(future::ready)
        .collect()
        .await;
    ask_again_soon(runtime, &not_done).await;
    let failures: Vec<Value> =
        not_done.iter().map(|it| json!({ "itemIdentifier": it.message.message_id })).collect();
    Batch {
        answer: json!({ "batchItemFailures": failures }),
        is_broken: not_done.iter().any(|it| it.is_broken),
    }
}

/// Handles one message; it comes back where it is not done.
async fn message(runtime: &Runtime, message: Message) -> Option<NotDone> {
    let body = message.body.as_bytes();
    let trace_id = message.attributes.trace_header.as_deref().and_then(TraceId::from_xray);
    let (mut is_passing, mut is_broken) = (false, false);
    let delivered = trace::carried(trace_id, deliver(runtime, body)).await;
    write_metrics(runtime);
    let reason = match delivered {
        Ok(Ack::Done) => return None,
        Ok(Ack::Retry(reason)) => {
            is_passing = true;
            reason
        }
        Ok(Ack::DeadLetter(reason)) => reason,
        Err(error) => {
            is_broken = is_of_a_broken_ledger(&error);
            error.to_string()
        }
    };
    let (source, receives) = (message.source(), message.receives());
    let message_id = message.message_id.as_str();
    tracing::warn!(source, message_id, receives, reason, "message not done");
    if runtime.config.limits.delivery_attempts_max <= receives {
        let reason = format!("received {receives} times: {reason}");
        if let Err(error) = record_dead_letter(runtime, &source, body, &reason).await {
            is_broken |= is_of_a_broken_ledger(&error);
            tracing::error!(message_id, %error, "dead letter not recorded");
        }
    }
    Some(NotDone { message, is_passing, is_broken })
}

fn is_of_a_broken_ledger(error: &JournalError) -> bool {
    matches!(error, JournalError::Broken(_))
}

/// Shortens the wait of what failed for the time being. Where that can't be done, it waits as long
/// as the queue says.
async fn ask_again_soon(runtime: &Runtime, not_done: &[NotDone]) {
    let passing = not_done.iter().filter(|it| it.is_passing).map(|it| &it.message);
    let waits: Vec<(&Message, i32)> =
        passing.filter_map(|it| Some((it, retry_wait_s(it.receives())?))).collect();
    let (Some(live), Some((first, _))) = (&runtime.live, waits.first()) else { return };
    let asked = async {
        // A batch is of one queue.
        let queue = Queue::of_arn(live.aws(), &first.queue_arn).await?;
        for (message, wait_s) in &waits {
            queue.keep_invisible(&message.receipt_handle, *wait_s).await?;
        }
        Ok::<(), CloudError>(())
    };
    let pipeline = &runtime.pipeline;
    let left_ms = pipeline.deadline.left_ms(pipeline.clock.now());
    let left_ms = left_ms.map_or(ASK_TIME_MAX_MS, |it| u64::try_from(it).unwrap_or(0));
    let time_ms = left_ms.saturating_sub(ANSWER_TIME_MS / 2).min(ASK_TIME_MAX_MS);
    match tokio::time::timeout(Duration::from_millis(time_ms), asked).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "messages wait as long as their queue says"),
        Err(_) => tracing::warn!("no time to shorten the wait of messages"),
    }
}

/// How long a message that was received so often waits, in seconds; `None` for the queue's own.
fn retry_wait_s(receives: u32) -> Option<i32> {
    let at = usize::try_from(receives.checked_sub(1)?).ok()?;
    RETRY_WAITS_S.get(at).copied()
}
