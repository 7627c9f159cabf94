//! What a source works on beside its reading.
//!
//! A task that breaks off is a bug, and its delivery is not done. The others go on, as one poisoned
//! event must not silence the rest, but the source does not end as if nothing had been lost.

use super::SourceError;
use std::future::Future;
use tokio::task::{JoinError, JoinSet};

/// The deliveries that a source has under way.
#[derive(Debug, Default)]
pub struct Work {
    tasks: JoinSet<()>,
    /// How the first that broke off did.
    broke: Option<String>,
}

impl Work {
    /// Begins to work on one.
    pub fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        // Those that have ended meanwhile are let go: memory grows with what is under way.
        while let Some(ended) = self.tasks.try_join_next() {
            self.ended(ended);
        }
        self.tasks.spawn(task);
    }

    /// Waits until all is worked to its end.
    ///
    /// # Errors
    /// The first task that broke off.
    pub async fn finish(mut self, source_name: &str) -> Result<(), SourceError> {
        while let Some(ended) = self.tasks.join_next().await {
            self.ended(ended);
        }
        match self.broke {
            None => Ok(()),
            Some(how) => Err(SourceError {
                source_name: source_name.to_owned(),
                problem: format!("a delivery broke off, which is a bug in Quell: {how}"),
            }),
        }
    }

    fn ended(&mut self, ended: Result<(), JoinError>) {
        if let Err(error) = ended {
            tracing::error!(%error, "a delivery broke off: this is a bug in Quell");
            self.broke.get_or_insert_with(|| error.to_string());
        }
    }
}
