//! Everything that Quell saw and did, as facts for the ledger.
//!
//! The ledger is the only truth: dedupe, budgets, open findings, approvals and undo are folds over
//! these facts ([`crate::history`]), and so are reports and metrics, which therefore can't
//! disagree.

use crate::action::Reversibility;
use crate::change::{Change, digest};
use crate::detect::Finding;
use crate::event::{Actor, Event};
use crate::exemption::Exemption;
use crate::heartbeat::{Beat, Heartbeat};
use crate::policy::Severity;
use crate::reason::Reason;
use crate::resource::ResourceRef;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One thing that Quell saw, decided or did.
#[expect(clippy::large_enum_variant, reason = "facts are moved once, into the ledger")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// A finding and what was decided about it.
    Decided {
        /// The finding.
        finding: Finding,
        /// The decision.
        verdict: Verdict,
        /// The change that was planned, if there was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        change: Option<Change>,
        /// Who caused it, where an event did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        actor: Option<Actor>,
    },
    /// A change is about to be made. Without a later [`Fact::Concluded`] it must be resumed.
    Attempted(Attempt),
    /// An attempt ended.
    Concluded {
        /// [`Attempt::id`].
        attempt: String,
        /// How.
        outcome: Outcome,
        /// The provider's ids of the calls that were made: what makes an event self-caused.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        request_ids: Vec<String>,
        /// What a reader should know, such as a race that the read-back saw.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
        /// Whether a stop had cut it off before, so that a call of it may be missing above.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        resumed: bool,
    },
    /// Everything that an event demanded is recorded: the event is done and can be acknowledged.
    Processed {
        /// The event's id.
        event: String,
        /// When it happened.
        event_time: Timestamp,
        /// Its operation.
        operation: String,
        /// How many findings it led to.
        findings: usize,
    },
    /// A call that would have violated failed: somebody tried.
    CallFailed {
        /// The event's id.
        event: String,
        /// The operation.
        operation: String,
        /// CloudTrail's error code.
        code: String,
        /// Who tried.
        actor: Actor,
        /// The policies whose trigger matched.
        policies: Vec<String>,
    },
    /// Something could not be judged. It alerts; it is never a pass.
    Failed {
        /// What failed.
        problem: Problem,
        /// In one sentence.
        message: String,
        /// The event that led to it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        event: Option<String>,
        /// The policy, where one failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        policy: Option<String>,
        /// The resource, where one was looked at.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resource: Option<ResourceRef>,
    },
    /// A delivery that can't be processed was put aside, with its reason.
    DeadLettered {
        /// Which source delivered it.
        source: String,
        /// Why.
        reason: String,
        /// SHA-256 of the delivered bytes, in hex.
        digest: String,
        /// How many bytes.
        bytes: usize,
        /// File in the store's `dead-letters` folder that holds the bytes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file: Option<String>,
    },
    /// Somebody used our name for a call that we did not make.
    Impostor {
        /// The event.
        event: String,
        /// The operation.
        operation: String,
        /// Who.
        actor: Actor,
        /// The request id that our ledger does not know.
        request_id: Option<String>,
    },
    /// A step of a heartbeat: that the way of the events from an account and region is open.
    Heartbeat {
        /// The heartbeat.
        heartbeat: Heartbeat,
        /// What became of it.
        step: Beat,
    },
    /// A person decided about a waiting change.
    Approval {
        /// [`Finding::key`] of the finding that waits.
        finding: String,
        /// [`Change::id`] of the change that was shown: an approval binds to it.
        change: String,
        /// Approved or denied.
        approved: bool,
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// A person asked to undo a fix.
    UndoRequested {
        /// [`Attempt::id`] of the fix.
        attempt: String,
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// An exemption was added.
    Exempted(Exempted),
    /// An exemption was withdrawn.
    ExemptionRemoved {
        /// [`Exemption::id`].
        id: String,
        /// Who.
        by: String,
        /// Why; records of older versions do not tell.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The breaker opened: until it closes, nothing is fixed.
    BreakerOpened {
        /// Until when.
        until: Timestamp,
        /// Why.
        reason: String,
    },
    /// A torn tail was cut off at start; its bytes are kept beside the ledger.
    TailRepaired {
        /// How many bytes were torn.
        bytes: u64,
        /// Where they are kept.
        file: String,
    },
    /// A finding ended without a fix of ours: compliant again, or its resource is gone.
    Resolved {
        /// [`Finding::key`].
        finding: String,
        /// Why.
        why: Outcome,
    },
}

impl Fact {
    /// What names a fact that is recorded once, however often its delivery comes again; `None` for
    /// one that is recorded each time. Hex.
    pub fn once(&self) -> Option<String> {
        match self {
            // Where the bytes are kept beside the ledger, each file has its record; and where there
            // were none, the reason alone tells one from the other.
            Fact::DeadLettered { source, digest: of_bytes, bytes: 1.., file: None, .. } => {
                Some(digest(&["dead letter", source, of_bytes]))
            }
            Fact::Failed {
                problem: Problem::Read,
                event: Some(event),
                resource: Some(resource),
                ..
            } => Some(digest(&["unreadable", event, &resource.to_string()])),
            _ => None,
        }
    }
}

/// An exemption, and who added it: not the one who owns the risk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exempted {
    /// The exemption.
    #[serde(flatten)]
    pub exemption: Exemption,
    /// Who added it; records of older versions do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

impl std::ops::Deref for Exempted {
    type Target = Exemption;

    fn deref(&self) -> &Exemption {
        &self.exemption
    }
}

/// What was decided, as the ledger tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Verdict {
    /// Recorded only.
    Observe {
        /// Why not more.
        reason: Reason,
    },
    /// People are told.
    Notify {
        /// Why not more.
        reason: Reason,
    },
    /// An exemption covers it.
    Exempt {
        /// [`Exemption::id`].
        exemption: String,
        /// Who owns the exemption.
        owner: String,
        /// Until when.
        expires: Timestamp,
    },
    /// It would be fixed, but a guardrail holds it back; it stays open.
    Withhold {
        /// Which guardrail, and why.
        reason: Reason,
    },
    /// It waits for a person.
    AwaitApproval {
        /// Why.
        reason: Reason,
        /// Until when an approval is taken.
        expires: Timestamp,
    },
    /// It is fixed.
    Remediate,
    /// An unknown decides: neither pass nor fail.
    Indeterminate {
        /// What is unknown.
        unknown: String,
    },
}

impl Verdict {
    /// One word, as reports show it.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Observe { .. } => "observe",
            Verdict::Notify { .. } => "notify",
            Verdict::Exempt { .. } => "exempt",
            Verdict::Withhold { .. } => "withhold",
            Verdict::AwaitApproval { .. } => "await_approval",
            Verdict::Remediate => "remediate",
            Verdict::Indeterminate { .. } => "indeterminate",
        }
    }

    /// The reason in words, where there is one.
    pub fn why(&self) -> String {
        match self {
            Verdict::Observe { reason }
            | Verdict::Notify { reason }
            | Verdict::Withhold { reason }
            | Verdict::AwaitApproval { reason, .. } => reason.to_string(),
            Verdict::Exempt { exemption, owner, expires } => {
                format!("exemption `{exemption}` of {owner}, until {expires}")
            }
            Verdict::Remediate => String::new(),
            Verdict::Indeterminate { unknown } => format!("unknown: {unknown}"),
        }
    }
}

