//! Grace for known pipelines: what an apply leaves open for a moment, it may close itself.
//!
//! Terraform makes a bucket and then its public access block, or a rule and then narrows it. A fix
//! in between is one that the same apply trips over. So a finding that a known pipeline caused is
//! withheld for a while, and then read and decided again like any other.
//!
//! The time is counted from when the finding began to stand open, once: no later event of the
//! pipeline makes it longer, and an event of anybody else ends it. What is worse than a severity is
//! never waited for.

use crate::detect::{Cause, Finding};
use crate::history::Open;
use crate::policy::Severity;
use crate::reason::Reason;
use crate::record::Verdict;
use crate::scope::glob;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The longest grace, in seconds.
pub const GRACE_MAX_S: i64 = 3600;

/// A pipeline that changes the infrastructure, such as Terraform's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KnownPipeline {
    /// ARNs of the roles or users that it acts as, may hold `*`. Where that stands for the account,
    /// those of the resource's own account are meant.
    pub principals: Vec<String>,
    /// How long an apply has to close what it opened, in seconds; at most an hour.
    #[serde(default = "grace_s")]
    pub grace_s: i64,
    /// The worst severity that is waited for; what is worse is fixed at once.
    #[serde(default = "severity_max")]
    pub severity_max: Severity,
}

fn grace_s() -> i64 {
    300
}

fn severity_max() -> Severity {
    Severity::High
}

impl KnownPipeline {
    /// Checks what the types can't say; the error names the setting.
    pub(super) fn check(&self) -> Result<(), String> {
        if !(1..=GRACE_MAX_S).contains(&self.grace_s) {
            let grace_s = self.grace_s;
            return Err(format!("`grace_s` is {grace_s}; it goes from 1 to {GRACE_MAX_S} seconds"));
        }
        if self.principals.is_empty() {
            return Err("`principals` names nobody".to_owned());
        }
        match self.principals.iter().find(|it| !names_somebody(it)) {
            Some(it) => Err(format!(
                "`principals`: `{it}` is no ARN of a role or user, such as \
                 `arn:aws:iam::*:role/terraform-*`"
            )),
            None => Ok(()),
        }
    }

    /// Whether a finding that this actor caused is waited for.
    fn spares(&self, actor: &str, finding: &Finding) -> bool {
        let is_own = account(actor) == Some(finding.resource.account.as_str());
        finding.severity <= self.severity_max
            && self.principals.iter().any(|it| {
                let names_account = account(it).is_some_and(|it| !it.contains('*'));
                glob(it, actor) && (names_account || is_own)
            })
    }
}

/// The account in an ARN.
fn account(arn: &str) -> Option<&str> {
    arn.split(':').nth(4)
}

/// Whether a pattern is of roles or users with something of their name in it.
fn names_somebody(pattern: &str) -> bool {
    let parts: Vec<&str> = pattern.split(':').collect();
    let ["arn", _, "iam", "", account, who] = parts.as_slice() else { return false };
    let name = who.strip_prefix("role/").or_else(|| who.strip_prefix("user/"));
    !account.is_empty() && name.is_some_and(|it| it.bytes().any(|it| !matches!(it, b'*' | b'/')))
}

/// Why a finding is left to the pipeline that caused it for now, if it is. `open` is where the
/// finding stands.
pub(super) fn grace(
    pipelines: &[KnownPipeline],
    open: Option<&Open>,
    finding: &Finding,
    now: Timestamp,
) -> Option<Reason> {
    let open = open.filter(|it| it.status.is_open());
    let given = open.and_then(|it| match &it.verdict {
        Verdict::Withhold { reason: Reason::Grace { actor, until } } => Some((actor, *until)),
        _ => None,
    });
    // A look without an event changes nothing about who caused it.
    let actor = match &finding.cause {
        Cause::Event { actor, .. } => actor,
        Cause::Scan => given?.0,
    };
    let pipeline = pipelines.iter().find(|it| it.spares(actor, finding))?;
    let until = given.map_or_else(
        || {
            let since = open.map_or(now, |it| it.opened);
            let grace = SignedDuration::from_secs(pipeline.grace_s);
            since.checked_add(grace).unwrap_or(Timestamp::MAX)
        },
        |(_, until)| until,
    );
    (now < until).then(|| Reason::Grace { actor: actor.clone(), until })
}
