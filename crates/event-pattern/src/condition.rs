//! What one element of a pattern's array asks of one value of an event.
//!
//! A value is a scalar; objects and arrays are never compared (their scalars are). Strings are
//! compared by their meaning, numbers by their value, `true`, `false` and `null` by their kind.

mod folded;
mod ip;
mod number;
mod wildcard;

pub(crate) use folded::Folded;
pub(crate) use ip::{Network, parse_ip};
pub(crate) use number::{Bound, Number, comparable};
pub(crate) use wildcard::{Wildcard, states_alive_max};

use std::net::IpAddr;

/// A scalar of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scalar<'a> {
    /// A string's meaning, escapes resolved: UTF-8.
    Text(&'a [u8]),
    /// A number as it was written: ASCII.
    Number(&'a [u8]),
    True,
    False,
    Null,
}

/// One alternative of a field: `"running"`, `{"prefix": "us-"}`, …
///
/// `{"exists": false}` is not among them: it is about values that are not there.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition {
    True,
    False,
    Null,
    Number(Number),
    Text(Box<str>),
    /// A plain string that reads as an IP address matches every way to write that address.
    Address(IpAddr),
    Exists,
    Prefix(Box<str>),
    PrefixIgnoreCase(Folded),
    Suffix(Box<str>),
    SuffixIgnoreCase(Folded),
    EqualsIgnoreCase(Folded),
    Wildcard(Wildcard),
    Numeric {
        low: Bound,
        high: Bound,
    },
    Cidr(Network),
    /// None of these. It takes values of every kind.
    AnythingBut(Box<[Condition]>),
}

impl Condition {
    pub fn holds(&self, value: Scalar<'_>) -> bool {
        match (self, value) {
            (Self::Exists, _) => true,
            (Self::AnythingBut(unwanted), _) => !unwanted.iter().any(|it| it.holds(value)),
            (_, Scalar::Text(text)) => self.holds_text(text),
            (Self::Number(wanted), Scalar::Number(text)) => wanted.equals(text),
            (Self::Numeric { low, high }, Scalar::Number(text)) => {
                comparable(text).is_some_and(|it| low.admits_above(it) && high.admits_below(it))
            }
            (Self::True, Scalar::True) => true,
            (Self::False, Scalar::False) => true,
            (Self::Null, Scalar::Null) => true,
            _ => false,
        }
    }

    fn holds_text(&self, text: &[u8]) -> bool {
        match self {
            Self::Text(wanted) => wanted.as_bytes() == text,
            Self::Address(wanted) => parse_ip(text) == Some(*wanted),
            Self::Prefix(wanted) => text.starts_with(wanted.as_bytes()),
            Self::PrefixIgnoreCase(wanted) => wanted.is_prefix_of(text),
            Self::Suffix(wanted) => text.ends_with(wanted.as_bytes()),
            Self::SuffixIgnoreCase(wanted) => wanted.is_suffix_of(text),
            Self::EqualsIgnoreCase(wanted) => wanted.equals(text),
            Self::Wildcard(wanted) => wanted.matches(text),
            Self::Cidr(network) => parse_ip(text).is_some_and(|it| network.contains(it)),
            _ => false,
        }
    }
}
