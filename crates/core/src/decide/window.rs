//! Change windows, in UTC: the one clock that all accounts share.

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A span of the week in which changes may be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Days on which it opens: `mon` … `sun`.
    pub days: Vec<Day>,
    /// When it opens, `HH:MM` in UTC.
    pub from: String,
    /// When it closes, `HH:MM` in UTC; before `from` means the next day.
    pub to: String,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Window {
    /// Whether the window is open now.
    pub fn is_open(&self, now: Timestamp) -> bool {
        let (Some(from), Some(to)) = (minutes(&self.from), minutes(&self.to)) else {
            return false;
        };
        let now = now.to_zoned(TimeZone::UTC);
        let minute = i32::from(now.hour()) * 60 + i32::from(now.minute());
        let today = self.opens_on(now.weekday());
        let yesterday = self.opens_on(now.weekday().previous());
        if from <= to {
            today && from <= minute && minute < to
        } else {
            (today && from <= minute) || (yesterday && minute < to)
        }
    }

    /// Whether its times are readable.
    pub(super) fn check(&self) -> Result<(), String> {
        for time in [&self.from, &self.to] {
            if minutes(time).is_none() {
                return Err(format!("`{time}` is not a time of the form HH:MM"));
            }
        }
        if self.days.is_empty() {
            return Err("a change window needs at least one day".into());
        }
        Ok(())
    }

    fn opens_on(&self, weekday: Weekday) -> bool {
        let day = match weekday {
            Weekday::Monday => Day::Mon,
            Weekday::Tuesday => Day::Tue,
            Weekday::Wednesday => Day::Wed,
            Weekday::Thursday => Day::Thu,
            Weekday::Friday => Day::Fri,
            Weekday::Saturday => Day::Sat,
            Weekday::Sunday => Day::Sun,
        };
        self.days.contains(&day)
    }
}

/// Minutes since midnight of `HH:MM`.
fn minutes(time: &str) -> Option<i32> {
    let (hours, minutes) = time.split_once(':')?;
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    ((0..24).contains(&hours) && (0..60).contains(&minutes)).then_some(hours * 60 + minutes)
}
