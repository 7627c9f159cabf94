//! How far a scan has come, and how it is kept so that the next one goes on from there.
//!
//! Steps and their resources have one order. What is looked at side by side ends in another, so a
//! scan has come as far as the last resource before which everything is done. What lies behind that
//! is looked at again, which changes nothing.
//!
//! What is kept fits one plan: the same places, types and policies with the same content. A scan by
//! another plan begins anew, as does one that comes too late: what was seen a day ago is not seen.

use super::Step;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use thiserror::Error;

/// The value of `schema`.
pub const SCHEMA: &str = "quell.scan-progress/v1";
/// How old the beginning of a scan may be that is gone on with, in seconds: a day.
pub const PROGRESS_AGE_MAX_S: i64 = 24 * 3600;
/// The largest text that is taken for a progress, in bytes.
pub const PROGRESS_MAX_BYTES: usize = 64 * 1024;

/// A resource that was looked at, as were all before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// In which step.
    pub step: Step,
    /// Its id.
    pub resource: String,
}

/// How far a scan has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// [`SCHEMA`].
    schema: String,
    /// A digest of what the scan looks at, and by which policies.
    pub plan: String,
    /// When it began.
    pub began: Timestamp,
    /// The last resource before which everything is done.
    pub after: Mark,
}

/// Why a scan that should go on begins anew. None of them is a failure.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Anew {
    /// Nothing was kept.
    #[error("no scan was stopped")]
    Nothing,
    /// What was kept is not readable as a progress.
    #[error("what was kept of the scan that was stopped can't be read: {0}")]
    Unreadable(String),
    /// Another configuration.
    #[error("the scan that was stopped looked at other places, or by other policies")]
    OtherPlan,
    /// Older than [`PROGRESS_AGE_MAX_S`].
    #[error("the scan that was stopped began at {0}, which is too long ago")]
    TooOld(Timestamp),
}

impl Progress {
    /// A scan by `plan` that has come as far as `after`.
    pub fn new(plan: String, began: Timestamp, after: Mark) -> Progress {
        Progress { schema: SCHEMA.to_owned(), plan, began, after }
    }

    /// As it is kept.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads what was kept, if a scan by `plan` can go on from it now.
    pub fn read(kept: Option<&str>, plan: &str, now: Timestamp) -> Result<Progress, Anew> {
        let text = kept.ok_or(Anew::Nothing)?;
        if PROGRESS_MAX_BYTES < text.len() {
            let problem = format!("{} bytes; the limit is {PROGRESS_MAX_BYTES} bytes", text.len());
            return Err(Anew::Unreadable(problem));
        }
        let progress: Progress =
            serde_json::from_str(text).map_err(|it| Anew::Unreadable(it.to_string()))?;
        if progress.schema != SCHEMA {
            return Err(Anew::Unreadable(format!("its `schema` is `{}`", progress.schema)));
        }
        if progress.plan != plan {
            return Err(Anew::OtherPlan);
        }
        let age = now.duration_since(progress.began);
        if age.is_negative() || SignedDuration::from_secs(PROGRESS_AGE_MAX_S) < age {
            return Err(Anew::TooOld(progress.began));
        }
        Ok(progress)
    }
}

/// What has begun and what has ended.
#[derive(Debug, Default)]
pub struct Trail {
    begun: usize,
    under_way: BTreeMap<usize, Mark>,
    /// Ended, with something before it that has not.
    ended: BTreeMap<usize, Mark>,
    after: Option<Mark>,
}

impl Trail {
    /// Nothing has begun behind what an earlier scan has done.
    pub fn behind(after: Mark) -> Trail {
        Trail { after: Some(after), ..Trail::default() }
    }

    /// The next look begins. Returns its number.
    pub fn begin(&mut self, mark: Mark) -> usize {
        let number = self.begun;
        self.begun += 1;
        self.under_way.insert(number, mark);
        number
    }

    /// A look has ended.
    pub fn end(&mut self, number: usize) {
        let Some(mark) = self.under_way.remove(&number) else { return };
        self.ended.insert(number, mark);
        let first_under_way = self.under_way.keys().next().copied().unwrap_or(usize::MAX);
        let rest = self.ended.split_off(&first_under_way);
        if let Some((_, mark)) = std::mem::replace(&mut self.ended, rest).pop_last() {
            self.after = Some(mark);
        }
    }

    /// The last look before which all have ended.
    pub fn after(&self) -> Option<&Mark> {
        self.after.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quell_core::event::CloudScope;

    fn mark(resource: &str) -> Mark {
        let place =
            CloudScope { account: "111122223333".to_owned(), region: "eu-west-1".to_owned() };
        let step = Step { place, kind: "AWS::S3::Bucket".to_owned() };
        Mark { step, resource: resource.to_owned() }
    }

    #[test]
    fn it_has_come_as_far_as_everything_before_is_done() {
        let mut trail = Trail::default();
        let numbers: Vec<usize> = ["a", "b", "c", "d"].map(|it| trail.begin(mark(it))).to_vec();
        trail.end(numbers[1]);
        assert_eq!(trail.after(), None);
        trail.end(numbers[2]);
        assert_eq!(trail.after(), None);
        trail.end(numbers[0]);
        assert_eq!(trail.after(), Some(&mark("c")));
        trail.end(numbers[0]);
        trail.end(numbers[3]);
        assert_eq!(trail.after(), Some(&mark("d")));
    }

    #[test]
    fn what_was_kept_is_taken_only_where_it_fits() {
        let began = Timestamp::constant(1_767_603_600, 0);
        let now = began.checked_add(SignedDuration::from_secs(60)).unwrap();
        let progress = Progress::new("plan".to_owned(), began, mark("a"));
        let text = progress.text();
        assert_eq!(Progress::read(Some(&text), "plan", now), Ok(progress));
        assert_eq!(Progress::read(None, "plan", now), Err(Anew::Nothing));
        assert_eq!(Progress::read(Some(&text), "other", now), Err(Anew::OtherPlan));
        let later = began.checked_add(SignedDuration::from_secs(PROGRESS_AGE_MAX_S + 1)).unwrap();
        assert_eq!(Progress::read(Some(&text), "plan", later), Err(Anew::TooOld(began)));
        let long = " ".repeat(PROGRESS_MAX_BYTES + 1);
        let (half, newer) = (text.get(..text.len() / 2).unwrap(), text.replace("/v1", "/v2"));
        for broken in ["", "{}", "nonsense", half, newer.as_str(), long.as_str()] {
            let refused = Progress::read(Some(broken), "plan", now);
            assert!(matches!(refused, Err(Anew::Unreadable(_))), "{broken:.40}: {refused:?}");
        }
    }
}
