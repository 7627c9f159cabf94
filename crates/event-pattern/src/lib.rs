//! EventBridge's event pattern language. (Being written on branch `pattern`; replace this file.)

/// A parsed pattern.
#[derive(Debug, Clone)]
pub struct Pattern(());

/// Why a text is no pattern.
#[derive(Debug, thiserror::Error)]
#[error("not a pattern")]
pub struct PatternError;

impl Pattern {
    /// Parses a pattern.
    pub fn parse(text: &str) -> Result<Pattern, PatternError> {
        serde_json::from_str::<serde_json::Value>(text).map_err(|_| PatternError)?;
        Ok(Pattern(()))
    }
}
