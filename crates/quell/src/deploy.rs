//! What a deployment has that depends on the policies: event rules, IAM policies, alarms.
//!
//! `deploy/` at the repository's root holds Terraform modules and CloudFormation templates. Their
//! frame is written by hand; everything that follows from what the binary does is rendered from
//! the place that defines it: event rules from the policies' triggers ([`rules`]), the policies of
//! the roles from the permissions beside each call ([`grants`]), alarms and dashboard from the
//! closed list of metrics ([`crate::telemetry`]). [`render`] is a pure function to files; `quell
//! deploy render` writes them, and a check fails when the ones in the repository are stale.
//!
//! Deliberately not here: applying anything. Terraform and CloudFormation do that.

pub mod rules;
pub mod grants;
pub mod terraform;
pub mod cloudformation;

use grants::Document;
use quell_core::policy::{Mode, Policy};
use quell_library::Library;
use quell_library::permissions::needed;
use rules::Rule;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use thiserror::Error;

/// Everything that is rendered, in no language yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployment {
    /// Rules of each watched account's default bus.
    pub rules: Vec<Rule>,
    /// What each grant allows.
    pub grants: BTreeMap<Grant, Vec<Document>>,
}

/// What a role is allowed, all at once: each is generated, and attached to the role of its name,
/// but for [`Grant::Heartbeat`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grant {
    /// In each watched account: reads the state of resources.
    Read,
    /// In each watched account: fixes.
    Write,
    /// In each watched account: writes heartbeats. The role that fixes has it, also where it may
    /// not fix.
    Heartbeat,
    /// In each watched account: undoes, for people only.
    Undo,
    /// In the hub: the function.
    Function,
    /// In the hub: signs checkpoints.
    Checkpoint,
}

impl Grant {
    /// The grants of a watched account.
    pub const SPOKE: [Grant; 4] = [Grant::Read, Grant::Write, Grant::Heartbeat, Grant::Undo];
    /// The grants of the hub.
    pub const HUB: [Grant; 2] = [Grant::Function, Grant::Checkpoint];

    /// The end of its name, after the prefix.
    pub fn name(self) -> &'static str {
        match self {
            Grant::Read => "read",
            Grant::Write => "write",
            Grant::Heartbeat => "heartbeat",
            Grant::Undo => "undo",
            Grant::Function => "function",
            Grant::Checkpoint => "checkpoint",
        }
    }
}

/// Why nothing can be rendered.
#[derive(Debug, Error)]
pub enum RenderError {
    /// A trigger that no rule can hold.
    #[error(
        "the trigger of `{policy}` takes {characters} characters; EventBridge takes \
         {max} per rule", max = rules::PATTERN_MAX_CHARS
    )]
    PatternTooLong {
        /// The policy.
        policy: String,
        /// Its length as compact JSON.
        characters: usize,
    },
    /// More rules than a bus has room for.
    #[error("{rules} rules are needed; a bus has room for {max}", max = rules::RULES_PER_BUS_MAX)]
    TooManyRules {
        /// How many.
        rules: usize,
    },
    /// More policy documents than a role can have.
    #[error(
        "`{grant}` needs {documents} policies; IAM attaches {max} to a role",
        max = grants::POLICIES_PER_ROLE_MAX
    )]
    TooManyPolicies {
        /// The grant.
        grant: &'static str,
        /// How many.
        documents: usize,
    },
}

/// Puts together what the policies need. The write role can do what the policies may ever do;
/// which of it is done is the configuration's modes.
pub fn deployment(library: &Library) -> Result<Deployment, RenderError> {
    let policies: Vec<&Policy> = library.policies().iter().collect();
    let all = needed(library, &policies, |_| Mode::Enforce);
    let mut grants = BTreeMap::new();
    for grant in Grant::SPOKE.into_iter().chain(Grant::HUB) {
        let documents = grants::documents(grant, &all);
        if grants::POLICIES_PER_ROLE_MAX < documents.len() {
            let documents = documents.len();
            return Err(RenderError::TooManyPolicies { grant: grant.name(), documents });
        }
        grants.insert(grant, documents);
    }
    Ok(Deployment { rules: rules::rules(&policies)?, grants })
}

/// The deployment as plain JSON, for tools of one's own: event patterns and IAM policy documents,
/// with `{partition}`, `{region}`, `{account}`, `{prefix}` and `{checkpoints}` to be filled in.
pub fn as_json(deployment: &Deployment) -> Value {
    let rules: Vec<Value> = deployment.rules.iter().map(Rule::as_json).collect();
    let grants: BTreeMap<&str, Vec<Value>> = deployment
        .grants
        .iter()
        .map(|(grant, documents)| (grant.name(), documents.iter().map(Document::as_json).collect()))
        .collect();
    json!({ "rules": rules, "grants": grants })
}

/// Text that stands in a generated file's first line.
const GENERATED: &str = "Generated by `quell deploy render`: do not edit.";

/// Pretty JSON that ends with a line feed.
fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}
