//! Modes on the command line: as they are typed, and the most that the configuration lets a policy
//! do before any finding is known.

use clap::ValueEnum;
use quell_core::decide::mode::Modes;
use quell_core::policy::{Mode, PolicyMeta};
use quell_core::scope::{Scope, glob};

/// A mode, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AskedMode {
    /// Record what is found
    Observe,
    /// Tell people
    Notify,
    /// Fix it when a person approves the exact change
    Approve,
    /// Fix it
    Enforce,
}

impl From<AskedMode> for Mode {
    fn from(asked: AskedMode) -> Mode {
        match asked {
            AskedMode::Observe => Mode::Observe,
            AskedMode::Notify => Mode::Notify,
            AskedMode::Approve => Mode::Approve,
            AskedMode::Enforce => Mode::Enforce,
        }
    }
}

/// The highest mode that any rule can give to any finding of a policy.
///
/// A tag on a resource may tighten its mode beyond this (`quell:mode`); it needs the permissions of
/// that mode then, which `quell iam --mode` prints.
pub fn most(modes: &Modes, policy: &PolicyMeta) -> Mode {
    let mut most = Mode::Observe;
    for rule in modes.rules.iter().rev() {
        let named = &rule.scope.policies;
        if !named.is_empty() && !named.iter().any(|it| glob(it, &policy.id)) {
            continue;
        }
        most = most.max(rule.mode);
        // It covers every finding of the policy: no rule before it is ever asked.
        if rule.scope == (Scope { policies: named.clone(), ..Scope::default() }) {
            return most.min(policy.highest_mode);
        }
    }
    most.max(modes.default).min(policy.highest_mode)
}

#[cfg(test)]
mod tests {
    use super::*;
    use quell_core::decide::mode::ModeRule;

    fn rule(policies: &[&str], accounts: &[&str], mode: Mode) -> ModeRule {
        let owned = |list: &[&str]| list.iter().map(|it| (*it).to_owned()).collect();
        let scope =
            Scope { policies: owned(policies), accounts: owned(accounts), ..Scope::default() };
        ModeRule { scope, mode }
    }

    fn policy(id: &str, highest_mode: Mode) -> PolicyMeta {
        let text = format!(
            r#"{{"id":"{id}","title":"t","description":"d","severity":"low","resource":"r",
                "reads":[],"trigger":{{}}}}"#
        );
        let meta: PolicyMeta = serde_json::from_str(&text).unwrap();
        PolicyMeta { highest_mode, ..meta }
    }

    #[test]
    fn the_last_rule_for_the_whole_policy_hides_those_before() {
        let rules = vec![
            rule(&[], &[], Mode::Enforce),
            rule(&["aws.s3.*"], &[], Mode::Notify),
            rule(&["aws.s3.*"], &["111111111111"], Mode::Approve),
        ];
        let modes = Modes { rules, ..Modes::default() };
        assert_eq!(most(&modes, &policy("aws.s3.a", Mode::Enforce)), Mode::Approve);
        assert_eq!(most(&modes, &policy("aws.ec2.a", Mode::Enforce)), Mode::Enforce);
        assert_eq!(most(&modes, &policy("aws.ec2.a", Mode::Notify)), Mode::Notify);
        assert_eq!(most(&Modes::default(), &policy("x", Mode::Enforce)), Mode::Observe);
    }
}
