//! The fleet's budget: one counter that all writers share.
//!
//! Time is cut into windows. Within a window the counter may grow while it and the count of the
//! window before stay below the cap together, so no interval as long as a window ever holds more
//! changes than the cap. A change is counted before its attempt is recorded, by a write of its own:
//! as part of the attempt's transaction, every fix of a storm would conflict with every other. A
//! crash in between leaves one change counted that was not made, which errs on the safe side.

use super::items::{EXPIRES, FLEET, Item, key, number, number_of};
use super::tables::{Update, Updated};
use super::{Inner, after};
use crate::journal::{FleetCap, JournalError, ReserveResult, Reserved, lock};
use jiff::Timestamp;

/// How often a counter that others move on is tried anew.
const RESERVE_ATTEMPTS_MAX: usize = 16;
/// How long a counter that nobody uses is kept, in seconds.
const COUNTER_KEPT_S: i64 = 7 * 24 * 3600;

/// The number of the window that is counted.
const WINDOW: &str = "window_number";
/// Changes in that window.
const MADE_NOW: &str = "made_now";
/// Changes in the window before.
const MADE_BEFORE: &str = "made_before";

/// A counter as it was seen last. It may have moved on: every write says what it started from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count {
    window_s: i64,
    window: i64,
    now: usize,
    before: usize,
}

impl Inner {
    /// Counts one change, if the cap allows it.
    pub(super) async fn reserve(&self, now: Timestamp, cap: FleetCap) -> ReserveResult {
        let window = now.as_second().div_euclid(cap.window_s.max(1));
        let mut seen = lock(&self.count).filter(|it| it.window_s == cap.window_s);
        for _ in 0..RESERVE_ATTEMPTS_MAX {
            // A clock that is behind counts in the newest window that another has begun.
            let wanted = match seen {
                Some(count) if window <= count.window => count,
                Some(count) if window == count.window + 1 => {
                    Count { window, now: 0, before: count.now, ..count }
                }
                _ => Count { window_s: cap.window_s, window, now: 0, before: 0 },
            };
            let changes = wanted.now.saturating_add(wanted.before);
            if cap.changes_max <= changes {
                // Another writer may have opened the breaker: once is enough.
                self.catch_up_with_fleet().await?;
                return Ok(Reserved::OverCap { changes });
            }
            let updated = match seen {
                Some(count) if count.window == wanted.window => self.count_one(cap, count).await?,
                _ => self.begin_window(wanted, seen).await?,
            };
            let (granted, found) = match updated {
                Updated::Made(item) => (true, Some(item)),
                Updated::Refused(item) => (false, item),
            };
            seen = found.as_ref().and_then(|it| counted(it, cap.window_s));
            *lock(&self.count) = seen;
            if granted {
                return Ok(Reserved::Granted);
            }
        }
        Err(JournalError::Later("too many writers count the fleet's changes at once".to_owned()))
    }

    async fn count_one(&self, cap: FleetCap, count: Count) -> Result<Updated, JournalError> {
        let left = cap.changes_max.saturating_sub(count.before);
        let update = Update {
            key: counter(count.window_s),
            change: &format!("ADD {MADE_NOW} :one"),
            condition: &format!(
                "{WINDOW} = :window AND {MADE_BEFORE} = :before AND {MADE_NOW} < :left"
            ),
            values: vec![
                (":one", number(1)),
                (":window", number(count.window)),
                (":before", number(count.before)),
                (":left", number(left)),
            ],
        };
        self.tables.update(update).await
    }

    /// Begins a window with one change in it, after the one that was seen.
    async fn begin_window(
        &self,
        wanted: Count,
        seen: Option<Count>,
    ) -> Result<Updated, JournalError> {
        let expires = after(self.clock.now(), COUNTER_KEPT_S + 2 * wanted.window_s);
        let mut values = vec![
            (":window", number(wanted.window)),
            (":before", number(wanted.before)),
            (":one", number(1)),
            (":expires", number(expires.as_second())),
        ];
        let condition = match seen {
            None => format!("attribute_not_exists({WINDOW})"),
            Some(count) => {
                values.push((":seen", number(count.window)));
                values.push((":seen_now", number(count.now)));
                format!("{WINDOW} = :seen AND {MADE_NOW} = :seen_now")
            }
        };
        let update = Update {
            key: counter(wanted.window_s),
            change: &format!(
                "SET {WINDOW} = :window, {MADE_BEFORE} = :before, {MADE_NOW} = :one, \
                 {EXPIRES} = :expires"
            ),
            condition: &condition,
            values,
        };
        self.tables.update(update).await
    }
}

/// The counter for windows of a length: with another length, counting begins anew.
fn counter(window_s: i64) -> Item {
    key(FLEET, &format!("budget#{window_s}"))
}

fn counted(item: &Item, window_s: i64) -> Option<Count> {
    Some(Count {
        window_s,
        window: number_of(item, WINDOW)?,
        now: number_of(item, MADE_NOW)?,
        before: number_of(item, MADE_BEFORE)?,
    })
}
