//! A pattern, compiled.
//!
//! However a pattern is nested, it means: *one of these alternatives, and of an alternative every
//! field*. Only `$or` makes more than one alternative. A field is a path (its keys joined by dots,
//! as EventBridge does, so that `{"a.b": …}` and `{"a": {"b": …}}` are the same) and a list of
//! conditions, of which one value at that path must meet one.

mod compile;
mod trie;

use std::fmt;

pub(crate) use trie::{ROOT, Trie};

use crate::condition::{Condition, Scalar};
use crate::error::{EventError, PatternError};
use crate::event::Event;
use crate::explain::Explanation;
use crate::options::Options;

/// An event pattern. It is immutable and can be shared between threads.
///
/// ```
/// use event_pattern::Pattern;
///
/// let pattern = Pattern::parse(r#"{"detail": {"state": [{"prefix": "run"}]}}"#)?;
/// assert!(pattern.matches(br#"{"detail": {"state": "running"}}"#)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Pattern {
    text: Box<str>,
    options: Options,
    fields: Vec<Field>,
    /// Indexes into `fields`, each in the order of the paths.
    alternatives: Vec<Box<[usize]>>,
    trie: Trie,
}

/// What a pattern asks of one path.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    /// Keys joined by dots.
    pub path: Box<str>,
    /// The array of conditions as it stands in the pattern, without whitespace.
    pub wanted: Box<str>,
    pub conditions: Box<[Condition]>,
    /// `{"exists": false}` is one of the conditions.
    pub or_absent: bool,
    /// Where the path ends in the pattern's trie.
    pub node: usize,
}

impl Field {
    pub fn holds(&self, value: Scalar<'_>) -> bool {
        self.conditions.iter().any(|it| it.holds(value))
    }
}

impl Pattern {
    /// Reads a pattern with [`Options::default`].
    ///
    /// # Errors
    /// If it is not valid: with the place and EventBridge's complaint.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        Self::parse_with(text, &Options::default())
    }

    /// Reads a pattern. The options also hold when it is matched.
    ///
    /// # Errors
    /// If it is not valid: with the place and EventBridge's complaint.
    pub fn parse_with(text: &str, options: &Options) -> Result<Self, PatternError> {
        compile::compile(text, options)
    }

    /// Does this event, a JSON text, match?
    ///
    /// The whole text is checked. To match many patterns or many events, build a
    /// [`PatternSet`](crate::PatternSet): it is far faster.
    ///
    /// # Errors
    /// If the text is not a JSON object, or breaks a limit of the pattern's [`Options`].
    pub fn matches(&self, event: &[u8]) -> Result<bool, EventError> {
        let event = Event::read(event, &self.trie, &self.options)?;
        for alternative in &self.alternatives {
            if event.satisfies(self.fields_of(alternative), &self.trie, &self.options.limits)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Why does this event match or not?
    ///
    /// # Errors
    /// As [`Pattern::matches`].
    pub fn explain(&self, event: &[u8]) -> Result<Explanation, EventError> {
        let event = Event::read(event, &self.trie, &self.options)?;
        Explanation::new(self, &event)
    }

    /// The text it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    pub(crate) fn trie(&self) -> &Trie {
        &self.trie
    }

    pub(crate) fn alternatives(
        &self,
    ) -> impl Iterator<Item = impl Iterator<Item = &Field> + Clone> {
        self.alternatives.iter().map(|it| self.fields_of(it))
    }

    fn fields_of<'a>(
        &'a self,
        alternative: &'a [usize],
    ) -> impl Iterator<Item = &'a Field> + Clone {
        alternative.iter().filter_map(|it| self.fields.get(*it))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::str::FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        Self::parse(text)
    }
}
