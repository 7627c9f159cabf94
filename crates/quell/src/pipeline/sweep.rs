//! Looking without an event: the path is the same from reading on.

use super::{Pipeline, PipelineError};
use crate::journal::JournalError;
use quell_core::policy::Policy;
use quell_core::record::{Fact, Problem};
use quell_core::resource::ResourceRef;
use std::collections::BTreeSet;

impl Pipeline {
    /// Reads, judges, fixes and records one resource as an event that leads to it would. Returns
    /// the keys of what violated, fixed by now or not. A resource that could not be read is an
    /// error, and recorded as such: its findings stand as they stood.
    pub async fn sweep(
        &self,
        resource: &ResourceRef,
        policies: &[&Policy],
    ) -> Result<BTreeSet<String>, PipelineError> {
        let _turn = self.locks.take(resource).await;
        self.resume_on(resource).await?;
        let mut facts = Vec::new();
        let looked = self.look(resource, policies, None, &mut facts).await;
        self.record(facts).await?;
        // No source delivers it again. What is not transient, the look recorded itself.
        if let Err(PipelineError::Cloud { error, .. }) = &looked
            && error.is_transient()
        {
            self.unseen(error.to_string(), Some(resource)).await?;
        }
        looked
    }

    /// Records that something could not be seen.
    pub(crate) async fn unseen(
        &self,
        message: String,
        resource: Option<&ResourceRef>,
    ) -> Result<(), JournalError> {
        let fact = Fact::Failed {
            problem: Problem::Read,
            message,
            event: None,
            policy: None,
            resource: resource.cloned(),
        };
        self.record(vec![fact]).await
    }
}
