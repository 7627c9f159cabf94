//! Numbers as EventBridge compares them.
//!
//! A number takes part in a comparison if a double carries it without loss: its decimal value must
//! be exactly the shortest decimal that names its double. That holds for everything with up to 15
//! significant digits, and it keeps 20-digit identifiers from being equal to their neighbors.
//! Numbers that no double carries are equal only if they are written alike.
//!
//! (The user guide still names ±5.0e9 as the range and 15 digits as the precision. The engine has
//! outgrown the range, as its own conformance rows show.)

use std::fmt::Write as _;

/// Significant digits that survive decimal → double → shortest decimal, whatever they are.
const DIGITS_ALWAYS_EXACT: usize = 15;

/// Far from where doubles overflow or lose digits, in powers of ten.
const EXPONENT_ALWAYS_EXACT: i64 = 280;

/// A number that a value should be equal to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Number {
    text: Box<str>,
    value: Option<f64>,
}

impl Number {
    pub fn new(text: &str) -> Self {
        Self { text: text.into(), value: comparable(text.as_bytes()) }
    }

    pub fn equals(&self, text: &[u8]) -> bool {
        self.text.as_bytes() == text || (self.value.is_some() && self.value == comparable(text))
    }
}

/// One end of a numeric range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bound {
    Including(f64),
    Excluding(f64),
    None,
}

impl Bound {
    /// As the lower end.
    pub fn admits_above(self, value: f64) -> bool {
        match self {
            Self::Including(low) => low <= value,
            Self::Excluding(low) => low < value,
            Self::None => true,
        }
    }

    /// As the upper end.
    pub fn admits_below(self, value: f64) -> bool {
        match self {
            Self::Including(high) => value <= high,
            Self::Excluding(high) => value < high,
            Self::None => true,
        }
    }
}

/// The double that carries a JSON number without loss, if there is one. `-0` is `0`.
pub(crate) fn comparable(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    let value: f64 = text.parse().ok()?;
    if !value.is_finite() {
        return None;
    }
    let written = Decimal::new(text)?;
    if written.digits().count() <= DIGITS_ALWAYS_EXACT
        && written.exponent.abs() <= EXPONENT_ALWAYS_EXACT
    {
        return Some(value + 0.0);
    }
    let mut shortest = ShortText::default();
    write!(shortest, "{value:e}").ok()?;
    let carried = Decimal::new(shortest.as_str()?)?;
    written.equals(&carried).then_some(value + 0.0)
}

/// A decimal number as sign, digits and the power of ten of its first significant digit.
struct Decimal<'a> {
    negative: bool,
    mantissa: &'a str,
    exponent: i64,
}

impl<'a> Decimal<'a> {
    fn new(text: &'a str) -> Option<Self> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, power) = match text.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, power.parse::<i64>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let whole = whole.trim_start_matches('0');
        let first = if whole.is_empty() {
            let zeros = fraction.bytes().take_while(|it| *it == b'0').count();
            -i64::try_from(zeros).ok()? - 1
        } else {
            i64::try_from(whole.len()).ok()? - 1
        };
        Some(Self { negative, mantissa, exponent: power.checked_add(first)? })
    }

    /// The significant digits: no leading, no trailing zeros.
    fn digits(&self) -> impl Iterator<Item = u8> {
        let not_significant = ['0', '.'];
        let mantissa = self.mantissa.trim_start_matches(not_significant);
        let mantissa = if self.mantissa.contains('.') {
            mantissa.trim_end_matches(not_significant)
        } else {
            mantissa.trim_end_matches('0')
        };
        mantissa.bytes().filter(|it| *it != b'.')
    }

    fn equals(&self, other: &Decimal<'_>) -> bool {
        let zero = self.digits().next().is_none();
        self.digits().eq(other.digits())
            && (zero || (self.negative == other.negative && self.exponent == other.exponent))
    }
}

/// Long enough for every double in `{:e}` form (at most 24 bytes): no allocation for a comparison.
#[derive(Default)]
struct ShortText {
    bytes: [u8; 32],
    length: usize,
}

impl ShortText {
    fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(self.bytes.get(..self.length)?).ok()
    }
}

impl std::fmt::Write for ShortText {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.length + text.len();
        let room = self.bytes.get_mut(self.length..end).ok_or(std::fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_comparable_if_a_double_carries_it() {
        for text in [
            "0",
            "-0",
            "0.0",
            "0e999",
            "1",
            "-1.5",
            "300.0",
            "3e2",
            "0.30",
            "1E-320",
            "5e-324",
            "123456789012345",
            "9007199254740992",
            "287.48116291799363",
            "1.7976931348623157e308",
            "0.1000000000000000",
            "10000000000000000000000",
            "1e23",
        ] {
            assert!(comparable(text.as_bytes()).is_some(), "{text}");
        }
        for text in [
            "1e400",
            "-1e400",
            "1e-400",
            "12345678901234567890",
            "9007199254740993",
            "0.10000000000000001",
            "1e99999999999999999999",
            "1152921504606846976",
        ] {
            assert_eq!(comparable(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn equal_numbers_may_be_written_differently() {
        for (left, right) in [("300", "300.0"), ("3.018e2", "301.8"), ("0", "-0.0"), ("1e2", "100")]
        {
            assert!(Number::new(left).equals(right.as_bytes()), "{left} {right}");
        }
        let account = Number::new("12345678901234567890");
        assert!(account.equals(b"12345678901234567890"));
        assert!(!account.equals(b"12345678901234567891"));
        assert!(!account.equals(b"12345678901234567890.0"));
    }
}
