//! Where events come from. Every source hands out [`Delivery`]s and is told what became of each;
//! it forgets one only when told that everything it demanded is durable.

pub mod files;
pub mod sqs;
pub mod webhook;
mod work;

use crate::journal::JournalError;
use crate::pipeline::reasons::shortened;
use crate::pipeline::{Ack, Pipeline};
use futures::future::BoxFuture;
use quell_core::record::Fact;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{Semaphore, watch};

/// First wait before a delivery is tried again, in milliseconds; it doubles.
pub const RETRY_WAIT_MS: u64 = 250;
/// Longest reason of a dead letter, in bytes; the rest is cut off. All that a delivery's reasons
/// ([`crate::pipeline::reasons`]) come to is shorter.
pub const DEAD_LETTER_REASON_MAX_BYTES: usize = 16 * 1024;

/// Something that can deliver until it is stopped.
pub trait Source: Send {
    /// Its name, for records and logs.
    fn name(&self) -> String;

    /// Delivers into `intake` until it runs dry or `stop` says so.
    fn run(
        self: Box<Self>,
        intake: Arc<Intake>,
        stop: watch::Receiver<bool>,
    ) -> BoxFuture<'static, Result<(), SourceError>>;
}

/// Why a source ended before its time.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("source {source_name}: {problem}")]
pub struct SourceError {
    /// Which source.
    pub source_name: String,
    /// What is wrong.
    pub problem: String,
}

/// The one door into the pipeline: bounds how much is worked on at once, retries what may pass, and
/// puts aside what never will.
pub struct Intake {
    pipeline: Arc<Pipeline>,
    slots: Arc<Semaphore>,
    dead_letters: PathBuf,
    delivery_attempts_max: u32,
    delivery_max_bytes: usize,
    fatal: watch::Sender<Option<String>>,
    put_aside: AtomicU64,
}

/// What a source does with a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// Forget it: what it demanded, or why it was put aside, is durable.
    Forget,
    /// Deliver it again: something passing failed every time, last in this way. Only a source that
    /// cannot deliver again puts it aside.
    Again(String),
    /// Keep it: the ledger could not be written, and the process is stopping.
    Keep,
}

impl Intake {
    /// A door into `pipeline`; what is put aside goes to the folder `dead_letters`.
    pub fn new(
        pipeline: Arc<Pipeline>,
        dead_letters: &Path,
        limits: &crate::config::LimitsConfig,
        fatal: watch::Sender<Option<String>>,
    ) -> Intake {
        Intake {
            pipeline,
            slots: Arc::new(Semaphore::new(limits.deliveries_at_once_max)),
            dead_letters: dead_letters.to_owned(),
            delivery_attempts_max: limits.delivery_attempts_max,
            delivery_max_bytes: limits.delivery_max_bytes,
            fatal,
            put_aside: AtomicU64::new(0),
        }
    }

    /// The pipeline behind the door.
    pub fn pipeline(&self) -> &Arc<Pipeline> {
        &self.pipeline
    }

    /// How many deliveries were put aside.
    pub fn put_aside_count(&self) -> u64 {
        self.put_aside.load(Ordering::Relaxed)
    }

    /// Largest delivery that is taken, in bytes.
    pub fn delivery_max_bytes(&self) -> usize {
        self.delivery_max_bytes
    }

    /// A slot, where one is free at once.
    pub fn free_slot(&self) -> Option<tokio::sync::OwnedSemaphorePermit> {
        Arc::clone(&self.slots).try_acquire_owned().ok()
    }

    /// How many slots are free now; nobody holds them for whoever asks.
    pub fn free_slots(&self) -> usize {
        self.slots.available_permits()
    }

    /// Waits for a free slot, which bounds what a source may take in.
    pub async fn slot(&self) -> Option<tokio::sync::OwnedSemaphorePermit> {
        Arc::clone(&self.slots).acquire_owned().await.ok()
    }

