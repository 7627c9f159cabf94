//! Yes, no, or unknown: the truth value of a fact that may hang on something we could not see.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Kleene's three-valued logic. Serialized as `yes`, `no` or `unknown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Tri {
    /// It holds, whatever the unknown parts are.
    Yes,
    /// It does not hold, whatever the unknown parts are.
    No,
    /// It depends on something that could not be seen.
    Unknown,
}

impl Tri {
    /// One side is enough for `yes`; only two `no`s make `no`.
    #[must_use]
    pub fn or(self, other: Tri) -> Tri {
        match (self, other) {
            (Tri::Yes, _) | (_, Tri::Yes) => Tri::Yes,
            (Tri::No, Tri::No) => Tri::No,
            _ => Tri::Unknown,
        }
    }

    /// One side is enough for `no`; only two `yes`es make `yes`.
    #[must_use]
    pub fn and(self, other: Tri) -> Tri {
        self.negate().or(other.negate()).negate()
    }

    /// The opposite; unknown stays unknown.
    #[must_use]
    pub fn negate(self) -> Tri {
        match self {
            Tri::Yes => Tri::No,
            Tri::No => Tri::Yes,
            Tri::Unknown => Tri::Unknown,
        }
    }
}

impl From<bool> for Tri {
    fn from(it: bool) -> Tri {
        if it { Tri::Yes } else { Tri::No }
    }
}

impl From<Option<bool>> for Tri {
    fn from(it: Option<bool>) -> Tri {
        it.map_or(Tri::Unknown, Tri::from)
    }
}
