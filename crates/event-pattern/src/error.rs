//! What can be wrong: with a pattern, with an event.

use std::fmt;

/// Why a pattern is not valid: where, and what EventBridge says about it.
///
/// It reads ``at `$.detail.state[0]`: prefix match pattern must be a string``.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at `{path}`: {reason}")]
pub struct PatternError {
    path: String,
    reason: String,
}

impl PatternError {
    pub(crate) fn new(path: String, reason: impl Into<String>) -> Self {
        Self { path, reason: reason.into() }
    }

    /// The place in the pattern, as a JSON path: `$.detail.state[0]`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The complaint alone, in the words of the EventBridge API where it has words for it.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

/// Why an event cannot be matched at all. It says nothing about the pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// Longer than [`event_bytes_max`](crate::Limits::event_bytes_max).
    #[error("the event has {bytes} bytes, more than the {bytes_max} allowed")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// Nested deeper than [`event_depth_max`](crate::Limits::event_depth_max).
    #[error("the event is nested deeper than {depth_max} levels at byte {offset}")]
    TooDeep {
        /// The limit.
        depth_max: usize,
        /// Where the level above the limit opens.
        offset: usize,
    },
    /// Not UTF-8.
    #[error("the event is not UTF-8 at byte {offset}")]
    NotUtf8 {
        /// The first byte that is not.
        offset: usize,
    },
    /// Not JSON (RFC 8259).
    #[error("the event is not JSON at byte {offset}: {reason}")]
    NotJson {
        /// The first byte that does not fit.
        offset: usize,
        /// What was expected.
        reason: &'static str,
    },
    /// JSON, but not an object.
    #[error("the event is not a JSON object")]
    NotAnObject,
    /// A field is missing that `TestEventPattern` insists on.
    #[error("the event lacks the mandatory field `{field}`")]
    MissingField {
        /// Its name.
        field: &'static str,
    },
    /// Keys that occur twice make too many ways to choose array elements.
    #[error("the event repeats keys of arrays in more than {choices_max} combinations")]
    TooManyChoices {
        /// [`array_choices_max`](crate::Limits::array_choices_max).
        choices_max: usize,
    },
}

/// What the reader found wrong with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JsonError {
    pub offset: usize,
    pub fault: Fault,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    TooDeep { depth_max: usize },
    Syntax(&'static str),
}

impl From<JsonError> for EventError {
    fn from(JsonError { offset, fault }: JsonError) -> Self {
        match fault {
            Fault::TooDeep { depth_max } => Self::TooDeep { depth_max, offset },
            Fault::Syntax(reason) => Self::NotJson { offset, reason },
        }
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fault {
            Fault::TooDeep { depth_max } => write!(f, "nested deeper than {depth_max} levels"),
            Fault::Syntax(reason) => write!(f, "not JSON at byte {}: {reason}", self.offset),
        }
    }
}
