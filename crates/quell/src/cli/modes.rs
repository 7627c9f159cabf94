//! The most that the configuration lets a policy do, before any finding is known.

use quell_core::decide::mode::Modes;
use quell_core::policy::Mode;
use quell_core::scope::{Scope, glob};

/// The configured modes, asked about a policy as a whole.
///
/// A tag on a resource may tighten its mode beyond this (`quell:mode`); it needs the permissions of
/// that mode then, which `quell iam --mode` prints.
#[derive(Debug, Clone, Default)]
pub struct PolicyModes(pub Modes);

impl PolicyModes {
    /// The highest mode that any rule can give to any finding of a policy.
    pub fn most(&self, policy: &str, highest: Mode) -> Mode {
        let mut most = Mode::Observe;
        for rule in self.0.rules.iter().rev() {
            let named = &rule.scope.policies;
            if !named.is_empty() && !named.iter().any(|it| glob(it, policy)) {
                continue;
            }
            most = most.max(rule.mode);
            // It covers every finding of the policy: no rule before it is ever asked.
            if rule.scope == (Scope { policies: named.clone(), ..Scope::default() }) {
                return most.min(highest);
            }
        }
        most.max(self.0.default).min(highest)
    }
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

    #[test]
    fn the_last_rule_for_the_whole_policy_hides_those_before() {
        let rules = vec![
            rule(&[], &[], Mode::Enforce),
            rule(&["aws.s3.*"], &[], Mode::Notify),
            rule(&["aws.s3.*"], &["111111111111"], Mode::Approve),
        ];
        let modes = PolicyModes(Modes { rules, ..Modes::default() });
        assert_eq!(modes.most("aws.s3.a", Mode::Enforce), Mode::Approve);
        assert_eq!(modes.most("aws.ec2.a", Mode::Enforce), Mode::Enforce);
        assert_eq!(modes.most("aws.ec2.a", Mode::Notify), Mode::Notify);
        assert_eq!(PolicyModes::default().most("x", Mode::Enforce), Mode::Observe);
    }
}