    /// Works one delivery to its end: done, put aside with its reason, or to be delivered again.
    pub async fn settle(&self, source: &str, body: &[u8]) -> Settled {
        if self.delivery_max_bytes < body.len() {
            let limit = self.delivery_max_bytes;
            let reason = format!("{} bytes; delivery_max_bytes is {limit}", body.len());
            return self.put_aside(source, body, reason).await;
        }
        let mut wait = Duration::from_millis(RETRY_WAIT_MS);
        let mut last = String::new();
        for attempt in 1..=self.delivery_attempts_max {
            match self.pipeline.handle(body).await {
                Ok(Ack::Done) => return Settled::Forget,
                Ok(Ack::DeadLetter(reason)) => return self.put_aside(source, body, reason).await,
                Ok(Ack::Retry(reason)) => {
                    tracing::warn!(source, attempt, reason, "delivery will be tried again");
                    last = reason;
                }
                Err(error) => return self.fail(&error.to_string()),
            }
            if attempt < self.delivery_attempts_max {
                self.pipeline.clock.sleep(wait).await;
                wait = wait.saturating_mul(2);
            }
        }
        let attempts = self.delivery_attempts_max;
        Settled::Again(format!("failed {attempts} times: {last}"))
    }

    /// Keeps the bytes beside the ledger, and the reason in it. Where the ledger is only busy, the
    /// delivery must come again.
    pub async fn put_aside(&self, source: &str, body: &[u8], reason: String) -> Settled {
        let reason = bounded(reason);
        let digest = hex::encode(Sha256::digest(body));
        // Where nothing could be read there is nothing to keep.
        let file = match (!body.is_empty()).then(|| self.keep(&digest, body)).transpose() {
            Ok(file) => file,
            Err(error) => {
                return self.fail(&format!("dead letter `{digest}` can't be kept: {error}"));
            }
        };
        tracing::error!(source, reason, digest, "delivery put aside");
        let letter = |source: &str, reason: String| Fact::DeadLettered {
            source: source.to_owned(),
            reason,
            digest: digest.clone(),
            bytes: body.len(),
            file: file.clone(),
        };
        let recorded = match self.record(letter(source, reason)).await {
            // The ledger takes no fact like this one: that, at least, it must hold.
            Err(JournalError::Refused(why)) => {
                let source = shortened(source.to_owned());
                self.record(letter(&source, shortened(why))).await
            }
            recorded => recorded,
        };
        match recorded {
            Ok(()) => {
                self.put_aside.fetch_add(1, Ordering::Relaxed);
                Settled::Forget
            }
            Err(JournalError::Later(why)) => {
                tracing::warn!(source, why, "the dead letter is not recorded yet");
                Settled::Again(why)
            }
            Err(error) => self.fail(&error.to_string()),
        }
    }

    /// As [`Intake::put_aside`], for a source that can't deliver again: where the ledger stays
    /// busy, the process stops, as what is not recorded would be lost.
    pub async fn put_aside_for_good(&self, source: &str, body: &[u8], reason: String) -> Settled {
        let mut wait = Duration::from_millis(RETRY_WAIT_MS);
        let mut last = String::new();
        for attempt in 1..=self.delivery_attempts_max {
            match self.put_aside(source, body, reason.clone()).await {
                Settled::Again(why) => last = why,
                settled => return settled,
            }
            if attempt < self.delivery_attempts_max {
                self.pipeline.clock.sleep(wait).await;
                wait = wait.saturating_mul(2);
            }
        }
        self.fail(&format!("a dead letter could not be recorded: {last}"))
    }

    async fn record(&self, fact: Fact) -> Result<(), JournalError> {
        let now = self.pipeline.clock.now();
        self.pipeline.journal.append(now, vec![fact.clone()]).await?;
        (self.pipeline.observer)(now, &fact);
        Ok(())
    }

    /// Writes and syncs the bytes under their digest.
    fn keep(&self, digest: &str, body: &[u8]) -> std::io::Result<String> {
        use std::io::Write;
        std::fs::create_dir_all(&self.dead_letters)?;
        let name = format!("{digest}.json");
        let mut file = std::fs::File::create(self.dead_letters.join(&name))?;
        file.write_all(body)?;
        file.sync_all()?;
        std::fs::File::open(&self.dead_letters)?.sync_all()?;
        Ok(name)
    }

    fn fail(&self, problem: &str) -> Settled {
        tracing::error!(problem, "the ledger failed; stopping");
        self.fatal.send_replace(Some(problem.to_owned()));
        Settled::Keep
    }
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Intake").field("dead_letters", &self.dead_letters).finish_non_exhaustive()
    }
}

/// A reason as one fact holds it, wherever it comes from.
fn bounded(mut reason: String) -> String {
    reason.truncate(reason.floor_char_boundary(DEAD_LETTER_REASON_MAX_BYTES));
    reason
}

/// Waits until `stop` turns true.
pub async fn stopped(stop: &mut watch::Receiver<bool>) {
    // The sender lives as long as the process; its end is a stop too.
    let _ = stop.wait_for(|it| *it).await;
}
