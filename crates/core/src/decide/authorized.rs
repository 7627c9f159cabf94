//! Authority as a type: what changes the cloud takes an [`Authorized`], and only this module's
//! parent can build one.

/// Proof that a decision allowed `T`. It cannot be built outside [`crate::decide`], cloned into
/// being by deserializing, or changed after the decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Authorized<T>(T);

impl<T> Authorized<T> {
    pub(super) fn new(it: T) -> Authorized<T> {
        Authorized(it)
    }

    /// What was allowed.
    pub fn get(&self) -> &T {
        &self.0
    }
}
