//! Many patterns against one event in one pass.
//!
//! An event is looked at in three steps, each only as far as needed:
//!
//! 1. [`Index`] finds the quotes and brackets of the text.
//! 2. [`walk`] goes through the event's own fields and those of `detail` and notes what lies at the
//!    paths of any pattern. What no pattern asks about is stepped over. Deeper containers are noted
//!    by their place only.
//! 3. [`plan`] has sorted the patterns by what an event must be to match them at all: its
//!    `source`, `detail-type`, `eventSource` or `eventName`. [`judge`] tests the few that are left,
//!    and goes into a deeper container when a pattern that is still possible asks.
//!
//! There is no automaton: a set is built in milliseconds and takes kilobytes.

mod byte_map;
mod judge;
mod plan;
mod walk;

use std::fmt;

use crate::envelope::Envelope;
use crate::error::EventError;
use crate::event::{check_size, utf8};
use crate::index::Index;
use crate::json::{Reader, Token};
use crate::options::Limits;
use crate::pattern::{Pattern, ROOT};
use judge::Judge;
use plan::Plan;
use walk::{Notes, Walk};

/// The deepest nesting that a set goes into.
const DEPTH_MAX: usize = 1_000;

/// Patterns that are matched together. It is immutable and can be shared between threads; each
/// thread needs a [`Scratch`] of its own.
///
/// ```
/// use event_pattern::{Pattern, PatternSet, Scratch};
///
/// let buckets = Pattern::parse(r#"{"source": ["aws.s3"]}"#)?;
/// let failures = Pattern::parse(r#"{"detail": {"errorCode": [{"exists": true}]}}"#)?;
/// let set = PatternSet::build([(1, buckets), (2, failures)]);
/// let mut scratch = Scratch::default();
///
/// let event = br#"{"source": "aws.s3", "detail": {"errorCode": "AccessDenied"}}"#;
/// assert_eq!(set.matches(event, &mut scratch)?, [1, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct PatternSet {
    plan: Plan,
    limits: Limits,
}

/// Memory that matching needs and keeps, so that the next event costs no allocation.
#[derive(Debug, Default)]
pub struct Scratch {
    index: Index,
    notes: Notes,
    judge: Judge,
}

impl PatternSet {
    /// Makes a set of patterns, each with an id of the caller's choice. Patterns may share an id:
    /// it matches if one of them does.
    ///
    /// The limits of events are those of [`Limits::default`]. The options of the single patterns
    /// have done their work when they were parsed; [`require_event_fields`] holds for
    /// [`Pattern::matches`] only.
    ///
    /// [`require_event_fields`]: crate::Options::require_event_fields
    pub fn build(patterns: impl IntoIterator<Item = (u32, Pattern)>) -> Self {
        Self::build_with(patterns, &Limits::default())
    }

    /// Makes a set with limits for events. It goes at most 1,000 levels deep, whatever
    /// [`event_depth_max`](Limits::event_depth_max) says.
    pub fn build_with(patterns: impl IntoIterator<Item = (u32, Pattern)>, limits: &Limits) -> Self {
        let patterns: Vec<_> = patterns.into_iter().collect();
        let mut limits = limits.clone();
        limits.event_bytes_max = limits.event_bytes_max.min(u32::MAX as usize);
        limits.event_depth_max = limits.event_depth_max.min(DEPTH_MAX);
        Self { plan: Plan::new(&patterns), limits }
    }

    /// The ids of the patterns that match this event, a JSON text: ascending, each once.
    ///
    /// What no pattern asks about is checked for closed strings and balanced brackets only; on a
    /// JSON text the answer is that of [`Pattern::matches`] for every pattern.
    ///
    /// # Errors
    /// If the text is not a JSON object as far as it was looked at, or breaks a limit.
    pub fn matches<'s>(
        &self,
        event: &[u8],
        scratch: &'s mut Scratch,
    ) -> Result<&'s [u32], EventError> {
        self.matches_at(ROOT, None, event, scratch)
    }

    /// The ids of the patterns that match an event of which only the `detail`, an object, is given
    /// as JSON text and the rest is small: ascending, each once.
    ///
    /// That is how CloudTrail log files are matched: patterns are written against the events that
    /// EventBridge makes of their records. See [`records`](crate::records).
    ///
    /// # Errors
    /// As [`PatternSet::matches`]; offsets count from the beginning of `detail`.
    pub fn matches_detail<'s>(
        &self,
        envelope: &Envelope<'_>,
        detail: &[u8],
        scratch: &'s mut Scratch,
    ) -> Result<&'s [u32], EventError> {
        self.matches_at(self.plan.detail(), Some(envelope), detail, scratch)
    }

    /// Matches an object that lies at a node of the patterns' tree.
    fn matches_at<'s>(
        &self,
        node: usize,
        envelope: Option<&Envelope<'_>>,
        object: &[u8],
        scratch: &'s mut Scratch,
    ) -> Result<&'s [u32], EventError> {
        let Scratch { index, notes, judge } = scratch;
        check_size(object, self.limits.event_bytes_max)?;
        let depth_max = self.limits.event_depth_max;
        index.look_at(object);
        if !index.ascii() {
            utf8(object)?;
        }
        let steps = index.steps(object, depth_max);
        if index.open_string() {
            return Err(*steps.fault(object.len(), "the string does not end"));
        }
        notes.clear(self.plan.nodes());
        let mut walk = Walk::new(&self.plan, steps, notes);
        if let Some(envelope) = envelope {
            walk.note_envelope(envelope);
        }
        let start = steps.past_space(0);
        if steps.byte(start) != Some(b'{') {
            return Err(not_an_object(object, depth_max));
        }
        let depth = usize::from(node != ROOT);
        let end = walk.container(node, start, depth).map_err(|it| *it)?;
        let end = steps.past_space(end);
        if end != object.len() {
            return Err(*steps.fault(end, "nothing may follow the value"));
        }
        judge.all(&self.plan, &mut walk, self.limits.array_choices_max)
    }
}

impl fmt::Debug for PatternSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PatternSet").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// What is wrong with a text that is not an object.
#[cold]
fn not_an_object(text: &[u8], depth_max: usize) -> EventError {
    let text = match utf8(text) {
        Ok(text) => text,
        Err(error) => return error,
    };
    let mut reader = Reader::new(text, depth_max);
    loop {
        match reader.next() {
            Ok(Token::End) => return EventError::NotAnObject,
            Ok(_) => {}
            Err(error) => return error.into(),
        }
    }
}
