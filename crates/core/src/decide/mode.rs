//! Which mode is in force for a finding: the last rule that covers it, tightened by tags, and
//! capped by the policy.
//!
//! A tag on the resource may tighten the mode, never relax it: whoever can tag a bucket must not be
//! able to switch its protection off. `tags_may_relax` lists the accounts where that is wanted.

use crate::detect::Finding;
use crate::policy::Mode;
use crate::scope::Scope;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The tag that names a mode.
pub const MODE_TAG: &str = "quell:mode";

/// Which mode is in force where.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Modes {
    /// Mode where no rule says otherwise.
    pub default: Mode,
    /// Rules in order; the last one that covers a finding wins.
    pub rules: Vec<ModeRule>,
    /// Accounts in which the tag `quell:mode` may also relax a mode.
    pub tags_may_relax: Vec<String>,
}

/// A mode for a scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModeRule {
    /// Where it applies.
    #[serde(default)]
    pub scope: Scope,
    /// The mode there.
    pub mode: Mode,
}

impl Modes {
    /// The mode in force, and which rule set it.
    pub fn of(
        &self,
        finding: &Finding,
        tags: &BTreeMap<String, String>,
        highest: Mode,
    ) -> (Mode, String) {
        let rules = self.rules.iter().enumerate().rev();
        let (mut mode, mut rule) = rules
            .filter(|(_, it)| it.scope.covers(finding, tags))
            .map(|(at, it)| (it.mode, format!("modes.rules[{at}]")))
            .next()
            .unwrap_or((self.default, "modes.default".to_owned()));
        let relaxes = self.tags_may_relax.contains(&finding.resource.account);
        if let Some(tagged) = tags.get(MODE_TAG).and_then(|it| parse(it))
            && (mode < tagged || (relaxes && tagged != mode))
        {
            (mode, rule) = (tagged, format!("tag {MODE_TAG}"));
        }
        if highest < mode {
            (mode, rule) = (highest, "the policy's highest_mode".to_owned());
        }
        (mode, rule)
    }

    /// Whether what a scope covers may be relaxed: always, unless whoever can tag a resource could
    /// bring it into the scope.
    pub(super) fn may_relax(&self, scope: &Scope) -> bool {
        let accounts = &scope.accounts;
        scope.tags.is_empty()
            || (!accounts.is_empty() && accounts.iter().all(|it| self.tags_may_relax.contains(it)))
    }

    /// A rule that covers tags must not relax what stands before it, unless the account may.
    pub(super) fn check(&self) -> Result<(), String> {
        for (at, rule) in self.rules.iter().enumerate() {
            let before = self.rules.iter().take(at).map(|it| it.mode).chain([self.default]).max();
            let relaxes = before.is_some_and(|it| rule.mode < it);
            if relaxes && !self.may_relax(&rule.scope) {
                return Err(format!(
                    "`modes.rules[{at}]` relaxes the mode by tag; name its accounts in \
                     `tags_may_relax` and in its scope to allow that"
                ));
            }
        }
        Ok(())
    }
}

fn parse(tag: &str) -> Option<Mode> {
    match tag {
        "observe" => Some(Mode::Observe),
        "notify" => Some(Mode::Notify),
        "approve" => Some(Mode::Approve),
        "enforce" => Some(Mode::Enforce),
        _ => None,
    }
}
