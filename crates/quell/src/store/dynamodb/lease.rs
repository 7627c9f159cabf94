//! Leases: who has the turn of a resource, among all writers.
//!
//! One item per resource, taken by a conditional write when it is free or has run out. Its number
//! grows with each turn and is never reused. A writer that finds it taken looks again without
//! writing, since writes would disturb the transactions of whoever has it.

use super::items::{FENCE, HOLDER, LEASE, UNTIL_MS, key, milliseconds, number, number_of};
use super::items::{resource_partition, text, text_of};
use super::tables::{Update, Updated};
use super::{Inner, after, nonce};
use crate::journal::{JournalError, lock};
use jiff::{SignedDuration, Timestamp};
use quell_core::resource::ResourceRef;
use rand::Rng as _;
use std::time::Duration;

/// First wait between two looks at a lease that another writer has, in milliseconds.
const LOOK_WAIT_MS: u64 = 50;
/// Longest wait between two looks, in milliseconds.
const LOOK_WAIT_MAX_MS: u64 = 1_000;

/// A lease that this writer has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    /// Its number.
    pub fence: u64,
    /// Names this turn, so that a repeated call knows its own lease.
    pub holder: String,
    /// The place of the next fact within the turn. Never reused, even if the fact was refused.
    pub ordinal: u64,
}

impl Inner {
    /// Waits for the lease of a resource, for as long as `lease_wait_max_ms` allows.
    pub(super) async fn lease(&self, resource: &ResourceRef) -> Result<Held, JournalError> {
        let wait_max = SignedDuration::from_millis(clamp(self.settings.lease_wait_max_ms));
        let deadline = self.clock.now().checked_add(wait_max).unwrap_or(Timestamp::MAX);
        let holder = nonce();
        let mut wait_ms = LOOK_WAIT_MS;
        loop {
            if let Some(fence) = self.try_lease(resource, &holder).await? {
                let held = Held { fence, holder, ordinal: 0 };
                lock(&self.held).insert(resource.clone(), held.clone());
                return Ok(held);
            }
            loop {
                if deadline <= self.clock.now() {
                    let text = format!("another writer has the turn of {resource}");
                    return Err(JournalError::Later(text));
                }
                let jittered = rand::rng().random_range(wait_ms / 2..=wait_ms);
                self.clock.sleep(Duration::from_millis(jittered)).await;
                wait_ms = LOOK_WAIT_MAX_MS.min(wait_ms * 2);
                if self.is_free(resource).await? {
                    break;
                }
            }
        }
    }

    /// Gives a lease back. If that fails, it runs out.
    pub(super) async fn give_back(&self, resource: &ResourceRef, held: &Held) {
        lock(&self.held).remove(resource);
        let update = Update {
            key: key(&resource_partition(resource), LEASE),
            change: &format!("REMOVE {HOLDER}, {UNTIL_MS}"),
            condition: &format!("{HOLDER} = :me"),
            values: vec![(":me", text(&held.holder))],
        };
        if let Err(error) = self.tables.update(update).await {
            tracing::warn!(%error, %resource, "a lease was not given back; it runs out");
        }
    }

    async fn try_lease(
        &self,
        resource: &ResourceRef,
        holder: &str,
    ) -> Result<Option<u64>, JournalError> {
        let now = self.clock.now();
        let until = after(now, i64::try_from(self.settings.lease_time_s).unwrap_or(i64::MAX));
        let update = Update {
            key: key(&resource_partition(resource), LEASE),
            change: &format!("SET {HOLDER} = :me, {UNTIL_MS} = :until ADD {FENCE} :one"),
            condition: &format!(
                "attribute_not_exists({HOLDER}) OR {UNTIL_MS} <= :now OR {HOLDER} = :me"
            ),
            values: vec![
                (":me", text(holder)),
                (":until", milliseconds(until)),
                (":now", milliseconds(now)),
                (":one", number(1)),
            ],
        };
        match self.tables.update(update).await? {
            Updated::Made(item) => number_of(&item, FENCE)
                .map(Some)
                .ok_or_else(|| JournalError::Broken(format!("the lease of {resource} is corrupt"))),
            Updated::Refused(_) => Ok(None),
        }
    }

    async fn is_free(&self, resource: &ResourceRef) -> Result<bool, JournalError> {
        let lease = self.tables.get(key(&resource_partition(resource), LEASE)).await?;
        let Some(lease) = lease else { return Ok(true) };
        let until_ms: Option<i64> = number_of(&lease, UNTIL_MS);
        let now_ms = self.clock.now().as_millisecond();
        Ok(text_of(&lease, HOLDER).is_none() || until_ms.is_none_or(|it| it <= now_ms))
    }
}

fn clamp(milliseconds: u64) -> i64 {
    i64::try_from(milliseconds).unwrap_or(i64::MAX)
}
