//! What the EventBridge *service* adds to the language, and every limit.
//!
//! The language itself is the same everywhere; how strict the door is differs. `PutRule` refuses
//! some patterns that the matching engine could run, and `TestEventPattern` refuses events that a
//! bus would have completed. Each such behavior is a named option here, so none is a surprise.

/// How a pattern is parsed and what an event must look like.
///
/// [`Options::default`] is the language alone; [`Options::test_event_pattern`] adds what the
/// `TestEventPattern` API checks. Start from one of them and change fields.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// Refuse a pattern whose wildcards could be alive in more than
    /// [`Limits::wildcard_states_max`] places at once, as the service does ("Rule is too complex").
    pub reject_complex_wildcards: bool,
    /// Refuse an event without `id`, `account`, `source`, `time`, `region` and `detail-type`, as
    /// `TestEventPattern` does ("Parameter Event is not valid").
    pub require_event_fields: bool,
    /// What a pattern that names one path twice means.
    pub duplicate_keys: DuplicateKeys,
    /// Read `$or` as an ordinary field name in a pattern in which it cannot be the operator: it is
    /// not followed by an array of at least two objects, or a branch has a field that is named like
    /// an operator. Rules that were written before `$or` existed keep their meaning this way. Off:
    /// such a pattern is refused.
    pub or_may_be_field: bool,
    /// Sizes and counts.
    pub limits: Limits,
}

/// What a pattern that names one path twice means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DuplicateKeys {
    /// The last one holds, as in EventBridge.
    LastWins,
    /// Such a pattern is refused: it is nearly always a mistake.
    Reject,
}

/// Upper bounds, so that no input can take unbounded time, memory or stack.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Length of a pattern. EventBridge's own quota is 2,048 characters and can be raised.
    pub pattern_bytes_max: usize,
    /// Nesting of objects and arrays in a pattern, and steps of a path: a key with dots is several.
    pub pattern_depth_max: usize,
    /// Field combinations that the `$or`s of one pattern may unfold to. EventBridge: 1,000.
    pub or_combinations_max: usize,
    /// Length of all paths of a pattern together, each as often as there are combinations of `$or`
    /// that hold it, and none taken for shorter than 32 bytes.
    pub paths_bytes_max: usize,
    /// Places in which the wildcards of one field may be alive at once. EventBridge does not
    /// publish its number; this one agrees with what the service was seen to take and refuse. It
    /// counts only with [`Options::reject_complex_wildcards`].
    pub wildcard_states_max: usize,
    /// Length of an event. EventBridge's own limit is 1 MiB.
    pub event_bytes_max: usize,
    /// Nesting of objects and arrays in an event.
    pub event_depth_max: usize,
    /// Comparisons that array consistency may take for one pattern and one event in which an
    /// array's key occurs twice. Without such twins the work grows with the event only.
    pub array_choices_max: usize,
}

impl Options {
    /// What the `TestEventPattern` API does: complex wildcards are refused, and so are events
    /// without the mandatory fields.
    pub fn test_event_pattern() -> Self {
        Self { reject_complex_wildcards: true, require_event_fields: true, ..Self::default() }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            reject_complex_wildcards: false,
            require_event_fields: false,
            duplicate_keys: DuplicateKeys::LastWins,
            or_may_be_field: false,
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pattern_bytes_max: 256 * 1024,
            pattern_depth_max: 100,
            or_combinations_max: 1_000,
            paths_bytes_max: 16 * 1024 * 1024,
            wildcard_states_max: 10,
            event_bytes_max: 16 * 1024 * 1024,
            event_depth_max: 1_000,
            array_choices_max: 1_000_000,
        }
    }
}
