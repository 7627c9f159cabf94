//! Looking without an event: the path is the same from reading on.

use super::{Looked, Pipeline, PipelineError};
use crate::journal::JournalError;
use quell_core::detect::detect;
use quell_core::policy::Policy;
use quell_core::record::{Fact, Problem};
use quell_core::resource::ResourceRef;
use std::collections::BTreeSet;

impl Pipeline {
    /// Reads, judges, fixes and records one resource as an event that leads to it would.
    /// `properties` are all that the policies look at; with them, a resource that is plainly
    /// compliant is neither read whole nor waited for: there is nothing to do to it. A resource
    /// that could not be read is an error, and its findings stand as they stood: recorded here,
    /// unless asking again may help.
    pub async fn sweep(
        &self,
        resource: &ResourceRef,
        policies: &[&Policy],
        properties: Option<&BTreeSet<String>>,
    ) -> Result<Looked, PipelineError> {
        if let Some(properties) = properties
            && self.is_compliant_at_a_glance(resource, policies, properties).await?
        {
            return Ok(Looked::default());
        }
        let turn = self.journal.turn(resource, None).await?;
        self.resume_on(resource).await?;
        let mut facts = Vec::new();
        let looked = self.look(resource, policies, None, &mut facts).await;
        self.record(facts).await?;
        turn.release().await;
        looked
    }

    /// Whether nothing is to be said of a resource, now or before, by these properties alone. All
    /// else is left to a whole look, in the resource's turn: what is acted on and recorded is what
    /// was read whole.
    async fn is_compliant_at_a_glance(
        &self,
        resource: &ResourceRef,
        policies: &[&Policy],
        properties: &BTreeSet<String>,
    ) -> Result<bool, PipelineError> {
        let is_quiet = {
            let history = self.journal.history();
            let is_open = history.findings_on(resource).any(|it| it.status.is_open());
            !is_open && history.unfinished_on(resource).next().is_none()
        };
        if !is_quiet {
            return Ok(false);
        }
        match self.world.glance(resource, properties).await {
            Ok(Some(state)) => {
                let detection = detect(policies, None, &state);
                Ok(detection.findings.is_empty()
                    && detection.indeterminate.is_empty()
                    && detection.errors.is_empty())
            }
            Err(error) if error.is_transient() => {
                Err(PipelineError::Cloud { resource: resource.to_string(), error })
            }
            // Only a whole look tells what is wrong, or that it is gone.
            Ok(None) | Err(_) => Ok(false),
        }
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
