//! IP addresses and networks, as EventBridge reads them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Eight groups of four digits.
const IP_BYTES_MAX: usize = 39;

/// "255.255.255.255"
const IPV4_BYTES_MAX: usize = 15;

/// An address literal: IPv4 in dotted decimal, IPv6 in hexadecimal groups (no dotted tail, no
/// zone). An IPv4-mapped IPv6 address is its IPv4 address.
pub(crate) fn parse_ip(text: &[u8]) -> Option<IpAddr> {
    if IP_BYTES_MAX < text.len() {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    if text.contains(':') {
        let hexadecimal = text.bytes().all(|it| it == b':' || it.is_ascii_hexdigit());
        let address: Ipv6Addr = text.parse().ok().filter(|_| hexadecimal)?;
        return Some(address.to_canonical());
    }
    let starts_like_one = text.as_bytes().first().is_some_and(u8::is_ascii_digit);
    if !starts_like_one || text.len() > IPV4_BYTES_MAX {
        return None;
    }
    // Not `Ipv4Addr::from_str`: leading zeros are decimal here, as in Java.
    let mut octets = [0; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part = parts.next().filter(|it| it.bytes().all(|it| it.is_ascii_digit()))?;
        *octet = part.parse().ok()?;
    }
    parts.next().is_none().then_some(IpAddr::V4(Ipv4Addr::from(octets)))
}

/// A block of addresses. It begins with the address that is given, even where that is not the first
/// one of its mask: so does AWS's engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    V4 { first: u32, last: u32 },
    V6 { first: u128, last: u128 },
}

impl Network {
    /// Reads `10.0.0.0/8` or `2001:db8::/32`. A mask that leaves one address is refused, as the
    /// service does. The error is the service's complaint.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some((address, mask)) = text.split_once('/').filter(|(_, it)| !it.contains('/')) else {
            return Err("Malformed CIDR, one '/' required".to_owned());
        };
        let bits: i32 =
            mask.parse().map_err(|_| "Malformed CIDR, mask bits must be an integer".to_owned())?;
        let Ok(bits) = u32::try_from(bits) else {
            return Err("Malformed CIDR, mask bits must not be negative".to_owned());
        };
        match parse_ip(address.as_bytes()) {
            None => Err(format!("Nonstandard IP address: {address}")),
            Some(IpAddr::V4(_)) if 31 < bits => Err("IPv4 mask bits must be < 32".to_owned()),
            Some(IpAddr::V6(_)) if 127 < bits => Err("IPv6 mask bits must be < 128".to_owned()),
            Some(IpAddr::V4(address)) => {
                let first = u32::from(address);
                Ok(Self::V4 { first, last: first | (u32::MAX >> bits) })
            }
            Some(IpAddr::V6(address)) => {
                let first = u128::from(address);
                Ok(Self::V6 { first, last: first | (u128::MAX >> bits) })
            }
        }
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        match (self, address) {
            (Self::V4 { first, last }, IpAddr::V4(it)) => (*first..=*last).contains(&it.into()),
            (Self::V6 { first, last }, IpAddr::V6(it)) => (*first..=*last).contains(&it.into()),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Network;

    fn parse_ip(text: &str) -> Option<std::net::IpAddr> {
        super::parse_ip(text.as_bytes())
    }

    #[test]
    fn addresses() {
        assert_eq!(parse_ip("10.0.0.1"), parse_ip("010.000.0.1"));
        assert_eq!(parse_ip("2001:db8::1"), parse_ip("2001:0DB8:0:0:0:0:0:1"));
        assert_eq!(parse_ip("::ffff:0a00:0001"), parse_ip("10.0.0.1"));
        for text in [
            "",
            ".",
            ":",
            "1.2.3",
            "1.2.3.4.5",
            "1.2.3.256",
            "1.2.3.+4",
            "1.2.3.",
            "a.b.c.d",
            "::ffff:10.0.0.1",
            "fe80::1%eth0",
            "1::2::3",
            "s3.amazonaws.com",
            "0000000001.2.3.4",
        ] {
            assert_eq!(parse_ip(text), None, "{text}");
        }
    }

    #[test]
    fn networks() {
        let holds = |network: &str, address: &str| {
            let network = Network::parse(network).expect(network);
            network.contains(parse_ip(address).expect(address))
        };
        assert!(holds("10.0.0.0/24", "10.0.0.255"));
        assert!(!holds("10.0.0.0/24", "10.0.1.0"));
        assert!(!holds("10.0.0.77/24", "10.0.0.76"));
        assert!(holds("10.0.0.77/24", "10.0.0.77") && holds("10.0.0.77/24", "10.0.0.255"));
        assert!(!holds("2001:db8::7/64", "2001:db8::6"));
        assert!(holds("0.0.0.0/0", "255.255.255.255"));
        assert!(!holds("0.0.0.0/0", "::1"));
        assert!(holds("::/0", "2001:db8::"));
        assert!(!holds("::/0", "1.2.3.4"));
        assert!(holds("2001:db8:1234:1a00::/64", "2001:db8:1234:1a00:ffff::"));
        assert!(!holds("2001:db8:1234:1a00::/64", "2001:0db8:123f:1a01::"));
        for text in [
            "10.0.0.0",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "10.0.0.0/32",
            "::/128",
            "bad/8",
            "10.0.0.0/8/8",
            "10.0.0.0/8x",
        ] {
            assert!(Network::parse(text).is_err(), "{text}");
        }
    }
}
