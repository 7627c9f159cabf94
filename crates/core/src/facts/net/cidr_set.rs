//! Sets of IP addresses, written as CIDR blocks.
//!
//! A set keeps sorted, disjoint, non-adjacent ranges per family, so that two ways of writing the
//! same addresses are one set: `0.0.0.0/1` with `128.0.0.0/1` is `0.0.0.0/0`.
//!
//! # What "the world" is
//!
//! A set is the world of a family when it covers every address that a packet from the internet can
//! come from. What it leaves out of the rest does not matter: all of IPv4 without `10.0.0.0/8`, or
//! `2000::/3`, is still everybody. The addresses that no packet from the internet carries are
//! IANA's special-purpose blocks (RFC 6890) and, for IPv6, all outside the one allocated block of
//! global unicast (RFC 4291, section 2.4). The line is drawn there and nowhere nearer: a set with a
//! hole in public space, however small, is not the world. Size is a question of policy, not a fact.
//!
//! An IPv4-mapped block (`::ffff:a.b.c.d/96` or longer) means the IPv4 addresses in it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::facts::net::NetError;

/// The two address families. A rule for one never admits the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// One CIDR block: host bits are cleared, IPv4-mapped blocks are IPv4, a bare address is a block of
/// one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cidr(IpNet);

/// A set of addresses of both families.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CidrSet {
    v4: Ranges,
    v6: Ranges,
}

/// First and last address, both included. IPv4 addresses stand in the low 32 bits.
type Range = (u128, u128);

/// Sorted, disjoint, non-adjacent ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Ranges(Vec<Range>);

/// Blocks that no packet from the IPv4 internet comes from: IANA IPv4 special-purpose address
/// registry (RFC 6890), multicast (RFC 5771) and the reserved block 240/4 (RFC 1112).
const NOT_INTERNET_V4: [([u8; 4], u8); 14] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

/// All that lies outside `2000::/3`, the only block of global unicast that IANA has allocated.
const NOT_INTERNET_V6: [(u16, u8); 3] = [(0x0000, 3), (0x4000, 2), (0x8000, 1)];

impl Cidr {
    /// The family of the block.
    #[must_use]
    pub fn family(self) -> Family {
        match self.0 {
            IpNet::V4(_) => Family::V4,
            IpNet::V6(_) => Family::V6,
        }
    }

    /// The length of the prefix in bits.
    #[must_use]
    pub fn prefix_len(self) -> u8 {
        self.0.prefix_len()
    }

    fn range(self) -> Range {
        match self.0 {
            IpNet::V4(net) => (u32::from(net.network()).into(), u32::from(net.broadcast()).into()),
            IpNet::V6(net) => (net.network().into(), net.broadcast().into()),
        }
    }
}

impl FromStr for Cidr {
    type Err = NetError;

    fn from_str(text: &str) -> Result<Cidr, NetError> {
        let net = text
            .parse::<IpNet>()
            .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
            .map_err(|_| NetError::Cidr(text.to_owned()))?;
        Ok(Cidr(unmapped(net.trunc())))
    }
}

impl CidrSet {
    /// Adds the addresses of one block.
    pub fn insert(&mut self, cidr: Cidr) {
        self.ranges_mut(cidr.family()).insert(cidr.range());
    }

    /// Adds all addresses of another set.
    pub fn union(&mut self, other: &CidrSet) {
        other.v4.0.iter().for_each(|it| self.v4.insert(*it));
        other.v6.0.iter().for_each(|it| self.v6.insert(*it));
    }

    /// Every address of both families.
    #[must_use]
    pub fn everything() -> CidrSet {
        CidrSet { v4: Ranges(vec![whole(Family::V4)]), v6: Ranges(vec![whole(Family::V6)]) }
    }

