//! The limits that keep a remediator from doing harm. Each has a name, a unit and a finite default.

use super::grace::KnownPipeline;
use super::mode::Modes;
use super::window::Window;
use crate::exemption::Exemption;
use crate::history::BUDGET_WINDOW_MAX_S;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// All guardrails, as the configuration's `guardrails` section writes them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Guardrails {
    /// Which mode is in force where.
    pub modes: Modes,
    /// Deliberate exceptions, besides those added by `quell exempt add`.
    pub exemptions: Vec<Exemption>,
    /// When changes may be made; none means always.
    pub windows: Vec<Window>,
    /// Pipelines that get a while to close what they opened.
    pub pipelines: Vec<KnownPipeline>,
    /// Most changes to one resource within `resource_window_s`.
    pub resource_changes_max: usize,
    /// Window of `resource_changes_max`, in seconds.
    pub resource_window_s: i64,
    /// Rest of a resource after a fix by the same policy for another event, in seconds.
    pub cooldown_s: i64,
    /// Most changes fleet-wide within `fleet_window_s`; one more opens the breaker.
    pub fleet_changes_max: usize,
    /// Window of `fleet_changes_max`, in seconds.
    pub fleet_window_s: i64,
    /// How long the breaker stays open, in seconds.
    pub breaker_open_s: i64,
    /// Fixes of one facet within `oscillation_window_s` after which Quell stops and names the
    /// other.
    pub oscillation_rounds_max: usize,
    /// Window of `oscillation_rounds_max`, in seconds.
    pub oscillation_window_s: i64,
    /// Oldest event that may lead to a fix, in seconds.
    pub event_age_max_s: i64,
    /// How far an event's time may lie ahead of our clock, in seconds.
    pub clock_skew_max_s: i64,
    /// How long an approval is taken, in seconds.
    pub approval_expires_s: i64,
    /// How long a person's undo is respected, in seconds.
    pub undo_hold_s: i64,
    /// Whether undoing may grant IAM permissions again.
    pub undo_iam_grants: bool,
    /// A person has raised the fleet-wide cap for one run, in which an open breaker does not hold.
    #[serde(skip)]
    pub override_breaker: bool,
}

impl Default for Guardrails {
    fn default() -> Guardrails {
        Guardrails {
            modes: Modes::default(),
            exemptions: Vec::new(),
            windows: Vec::new(),
            pipelines: Vec::new(),
            resource_changes_max: 10,
            resource_window_s: 3600,
            cooldown_s: 5,
            fleet_changes_max: 25,
            fleet_window_s: 600,
            breaker_open_s: 900,
            oscillation_rounds_max: 2,
            oscillation_window_s: 3600,
            event_age_max_s: 6 * 3600,
            clock_skew_max_s: 300,
            approval_expires_s: 24 * 3600,
            undo_hold_s: 24 * 3600,
            undo_iam_grants: false,
            override_breaker: false,
        }
    }
}

impl Guardrails {
    /// Checks what the types can't say; the error names the setting.
    pub fn check(&self) -> Result<(), String> {
        let windows = [
            ("resource_window_s", self.resource_window_s),
            ("fleet_window_s", self.fleet_window_s),
            ("oscillation_window_s", self.oscillation_window_s),
            ("cooldown_s", self.cooldown_s),
        ];
        for (name, seconds) in windows {
            let least = i64::from(name != "cooldown_s");
            if !(least..=BUDGET_WINDOW_MAX_S).contains(&seconds) {
                return Err(format!(
                    "`{name}` is {seconds}; it goes from {least} to {BUDGET_WINDOW_MAX_S} seconds"
                ));
            }
        }
        let positive = [
            ("breaker_open_s", self.breaker_open_s),
            ("event_age_max_s", self.event_age_max_s),
            ("clock_skew_max_s", self.clock_skew_max_s),
            ("approval_expires_s", self.approval_expires_s),
            ("undo_hold_s", self.undo_hold_s),
        ];
        for (name, seconds) in positive {
            if seconds < 1 {
                return Err(format!("`{name}` is {seconds}; it must be at least 1 second"));
            }
        }
        self.exemptions.iter().try_for_each(|it| self.check_exemption(it))?;
        self.windows.iter().try_for_each(Window::check)?;
        self.pipelines
            .iter()
            .enumerate()
            .try_for_each(|(at, it)| it.check().map_err(|it| format!("`pipelines[{at}]`: {it}")))?;
        self.modes.check()
    }

    /// Checks an exemption: that it is complete, and that it relaxes by tag only in accounts where
    /// `modes.tags_may_relax` allows that.
    pub fn check_exemption(&self, exemption: &Exemption) -> Result<(), String> {
        exemption.check()?;
        if self.modes.may_relax(&exemption.scope) {
            return Ok(());
        }
        Err(format!(
            "exemption `{}` goes by tag; name its accounts in `modes.tags_may_relax` and in its \
             scope to allow that",
            exemption.id
        ))
    }
}
