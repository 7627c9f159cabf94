//! Which ports the ingress rules of a security group open to the world.
//!
//! The element is one rule × one source: EC2 gives every such pair its own `sgr-…` id, and one
//! element is what a fix revokes. A port range is never split, so an exposure also names the whole
//! range that would close.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::facts::net::cidr_set::{Cidr, CidrSet, Family, world_union};
use crate::facts::net::{NetError, PortRange, Protocol};

/// One ingress rule. Names are those of CloudFormation's `AWS::EC2::SecurityGroupIngress`, with
/// `RuleId` for EC2's `SecurityGroupRuleId`. A rule has one source; several are read as several.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct IngressRule {
    /// EC2's id (`sgr-…`), absent where a rule does not exist yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule_id: Option<String>,
    /// `-1`, a name or a number.
    pub ip_protocol: String,
    /// The first port, or ICMP's type; absent or -1 is all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_port: Option<i32>,
    /// The last port, or ICMP's code; absent or -1 is all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_port: Option<i32>,
    /// An IPv4 source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cidr_ip: Option<String>,
    /// An IPv6 source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cidr_ipv6: Option<String>,
    /// A prefix list (`pl-…`) as the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_prefix_list_id: Option<String>,
    /// Another security group as the source: members of a VPC, never the world.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_security_group_id: Option<String>,
    /// A source of which nothing is known yet, by what it will be made of: it may be the world.
    /// Only a rule that does not exist yet has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_not_known: Option<String>,
    /// The author's note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// The CIDRs of the prefix lists that could be read, by id. One that is missing is unknown.
pub type PrefixLists = BTreeMap<String, Vec<String>>;

/// One rule × one source that lets the world reach ports that were asked about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Exposure {
    /// EC2's id of the rule, where it has one.
    pub rule_id: Option<String>,
    /// The stable identity of the element: the rule's id, or else its protocol, ports and source.
    pub element: String,
    /// The source as it is written: a CIDR or a prefix list id.
    pub cidr: String,
    /// The exposed ones among the ports asked about: `22`, `20-23`.
    pub ports: Vec<PortRange>,
    /// All ports of the rule: what closes when the rule goes.
    pub range: PortRange,
    /// `tcp`, `udp` or `all`.
    pub protocol: Protocol,
    /// What makes it the world.
    pub by: ExposedBy,
}

/// What makes an element the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExposedBy {
    /// Its source alone is the world.
    Single,
    /// Only together with other elements; all of them are listed.
    Union,
    /// Its source is a prefix list that could not be read: it may or may not be the world.
    UnknownPrefixList,
    /// Its source is not known before deployment: it may or may not be the world.
    UnknownSource,
}

/// Every element of `rules` that lets the world reach one of `ports`, over TCP or UDP, in the order
/// of the rules. An element appears once, under its strongest reason.
///
/// # Errors
///
/// [`NetError`] when a rule or a prefix list cannot be understood: then nothing is known.
pub fn exposures(
    rules: &[IngressRule],
    prefix_lists: &PrefixLists,
    ports: &[PortRange],
) -> Result<Vec<Exposure>, NetError> {
    let mut elements = Vec::new();
    for rule in rules {
        elements.extend(elements_of(rule, prefix_lists)?);
    }
    let segments = segments(&elements, ports);
    let union = union_ports(&elements, &segments);
    let found = elements.into_iter().enumerate().filter_map(|(index, it)| {
        let opened: Vec<PortRange> =
            segments.iter().copied().filter_map(|port| port.intersection(it.range)).collect();
        let (by, ports) = match &it.source {
            None if it.rule.source_not_known.is_some() => (ExposedBy::UnknownSource, opened),
            None => (ExposedBy::UnknownPrefixList, opened),
            Some(source) if source.is_any_world() => (ExposedBy::Single, opened),
            Some(_) => (ExposedBy::Union, union.get(&index).cloned().unwrap_or_default()),
        };
        (!ports.is_empty()).then(|| it.exposure(by, PortRange::merge(ports)))
    });
    Ok(found.collect())
}

/// One rule × one source, understood. `source` is `None` where it is not known.
struct Element<'a> {
    rule: &'a IngressRule,
    protocol: Protocol,
    range: PortRange,
    written: &'a str,
    source: Option<CidrSet>,
}

