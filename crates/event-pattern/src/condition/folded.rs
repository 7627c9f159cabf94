//! Comparing strings whatever their case.
//!
//! Each character of the *pattern* stands for its lower-case and its upper-case form; the value is
//! not folded. So `ß` takes `ß` and `SS`, and `ς` takes `ς` and `Σ` but not `σ`. A character beyond
//! the Basic Multilingual Plane is treated like every other.

/// A string that is equal to others that differ in case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Folded {
    Ascii(Box<[u8]>),
    Unicode(Box<[Cases]>),
}

/// The two forms of one character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cases {
    lower: Box<str>,
    upper: Box<str>,
}

impl Folded {
    pub fn new(text: &str) -> Self {
        if text.is_ascii() {
            return Self::Ascii(text.as_bytes().into());
        }
        let cases = |it: char| Cases {
            lower: it.to_lowercase().collect::<String>().into(),
            upper: it.to_uppercase().collect::<String>().into(),
        };
        Self::Unicode(text.chars().map(cases).collect())
    }

    pub fn equals(&self, text: &[u8]) -> bool {
        match self {
            Self::Ascii(wanted) => wanted.eq_ignore_ascii_case(text),
            Self::Unicode(cases) => strip_start(cases, text) == Some(&[]),
        }
    }

    pub fn is_prefix_of(&self, text: &[u8]) -> bool {
        match self {
            Self::Ascii(wanted) => {
                let start = text.get(..wanted.len());
                start.is_some_and(|it| wanted.eq_ignore_ascii_case(it))
            }
            Self::Unicode(cases) => strip_start(cases, text).is_some(),
        }
    }

    pub fn is_suffix_of(&self, text: &[u8]) -> bool {
        match self {
            Self::Ascii(wanted) => {
                let from = text.len().checked_sub(wanted.len());
                let end = from.and_then(|from| text.get(from..));
                end.is_some_and(|it| wanted.eq_ignore_ascii_case(it))
            }
            Self::Unicode(cases) => cases
                .iter()
                .rev()
                .try_fold(text, |rest, it| {
                    rest.strip_suffix(it.lower.as_bytes())
                        .or_else(|| rest.strip_suffix(it.upper.as_bytes()))
                })
                .is_some(),
        }
    }
}

fn strip_start<'a>(cases: &[Cases], text: &'a [u8]) -> Option<&'a [u8]> {
    cases.iter().try_fold(text, |rest, it| {
        rest.strip_prefix(it.lower.as_bytes()).or_else(|| rest.strip_prefix(it.upper.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_does_not_matter() {
        for (pattern, text) in [
            ("AlbeRT", "aLBErt"),
            ("", ""),
            ("straße", "STRASSE"),
            ("ÉCOLE", "école"),
            ("ⱥ", "Ⱥ"),
            ("🚀x", "🚀X"),
            ("𐐀", "𐐨"),
        ] {
            assert!(Folded::new(pattern).equals(text.as_bytes()), "{pattern} {text}");
        }
        for (pattern, text) in [("k", "\u{212A}"), ("ς", "σ"), ("ab", "abc"), ("ß", "sS")] {
            assert!(!Folded::new(pattern).equals(text.as_bytes()), "{pattern} {text}");
        }
    }

    #[test]
    fn starts_and_ends() {
        assert!(Folded::new("EventB").is_prefix_of("eVENTbridge".as_bytes()));
        assert!(Folded::new("É").is_prefix_of("école".as_bytes()));
        assert!(!Folded::new("école").is_prefix_of("ÉC".as_bytes()));
        assert!(Folded::new(".PNG").is_suffix_of("image.png".as_bytes()));
        assert!(Folded::new("ß").is_suffix_of("FUSS".as_bytes()));
        assert!(!Folded::new("long").is_suffix_of("ong".as_bytes()));
        assert!(Folded::new("").is_suffix_of("x".as_bytes()));
    }
}
