//! SQS: EventBridge rules deliver to a queue, we poll it.
//!
//! Long polling; no more is received than can be worked on, so that the rest is left in the queue
//! for others. The visibility of a message is extended from its receipt on, and it is deleted only
//! when everything that it demanded is durable. What can never be processed is kept beside the
//! ledger with its reason and deleted, so that a poison message does not come back forever. What
//! fails for the time being stays in the queue and comes again: how often, and where it goes then,
//! is the queue's redrive policy.

use super::work::Work;
use super::{Intake, Settled, Source, SourceError, stopped};
use crate::telemetry::trace::{self, TraceId};
use futures::future::BoxFuture;
use quell_library::aws::queue::{MESSAGES_PER_POLL_MAX, Message, Queue};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, watch};

/// How long a message stays invisible, in seconds; extended at half of it.
pub const VISIBILITY_S: i32 = 60;
/// Wait after a failed poll, in seconds.
pub const POLL_PAUSE_S: u64 = 5;

/// One queue.
#[derive(Debug)]
pub struct Sqs(Queue);

impl Sqs {
    /// A source over one queue.
    pub fn new(queue: Queue) -> Sqs {
        Sqs(queue)
    }
}

impl Source for Sqs {
    fn name(&self) -> String {
        format!("sqs:{}", self.0.url())
    }

    fn run(
        self: Box<Self>,
        intake: Arc<Intake>,
        mut stop: watch::Receiver<bool>,
    ) -> BoxFuture<'static, Result<(), SourceError>> {
        Box::pin(async move {
            let source = Arc::new(*self);
            let mut work = Work::default();
            loop {
                // Behind what was received and waits: a slot is given to whoever asked first.
                let slot = tokio::select! {
                    slot = intake.slot() => slot,
                    () = stopped(&mut stop) => None,
                };
                let Some(slot) = slot else { break };
                drop(slot);
                // Not held through the poll: an empty queue would keep the other sources waiting.
                let free = i32::try_from(intake.free_slots()).unwrap_or(MESSAGES_PER_POLL_MAX);
                let messages = tokio::select! {
                    messages = source.poll(free) => messages,
                    () = stopped(&mut stop) => break,
                };
                for message in messages {
                    let (source, intake) = (Arc::clone(&source), Arc::clone(&intake));
                    let slot = intake.free_slot();
                    work.spawn(async move { source.work(&intake, slot, message).await });
                }
            }
            work.finish(&source.name()).await
        })
    }
}

impl Sqs {
    async fn poll(&self, messages_max: i32) -> Vec<Message> {
        match self.0.receive(messages_max, VISIBILITY_S).await {
            Ok(messages) => messages,
            Err(error) => {
                tracing::error!(%error, queue = self.0.url(), "poll failed");
                tokio::time::sleep(Duration::from_secs(POLL_PAUSE_S)).await;
                Vec::new()
            }
        }
    }

    /// Works on a message, with its slot or, where another source took that meanwhile, when one
    /// is free again.
    async fn work(&self, intake: &Intake, slot: Option<OwnedSemaphorePermit>, message: Message) {
        let name = self.name();
        let trace_id = message.trace_header.as_deref().and_then(TraceId::from_xray);
        let settle = async {
            let slot = match slot {
                Some(slot) => Some(slot),
                None => intake.slot().await,
            };
            let Some(_slot) = slot else { return Settled::Keep };
            trace::carried(trace_id, intake.settle(&name, message.body.as_bytes())).await
        };
        let settled = tokio::select! {
            settled = settle => settled,
            () = self.keep_invisible(&message.receipt) => Settled::Keep,
        };
        match settled {
            Settled::Forget => {}
            Settled::Again(reason) => {
                tracing::error!(reason, "message left in the queue");
                return;
            }
            Settled::Keep => return,
        }
        if let Err(error) = self.0.delete(&message.receipt).await {
            // It will come again and be recognized by its event id.
            tracing::warn!(%error, "message not deleted");
        }
    }

    /// Extends the message's visibility until dropped.
    async fn keep_invisible(&self, receipt: &str) {
        loop {
            tokio::time::sleep(Duration::from_secs(VISIBILITY_S.unsigned_abs().into()) / 2).await;
            if let Err(error) = self.0.keep_invisible(receipt, VISIBILITY_S).await {
                tracing::warn!(%error, "visibility not extended");
            }
        }
    }
}