impl Element<'_> {
    fn exposure(&self, by: ExposedBy, ports: Vec<PortRange>) -> Exposure {
        let rule_id = self.rule.rule_id.clone();
        let described = || format!("{} {} {}", self.protocol, self.range, self.written);
        Exposure {
            element: rule_id.clone().unwrap_or_else(described),
            rule_id,
            cidr: self.written.to_owned(),
            ports,
            range: self.range,
            protocol: self.protocol,
            by,
        }
    }

    fn speaks(&self, transport: Protocol) -> bool {
        self.protocol == transport || self.protocol == Protocol::All
    }
}

fn elements_of<'a>(
    rule: &'a IngressRule,
    prefix_lists: &PrefixLists,
) -> Result<Vec<Element<'a>>, NetError> {
    // The source is read first, so that a broken one is an error whatever the protocol is.
    let mut sources = Vec::new();
    for written in [&rule.cidr_ip, &rule.cidr_ipv6].into_iter().flatten() {
        sources.push((written.as_str(), Some(CidrSet::from_iter([written.parse::<Cidr>()?]))));
    }
    if let Some(id) = &rule.source_prefix_list_id {
        let known = prefix_lists.get(id).map(|cidrs| {
            cidrs.iter().map(|it| it.parse::<Cidr>()).collect::<Result<CidrSet, NetError>>()
        });
        sources.push((id.as_str(), known.transpose()?));
    }
    sources.extend(rule.source_not_known.iter().map(|it| (it.as_str(), None)));
    let Some((protocol, range)) = protocol_and_range(rule)? else { return Ok(Vec::new()) };
    let element = |(written, source)| Element { rule, protocol, range, written, source };
    Ok(sources.into_iter().map(element).collect())
}

/// `None` for a protocol without ports. EC2 ignores the port fields of protocol -1; for TCP and UDP
/// a missing field or -1 means all ports (IpPermission in the EC2 API reference).
fn protocol_and_range(rule: &IngressRule) -> Result<Option<(Protocol, PortRange)>, NetError> {
    let protocol: Protocol = rule.ip_protocol.parse()?;
    if !protocol.has_ports() {
        return Ok(None);
    }
    let given = (rule.from_port.filter(|it| *it != -1), rule.to_port.filter(|it| *it != -1));
    let range = match given {
        _ if protocol == Protocol::All => PortRange::ALL,
        (None, None) => PortRange::ALL,
        (from, to) => {
            let (from, to) = (from.unwrap_or(0), to.unwrap_or(i32::from(u16::MAX)));
            let bad = |_| NetError::Ports(format!("{from}-{to}"));
            PortRange::new(from.try_into().map_err(bad)?, to.try_into().map_err(bad)?)?
        }
    };
    Ok(Some((protocol, range)))
}

/// The asked ports, cut where a rule begins or ends: within one segment all ports share their fate.
fn segments(elements: &[Element<'_>], ports: &[PortRange]) -> Vec<PortRange> {
    let mut cuts = BTreeSet::new();
    for range in elements.iter().map(|it| it.range) {
        cuts.insert(range.from());
        cuts.extend(range.to().checked_add(1));
    }
    let mut segments = Vec::new();
    for asked in PortRange::merge(ports.to_vec()) {
        let mut from = asked.from();
        for cut in cuts.iter().copied().filter(|it| asked.from() < *it && *it <= asked.to()) {
            segments.extend(PortRange::new(from, cut.saturating_sub(1)));
            from = cut;
        }
        segments.extend(PortRange::new(from, asked.to()));
    }
    segments
}

/// Per element, the segments in which it is part of a union that is the world.
fn union_ports(
    elements: &[Element<'_>],
    segments: &[PortRange],
) -> BTreeMap<usize, Vec<PortRange>> {
    let mut found: BTreeMap<usize, Vec<PortRange>> = BTreeMap::new();
    for segment in segments {
        for transport in [Protocol::Tcp, Protocol::Udp] {
            let open =
                |it: &Element<'_>| it.speaks(transport) && segment.intersection(it.range).is_some();
            let (indices, sets): (Vec<usize>, Vec<&CidrSet>) = elements
                .iter()
                .enumerate()
                .filter(|(_, it)| open(it))
                .filter_map(|(index, it)| it.source.as_ref().map(|set| (index, set)))
                .unzip();
            for family in [Family::V4, Family::V6] {
                for member in world_union(&sets, family) {
                    let index = indices.get(member).copied();
                    index.into_iter().for_each(|it| found.entry(it).or_default().push(*segment));
                }
            }
        }
    }
    found
}
