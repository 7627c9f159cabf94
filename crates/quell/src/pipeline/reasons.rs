//! Why a delivery is not done, told within bounds.
//!
//! A delivery can hold as many wrong records as its bytes allow, and each error may quote what is
//! wrong. Whoever reads the log or the ledger needs the first few of them and how many there are;
//! all of them together may be more than the ledger takes of one fact.

/// Most reasons of one delivery that are told; the rest is counted.
pub const REASONS_TOLD_MAX: usize = 10;
/// Longest text of one reason, in bytes; the rest is cut off.
pub const REASON_MAX_BYTES: usize = 1024;

/// The reasons of one delivery.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reasons {
    told: Vec<String>,
    more: usize,
}

impl Reasons {
    /// Takes one in.
    pub fn push(&mut self, reason: String) {
        if self.told.len() < REASONS_TOLD_MAX {
            self.told.push(shortened(reason));
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// The first of them, and how many more there are.
    pub fn joined(&self) -> String {
        let told = self.told.join("; ");
        match self.more {
            0 => told,
            more => format!("{told}; and {more} more"),
        }
    }
}

/// A reason without what is too long to be told.
pub fn shortened(mut reason: String) -> String {
    if REASON_MAX_BYTES < reason.len() {
        reason.truncate(reason.floor_char_boundary(REASON_MAX_BYTES));
        reason.push('…');
    }
    reason
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_are_told_and_the_rest_is_counted() {
        let mut reasons = Reasons::default();
        assert!(reasons.is_empty());
        for number in 0..REASONS_TOLD_MAX {
            reasons.push(number.to_string());
        }
        assert_eq!(reasons.joined(), "0; 1; 2; 3; 4; 5; 6; 7; 8; 9");
        for _ in 0..3 {
            reasons.push("x".to_owned());
        }
        assert_eq!(reasons.joined(), "0; 1; 2; 3; 4; 5; 6; 7; 8; 9; and 3 more");
    }

    #[test]
    fn a_long_one_is_cut_between_characters() {
        let short = shortened("é".repeat(REASON_MAX_BYTES));
        assert_eq!(short, format!("{}…", "é".repeat(REASON_MAX_BYTES / 2)));
        let long = format!("a{}", "é".repeat(REASON_MAX_BYTES));
        assert!(shortened(long).len() < REASON_MAX_BYTES + "…".len());
        assert_eq!(shortened("as it is".to_owned()), "as it is");
    }
}
