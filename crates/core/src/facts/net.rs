//! Networks: which addresses, which ports, and is that the world?
//!
//! [`cidr_set`] is the algebra of addresses, this file that of protocols and ports, and
//! [`exposure`] asks both of the rules of a security group.
//!
//! Deliberately absent: routes, network ACLs and what listens behind a port. A rule that lets the
//! world in is wrong although nothing may listen today.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub mod cidr_set;
pub mod exposure;

/// Why a rule or a range could not be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NetError {
    /// Neither `a.b.c.d/n` nor `x:y::/n` nor a bare address.
    #[error("`{0}` is not a CIDR block")]
    Cidr(String),
    /// Not `-1`, a known name or a number from 0 to 255.
    #[error("`{0}` is not an IP protocol")]
    Protocol(String),
    /// Not `n` or `n-m` with 0 ≤ n ≤ m ≤ 65535.
    #[error("`{0}` is not a port or a range of ports")]
    Ports(String),
}

/// An IP protocol as a security group names it: `IpProtocol` of
/// [IpPermission](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// `-1`: every protocol, and with it every port, whatever the port fields say.
    All,
    /// `tcp` or 6.
    Tcp,
    /// `udp` or 17.
    Udp,
    /// Any other protocol number. None of them has ports: what ICMP keeps in the port fields are
    /// types and codes.
    Other(u8),
}

impl Protocol {
    /// Whether port fields mean ports.
    #[must_use]
    pub fn has_ports(self) -> bool {
        !matches!(self, Protocol::Other(_))
    }
}

impl FromStr for Protocol {
    type Err = NetError;

    fn from_str(text: &str) -> Result<Protocol, NetError> {
        match text.to_ascii_lowercase().as_str() {
            "-1" | "all" => Ok(Protocol::All),
            "tcp" => Ok(Protocol::Tcp),
            "udp" => Ok(Protocol::Udp),
            "icmp" => Ok(Protocol::Other(1)),
            "icmpv6" => Ok(Protocol::Other(58)),
            number => match number.parse() {
                Ok(6) => Ok(Protocol::Tcp),
                Ok(17) => Ok(Protocol::Udp),
                Ok(other) => Ok(Protocol::Other(other)),
                Err(_) => Err(NetError::Protocol(text.to_owned())),
            },
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Protocol::All => f.write_str("all"),
            Protocol::Tcp => f.write_str("tcp"),
            Protocol::Udp => f.write_str("udp"),
            Protocol::Other(1) => f.write_str("icmp"),
            Protocol::Other(58) => f.write_str("icmpv6"),
            Protocol::Other(number) => write!(f, "{number}"),
        }
    }
}

impl Serialize for Protocol {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Ports from `from` to `to`, both included. Written `22` or `20-23`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortRange {
    from: u16,
    to: u16,
}

impl PortRange {
    /// Every port there is.
    pub const ALL: PortRange = PortRange { from: 0, to: u16::MAX };

    /// The range of one port.
    #[must_use]
    pub fn single(port: u16) -> PortRange {
        PortRange { from: port, to: port }
    }

    /// The range of `from` to `to`; an inverted range is an error.
    ///
    /// # Errors
    ///
    /// [`NetError::Ports`] when `to` is below `from`.
    pub fn new(from: u16, to: u16) -> Result<PortRange, NetError> {
        if from <= to {
            Ok(PortRange { from, to })
        } else {
            Err(NetError::Ports(format!("{from}-{to}")))
        }
    }

    /// The lowest port.
    #[must_use]
    pub fn from(self) -> u16 {
        self.from
    }

    /// The highest port.
    #[must_use]
    pub fn to(self) -> u16 {
        self.to
    }

    /// What both have in common.
    #[must_use]
    pub fn intersection(self, other: PortRange) -> Option<PortRange> {
        let (from, to) = (self.from.max(other.from), self.to.min(other.to));
        (from <= to).then_some(PortRange { from, to })
    }

    /// Sorted, with overlapping and adjacent ranges made one.
    #[must_use]
    pub fn merge(mut ranges: Vec<PortRange>) -> Vec<PortRange> {
        ranges.sort_unstable();
        let mut merged: Vec<PortRange> = Vec::new();
        for it in ranges {
            match merged.last_mut() {
                Some(last) if it.from <= last.to.saturating_add(1) => last.to = last.to.max(it.to),
                _ => merged.push(it),
            }
        }
        merged
    }
}

impl FromStr for PortRange {
    type Err = NetError;

    fn from_str(text: &str) -> Result<PortRange, NetError> {
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        match (from.trim().parse(), to.trim().parse()) {
            (Ok(from), Ok(to)) => PortRange::new(from, to),
            _ => Err(NetError::Ports(text.to_owned())),
        }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.from == self.to {
            write!(f, "{}", self.from)
        } else {
            write!(f, "{}-{}", self.from, self.to)
        }
    }
}

impl Serialize for PortRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PortRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PortRange, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
