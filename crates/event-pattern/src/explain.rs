//! Why an event did not match.

use std::fmt;

use crate::error::EventError;
use crate::event::Event;
use crate::pattern::{Field, Pattern};

/// Values of one field that are listed; the rest is counted.
const FOUND_SHOWN_MAX: usize = 10;

/// How one pattern judged one event. [`Pattern::explain`] makes it.
///
/// Of a pattern with `$or` only the alternative that came closest is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    matched: bool,
    alternatives: usize,
    misses: Vec<Miss>,
}

/// A field that was not as wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Miss {
    path: String,
    wanted: String,
    found: Vec<String>,
}

impl Explanation {
    pub(crate) fn new(pattern: &Pattern, event: &Event<'_>) -> Result<Self, EventError> {
        let mut matched = false;
        let mut closest: Option<Vec<&Field>> = None;
        let mut alternatives = 0;
        for fields in pattern.alternatives() {
            alternatives += 1;
            matched |=
                event.satisfies(fields.clone(), pattern.trie(), &pattern.options().limits)?;
            let missed: Vec<_> = fields.filter(|it| !event.meets(it)).collect();
            if closest.as_ref().is_none_or(|it| missed.len() < it.len()) {
                closest = Some(missed);
            }
        }
        let missed = if matched { Vec::new() } else { closest.unwrap_or_default() };
        let misses = missed.into_iter().map(|it| Miss::new(it, event)).collect();
        Ok(Self { matched, alternatives, misses })
    }

    /// The event matches.
    pub fn matched(&self) -> bool {
        self.matched
    }

    /// Into how many alternatives the pattern's `$or`s unfold; 1 without any.
    pub fn alternatives(&self) -> usize {
        self.alternatives
    }

    /// The fields of the closest alternative that were not as wanted, in the order of their paths.
    ///
    /// Empty if the event matches. Empty also if it has a fitting value for every field, but only
    /// in different elements of one array.
    pub fn misses(&self) -> &[Miss] {
        &self.misses
    }
}

impl Miss {
    fn new(field: &Field, event: &Event<'_>) -> Self {
        let found = event.found(field.node).collect();
        Self { path: field.path.to_string(), wanted: field.wanted.to_string(), found }
    }

    /// The field's keys, joined by dots.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The pattern's array for this field, as JSON: one of its elements would have been enough.
    pub fn wanted(&self) -> &str {
        &self.wanted
    }

    /// The values that the event has there, each as JSON; empty if there is none.
    pub fn found(&self) -> &[String] {
        &self.found
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.matched {
            return f.write_str("the event matches");
        }
        f.write_str("the event does not match")?;
        if 1 < self.alternatives {
            write!(f, "; this is the closest of {} alternatives", self.alternatives)?;
        }
        for miss in &self.misses {
            write!(f, "\n  {miss}")?;
        }
        if self.misses.is_empty() {
            f.write_str(
                "\n  every field has a fitting value, but in different elements of one array",
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: wanted {}, found ", self.path, self.wanted)?;
        if self.found.is_empty() {
            return f.write_str("nothing");
        }
        for (index, found) in self.found.iter().take(FOUND_SHOWN_MAX).enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{found}")?;
        }
        match self.found.len().saturating_sub(FOUND_SHOWN_MAX) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