    /// What is in this set and not in the other.
    #[must_use]
    pub fn without(&self, other: &CidrSet) -> CidrSet {
        CidrSet { v4: self.v4.without(&other.v4), v6: self.v6.without(&other.v6) }
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(&self, other: &CidrSet) -> CidrSet {
        self.without(&self.without(other))
    }

    /// The part that packets from the internet can come from: see the module's definition of the
    /// world.
    #[must_use]
    pub fn internet(&self) -> CidrSet {
        let mut others = CidrSet::default();
        not_internet(Family::V4).for_each(|it| others.v4.insert(it));
        not_internet(Family::V6).for_each(|it| others.v6.insert(it));
        self.without(&others)
    }

    /// How many addresses each run of consecutive ones has, in ascending order of their place. All
    /// of IPv6 is one fewer than it has, which is the most that a number can be.
    #[must_use]
    pub fn run_lengths(&self, family: Family) -> Vec<u128> {
        let ranges = self.ranges(family).0.iter();
        ranges.map(|(start, end)| end.saturating_sub(*start).saturating_add(1)).collect()
    }

    /// Whether every address of the block is in the set.
    #[must_use]
    pub fn covers(&self, cidr: Cidr) -> bool {
        self.ranges(cidr.family()).covers(cidr.range())
    }

    /// Whether the set holds everybody of a family: see the module's definition of the world.
    #[must_use]
    pub fn is_world(&self, family: Family) -> bool {
        let mut all = self.ranges(family).clone();
        not_internet(family).for_each(|it| all.insert(it));
        all.covers(whole(family))
    }

    /// Whether the set holds everybody of either family.
    #[must_use]
    pub fn is_any_world(&self) -> bool {
        self.is_world(Family::V4) || self.is_world(Family::V6)
    }

    /// Whether the set holds no address.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.v4.0.is_empty() && self.v6.0.is_empty()
    }

    /// Whether an address is in the set.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.covers(Cidr(unmapped(IpNet::from(address))))
    }

    fn ranges(&self, family: Family) -> &Ranges {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }

    fn ranges_mut(&mut self, family: Family) -> &mut Ranges {
        match family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        }
    }
}

impl FromIterator<Cidr> for CidrSet {
    fn from_iter<I: IntoIterator<Item = Cidr>>(cidrs: I) -> CidrSet {
        let mut set = CidrSet::default();
        cidrs.into_iter().for_each(|it| set.insert(it));
        set
    }
}

/// Which of these sets make up the world of a family together although none of them does alone, as
/// indices in ascending order; empty when they do not.
///
/// A member that the world does not need is not named: with `0.0.0.0/1` and `128.0.0.0/1` there,
/// `8.8.8.0/24` may stay. What is named is enough: without all of it the rest is not the world.
#[must_use]
pub fn world_union(sets: &[&CidrSet], family: Family) -> Vec<usize> {
    let mut pieces: Vec<(Range, usize)> = Vec::new();
    for (index, set) in sets.iter().enumerate() {
        if !set.is_world(family) {
            pieces.extend(set.ranges(family).0.iter().map(|range| (*range, index)));
        }
    }
    pieces.sort_unstable();
    let mut members = Vec::new();
    // One cover may hide another: take them away until what is left is not the world.
    while let Some(mut cover) = one_cover(&pieces, family) {
        drop_superfluous(&mut cover, sets, family);
        pieces.retain(|(_, index)| !cover.contains(index));
        members.append(&mut cover);
    }
    members.sort_unstable();
    members
}

/// Walks from the first address to the last, always with the piece that reaches furthest: the
/// fewest pieces that do. `None` at the first public address that no piece holds.
fn one_cover(pieces: &[(Range, usize)], family: Family) -> Option<Vec<usize>> {
    let mut free: Ranges = Ranges::default();
    not_internet(family).for_each(|it| free.insert(it));
    let (mut next, last) = whole(family);
    let mut cover = Vec::new();
    let mut pieces = pieces.iter().peekable();
    let mut reach: Option<(u128, usize)> = None;
    loop {
        if let Some(end) = free.end_of(next) {
            if end >= last {
                return Some(cover);
            }
            next = end.saturating_add(1);
        }
        while let Some(((_, end), index)) = pieces.next_if(|((start, _), _)| *start <= next) {
            if reach.is_none_or(|(furthest, _)| furthest < *end) {
                reach = Some((*end, *index));
            }
        }
        let (end, index) = reach.filter(|(end, _)| next <= *end)?;
        if !cover.contains(&index) {
            cover.push(index);
        }
        if end >= last {
            return Some(cover);
        }
        next = end.saturating_add(1);
    }
}

