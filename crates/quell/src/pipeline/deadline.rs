//! The time that is left: a function is stopped at its time-out, wherever it is.
//!
//! A change that is cut off there is concluded by the next delivery, so nothing is lost; but it is
//! better not begun. The limit is compared where a change is authorized, and where a cut-off one
//! is resumed. A process without a time-out has no deadline and is never too late.

use crate::journal::lock;
use jiff::Timestamp;
use quell_core::reason::Reason;
use std::sync::Mutex;
use std::time::Duration;

/// Least time that must be left to begin a change, in milliseconds: two reads, one call and the
/// waits of reading back, as they take on a bad day.
pub const APPLY_TIME_MIN_MS: u64 = 10_000;

/// When the process will be stopped from outside, and how much time a change needs before that.
#[derive(Debug)]
pub struct Deadline {
    apply_time_min_ms: u64,
    stops_at: Mutex<Option<Timestamp>>,
}

impl Default for Deadline {
    fn default() -> Deadline {
        Deadline::new(APPLY_TIME_MIN_MS)
    }
}

impl Deadline {
    /// No deadline yet; a change will need `apply_time_min_ms` milliseconds before one.
    pub fn new(apply_time_min_ms: u64) -> Deadline {
        Deadline { apply_time_min_ms, stops_at: Mutex::new(None) }
    }

    /// Says when the process will be stopped; `None` where it won't.
    pub fn set(&self, stops_at: Option<Timestamp>) {
        *lock(&self.stops_at) = stops_at;
    }

    /// What is left, in milliseconds, negative where it is over; `None` without a deadline.
    pub fn left_ms(&self, now: Timestamp) -> Option<i64> {
        let stops_at = (*lock(&self.stops_at))?;
        Some(stops_at.as_millisecond().saturating_sub(now.as_millisecond()))
    }

    /// The last moment at which a change may be begun; `None` without a deadline.
    pub fn last_begin(&self) -> Option<Timestamp> {
        let stops_at = (*lock(&self.stops_at))?;
        stops_at.checked_sub(Duration::from_millis(self.apply_time_min_ms)).ok()
    }

    /// Why no change may be begun now, if none may.
    pub fn too_late(&self, now: Timestamp) -> Option<Reason> {
        let left_ms = self.left_ms(now)?;
        let needed_ms = i64::try_from(self.apply_time_min_ms).unwrap_or(i64::MAX);
        (left_ms < needed_ms)
            .then_some(Reason::TooLate { left_ms, apply_time_min_ms: self.apply_time_min_ms })
    }
}