/// A change that is about to be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Unique id.
    pub id: String,
    /// [`Finding::key`] of the finding that it is for.
    pub finding: String,
    /// Id of the policy.
    pub policy: String,
    /// How bad the finding is.
    pub severity: Severity,
    /// Id of the event that caused the finding, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// What is made.
    pub change: Change,
    /// What allowed it.
    pub authority: Authority,
    /// How exactly it can be undone.
    pub reversibility: Reversibility,
    /// [`Attempt::id`] of the fix that this one undoes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<String>,
}

impl Attempt {
    /// The name of the session that its calls are made in: what CloudTrail shows of who made them.
    pub fn session(&self) -> String {
        format!("quell-{}", self.finding)
    }
}

/// What allowed an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Authority {
    /// The policy's mode and the guardrails.
    Policy,
    /// A person approved this very change.
    Approval {
        /// Who.
        person: String,
    },
    /// A person asked to undo.
    Undo {
        /// Who.
        person: String,
    },
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Made, and the read-back shows it.
    Corrected {
        /// The facet as read back.
        after: Value,
    },
    /// It was already as wanted; nothing was called.
    AlreadyCompliant,
    /// The call was made, but the read-back does not show it within the limit.
    Uncorrected {
        /// The facet as read back.
        after: Value,
    },
    /// Somebody moved the facet since it was read; nothing was called.
    Conflict {
        /// The facet as found.
        found: Value,
    },
    /// The resource is gone.
    Gone,
    /// The call failed; nothing is known to have changed.
    Failed {
        /// Why.
        error: String,
    },
}

impl Outcome {
    /// Whether it says that nothing was called.
    pub fn is_without_call(&self) -> bool {
        matches!(self, Outcome::AlreadyCompliant | Outcome::Conflict { .. })
    }

    /// One word, as reports show it.
    pub fn word(&self) -> &'static str {
        match self {
            Outcome::Corrected { .. } => "corrected",
            Outcome::AlreadyCompliant => "already_compliant",
            Outcome::Uncorrected { .. } => "uncorrected",
            Outcome::Conflict { .. } => "conflict",
            Outcome::Gone => "gone",
            Outcome::Failed { .. } => "failed",
        }
    }
}

/// What could not be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Problem {
    /// Reading the resource failed.
    Read,
    /// A policy could not be evaluated.
    Policy,
    /// No change could be planned.
    Plan,
    /// A verdict hangs on properties that could not be seen.
    Indeterminate,
}

/// The fact that an event is done.
pub fn processed(event: &Event, findings: usize) -> Fact {
    Fact::Processed {
        event: event.uid.clone(),
        event_time: event.time,
        operation: event.api.operation.clone(),
        findings,
    }
}
