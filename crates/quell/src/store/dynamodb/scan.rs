//! How far a scan has come that is not at its end: one item, so that the next run of a function
//! goes on from there. It decides nothing, and whoever kept it last is believed.

use super::items::{
    EXPIRES, PROGRESS, SCAN, SCAN_PROGRESS, TIME_MS, key, milliseconds, number, text, text_of,
};
use super::tables::Update;
use super::{Inner, after};
use crate::journal::JournalError;
use crate::scan::progress::PROGRESS_AGE_MAX_S;

impl Inner {
    /// What was kept last.
    pub(super) async fn kept_scan(&self) -> Result<Option<String>, JournalError> {
        let item = self.tables.get(key(SCAN, PROGRESS)).await?;
        Ok(item.as_ref().and_then(|it| text_of(it, SCAN_PROGRESS)).map(str::to_owned))
    }

    /// Keeps a text in its place, or none.
    pub(super) async fn keep_scan(&self, kept: Option<String>) -> Result<(), JournalError> {
        let now = self.clock.now();
        let expires = after(now, PROGRESS_AGE_MAX_S).as_second();
        let mut change = format!("SET {TIME_MS} = :now, {EXPIRES} = :expires");
        let mut values = vec![(":now", milliseconds(now)), (":expires", number(expires))];
        match kept {
            Some(it) => {
                change.push_str(&format!(", {SCAN_PROGRESS} = :kept"));
                values.push((":kept", text(&it)));
            }
            None => change.push_str(&format!(" REMOVE {SCAN_PROGRESS}")),
        }
        let update = Update {
            key: key(SCAN, PROGRESS),
            change: &change,
            condition: &format!("attribute_not_exists({TIME_MS}) OR {TIME_MS} <= :now"),
            values,
        };
        // Refused is one that somebody has kept a newer one in place of.
        self.tables.update(update).await.map(|_| ())
    }
}