/// A walk over blocks names nothing in vain, but a set of several blocks may be picked for its
/// first one and make an earlier pick superfluous with its second.
fn drop_superfluous(cover: &mut Vec<usize>, sets: &[&CidrSet], family: Family) {
    let of = |index: usize| sets.get(index).copied();
    if cover.iter().filter_map(|it| of(*it)).all(|it| it.ranges(family).0.len() == 1) {
        return;
    }
    for candidate in cover.clone() {
        let mut rest = CidrSet::default();
        let others = cover.iter().filter(|it| **it != candidate);
        others.filter_map(|it| of(*it)).for_each(|it| rest.union(it));
        if rest.is_world(family) {
            cover.retain(|it| *it != candidate);
        }
    }
}

impl Ranges {
    fn insert(&mut self, (mut start, mut end): Range) {
        let first = self.0.partition_point(|(_, it)| it.saturating_add(1) < start);
        let after = self.0.partition_point(|(it, _)| *it <= end.saturating_add(1));
        for (old_start, old_end) in self.0.drain(first..after.max(first)) {
            start = start.min(old_start);
            end = end.max(old_end);
        }
        self.0.insert(first, (start, end));
    }

    /// What lies between the other's ranges.
    fn without(&self, other: &Ranges) -> Ranges {
        let mut left = Vec::new();
        let mut holes = other.0.iter().peekable();
        for &(start, end) in &self.0 {
            let mut next = Some(start);
            while holes.next_if(|(_, hole_end)| *hole_end < start).is_some() {}
            while let Some((hole_start, hole_end)) = holes.peek() {
                let Some(from) = next.filter(|it| *it <= end && *hole_start <= end) else { break };
                if from < *hole_start {
                    left.push((from, hole_start.saturating_sub(1)));
                }
                next = hole_end.checked_add(1);
                // A hole that goes on belongs to the next range, too.
                if end < *hole_end {
                    break;
                }
                holes.next();
            }
            left.extend(next.filter(|it| *it <= end).map(|from| (from, end)));
        }
        Ranges(left)
    }

    fn covers(&self, (start, end): Range) -> bool {
        self.end_of(start).is_some_and(|it| end <= it)
    }

    /// The end of the range that holds this address.
    fn end_of(&self, address: u128) -> Option<u128> {
        let after = self.0.partition_point(|(start, _)| *start <= address);
        let (_, end) = self.0.get(after.checked_sub(1)?)?;
        (address <= *end).then_some(*end)
    }
}

fn whole(family: Family) -> Range {
    match family {
        Family::V4 => (0, u32::MAX.into()),
        Family::V6 => (0, u128::MAX),
    }
}

fn not_internet(family: Family) -> impl Iterator<Item = Range> {
    let v4 = NOT_INTERNET_V4.iter().filter_map(|(octets, prefix)| {
        Ipv4Net::new(Ipv4Addr::from(*octets), *prefix).ok().map(IpNet::V4)
    });
    let v6 = NOT_INTERNET_V6.iter().filter_map(|(head, prefix)| {
        let address = Ipv6Addr::new(*head, 0, 0, 0, 0, 0, 0, 0);
        Ipv6Net::new(address, *prefix).ok().map(IpNet::V6)
    });
    v4.chain(v6).map(Cidr).filter(move |it| it.family() == family).map(Cidr::range)
}

/// The IPv4 block that an IPv4-mapped IPv6 block stands for (RFC 4291, section 2.5.5.2).
fn unmapped(net: IpNet) -> IpNet {
    let IpNet::V6(v6) = net else { return net };
    let mapped = v6.network().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96));
    mapped.and_then(|(address, prefix)| Ipv4Net::new(address, prefix).ok()).map_or(net, IpNet::V4)
}
