//! Why a decision was not "fix it now": one closed list, with the numbers that decided.

use crate::policy::Mode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a finding is not fixed right away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Reason {
    /// The mode allows no more.
    Mode {
        /// The mode in force.
        mode: Mode,
        /// Which rule set it.
        rule: String,
    },
    /// The policy has no remediation.
    NoRemediation,
    /// The policy says that nothing but telling people is allowed here.
    NotifyOnly {
        /// Its reason.
        reason: String,
    },
    /// Neutralized by something else at the moment.
    Latent,
    /// The state is already as the fix would make it.
    NothingToDo,
    /// No change could be planned.
    PlanFailed {
        /// Why.
        error: String,
    },
    /// The event is older than `event_age_max_s`.
    StaleEvent {
        /// Age in seconds.
        age_s: i64,
        /// The limit in seconds.
        event_age_max_s: i64,
    },
    /// The event claims to be from the future by more than `clock_skew_max_s`.
    FutureEvent {
        /// How far ahead, in seconds.
        ahead_s: i64,
        /// The limit in seconds.
        clock_skew_max_s: i64,
    },
    /// A known pipeline caused it, and has a while to close it itself.
    Grace {
        /// Who: the ARN of its role or user.
        actor: String,
        /// Until when.
        until: Timestamp,
    },
    /// No change window is open.
    OutsideWindow,
    /// The resource's cooldown after the last fix of this policy.
    Cooldown {
        /// Until when.
        until: Timestamp,
    },
    /// The resource's budget is spent.
    ResourceBudget {
        /// Changes made within the window.
        changes: usize,
        /// The limit.
        resource_changes_max: usize,
    },
    /// The fleet-wide cap is reached; the breaker opens.
    BlastRadius {
        /// Changes made within the window.
        changes: usize,
        /// The limit.
        fleet_changes_max: usize,
    },
    /// The breaker is open.
    BreakerOpen {
        /// Until when.
        until: Timestamp,
    },
    /// The process will be stopped before a change could be made and read back.
    TooLate {
        /// What is left until then, in milliseconds; negative where it is over.
        left_ms: i64,
        /// The limit in milliseconds.
        apply_time_min_ms: u64,
    },
    /// Two controllers fight over one facet: Quell stops and names the other.
    Oscillation {
        /// How often we fixed it within the window.
        rounds: usize,
        /// Who keeps moving it back.
        other: String,
    },
    /// A person undid this fix; it is not made again by itself.
    UndoneBy {
        /// Who.
        person: String,
        /// Until when their undo is respected.
        until: Timestamp,
    },
    /// A person denied this very change.
    DeniedBy {
        /// Who.
        person: String,
    },
    /// The action cannot be undone.
    Irreversible,
    /// The policy or the plan demands a person's approval.
    NeedsApproval {
        /// Why.
        reason: String,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Mode { mode, rule } => {
                write!(out, "mode is {} ({rule})", format!("{mode:?}").to_lowercase())
            }
            Reason::NoRemediation => write!(out, "the policy has no remediation"),
            Reason::NotifyOnly { reason } => write!(out, "notify only: {reason}"),
            Reason::Latent => write!(out, "neutralized at the moment, so observed only"),
            Reason::NothingToDo => write!(out, "already as the fix would make it"),
            Reason::PlanFailed { error } => write!(out, "no change could be planned: {error}"),
            Reason::StaleEvent { age_s, event_age_max_s } => {
                write!(out, "the event is {age_s} s old; event_age_max_s is {event_age_max_s}")
            }
            Reason::FutureEvent { ahead_s, clock_skew_max_s } => {
                write!(
                    out,
                    "the event is {ahead_s} s ahead; clock_skew_max_s is {clock_skew_max_s}"
                )
            }
            Reason::Grace { actor, until } => write!(
                out,
                "the pipeline {actor} has until {until} to close it; a fix after that goes back \
                 into its code by `quell findings handoff`"
            ),
            Reason::OutsideWindow => write!(out, "no change window is open"),
            Reason::Cooldown { until } => write!(out, "the resource cools down until {until}"),
            Reason::ResourceBudget { changes, resource_changes_max } => write!(
                out,
                "{changes} changes to this resource; resource_changes_max is {resource_changes_max}"
            ),
            Reason::BlastRadius { changes, fleet_changes_max } => {
                write!(
                    out,
                    "{changes} changes fleet-wide; fleet_changes_max is {fleet_changes_max}"
                )
            }
            Reason::BreakerOpen { until } => write!(out, "the breaker is open until {until}"),
            Reason::TooLate { left_ms, apply_time_min_ms } => {
                write!(out, "{left_ms} ms are left; apply_time_min_ms is {apply_time_min_ms}")
            }
            Reason::Oscillation { rounds, other } => {
                write!(out, "fixed {rounds} times and moved back each time by {other}")
            }
            Reason::UndoneBy { person, until } => {
                write!(out, "{person} undid this fix; respected until {until}")
            }
            Reason::DeniedBy { person } => write!(out, "{person} denied this change"),
            Reason::Irreversible => write!(out, "the fix cannot be undone"),
            Reason::NeedsApproval { reason } => write!(out, "needs approval: {reason}"),
        }
    }
}
