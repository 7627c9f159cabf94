//! Exemptions: somebody owns the risk, for a reason, until a day.

use crate::detect::Finding;
use crate::scope::Scope;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A deliberate exception. Without owner, reason and expiry there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exemption {
    /// Unique name.
    pub id: String,
    /// What it covers; a scope that is empty, or of `*` alone, is refused.
    pub scope: Scope,
    /// The person or team that owns the risk.
    pub owner: String,
    /// Why the risk is taken.
    pub reason: String,
    /// When it ends, such as `2027-01-31T00:00:00Z`.
    #[schemars(with = "String")]
    pub expires: Timestamp,
}

impl Exemption {
    /// Whether the exemption is complete, in words of what is wrong.
    pub fn check(&self) -> Result<(), String> {
        if self.id.trim().is_empty() {
            return Err("an exemption needs an `id`".into());
        }
        if self.owner.trim().is_empty() || self.reason.trim().is_empty() {
            return Err(format!("exemption `{}` needs an `owner` and a `reason`", self.id));
        }
        if self.scope.covers_all() {
            return Err(format!(
                "exemption `{}` has an empty `scope`, or one of `*` alone: it covers all",
                self.id
            ));
        }
        Ok(())
    }

    /// Whether it covers a finding now.
    pub fn covers(
        &self,
        finding: &Finding,
        tags: &BTreeMap<String, String>,
        now: Timestamp,
    ) -> bool {
        now < self.expires && self.scope.covers(finding, tags)
    }
}
