//! How clouds fail: throttling, reads that lag behind writes, calls that fail after taking effect,
//! and other people who change things in between.

use super::dice::Dice;
use quell_core::resource::State;
use std::fmt;

/// Which faults happen how often. The default is none.
#[derive(Default)]
pub struct Faults {
    /// Chance.
    pub dice: Dice,
    /// Reads that are throttled, per hundred.
    pub read_throttled_percent: u64,
    /// Changes that fail before taking effect, per hundred.
    pub apply_failed_before_percent: u64,
    /// Changes that take effect and report a failure, per hundred.
    pub apply_failed_after_percent: u64,
    /// Writes after which reads show the old state for a while, per hundred.
    pub stale_percent: u64,
    /// Most reads that show the old state after a write.
    pub stale_reads_max: u64,
    /// Changes that somebody else's change gets in front of, per hundred.
    pub interference_percent: u64,
    /// What somebody else does then.
    pub interference: Option<Interference>,
}

/// Somebody else's change of a resource.
pub type Interference = Box<dyn FnMut(&mut State, &mut Dice) + Send>;

/// How a change fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApplyFault {
    /// Nothing was changed.
    Before,
    /// It was changed, and the caller isn't told.
    After,
}

impl Faults {
    pub(super) fn throttles_read(&mut self) -> bool {
        0 < self.read_throttled_percent && self.dice.percent(self.read_throttled_percent)
    }

    pub(super) fn on_apply(&mut self) -> Option<ApplyFault> {
        let thrown = self.dice.below(100);
        match thrown.checked_sub(self.apply_failed_before_percent) {
            None => Some(ApplyFault::Before),
            Some(rest) if rest < self.apply_failed_after_percent => Some(ApplyFault::After),
            Some(_) => None,
        }
    }

    pub(super) fn stale_reads(&mut self) -> u32 {
        if !self.dice.percent(self.stale_percent) {
            return 0;
        }
        u32::try_from(self.dice.below(self.stale_reads_max + 1)).unwrap_or(0)
    }

    pub(super) fn interfere(&mut self, state: &mut State) {
        if let Some(other) = &mut self.interference
            && self.dice.percent(self.interference_percent)
        {
            other(state, &mut self.dice);
        }
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Faults").field("dice", &self.dice).finish_non_exhaustive()
    }
}
