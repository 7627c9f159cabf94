//! The laws of CIDR sets, against a model that knows single addresses only, and the exposures of
//! rules as EC2 writes them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;
use quell_core::facts::net::cidr_set::{Cidr, CidrSet, Family, world_union};
use quell_core::facts::net::exposure::{ExposedBy, Exposure, IngressRule, PrefixLists, exposures};
use quell_core::facts::net::{NetError, PortRange, Protocol};
use serde_json::{Value, json};

fn set(cidrs: &[&str]) -> CidrSet {
    cidrs.iter().map(|it| it.parse::<Cidr>().unwrap()).collect()
}

fn rules(rules: Value) -> Vec<IngressRule> {
    serde_json::from_value(rules).unwrap()
}

fn found(rules_json: Value, ports: &[&str]) -> Vec<(String, ExposedBy, String)> {
    let ports: Vec<PortRange> = ports.iter().map(|it| it.parse().unwrap()).collect();
    let brief = |it: Exposure| {
        let ports: Vec<String> = it.ports.iter().map(ToString::to_string).collect();
        (it.element, it.by, ports.join(","))
    };
    let found = exposures(&rules(rules_json), &PrefixLists::new(), &ports).unwrap();
    found.into_iter().map(brief).collect()
}

/// A rule as EC2 gives it, for one IPv4 source.
fn v4(id: &str, protocol: &str, from: i32, to: i32, cidr: &str) -> Value {
    json!({"RuleId": id, "IpProtocol": protocol, "FromPort": from, "ToPort": to, "CidrIp": cidr})
}

#[test]
fn the_world_however_it_is_written() {
    for cidrs in [
        &["0.0.0.0/0"][..],
        &["208.236.235.254/0"],
        &["0.0.0.0/1", "128.0.0.0/1"],
        &["128.0.0.0/1", "64.0.0.0/2", "0.0.0.0/2"],
        &["::ffff:0.0.0.0/96"],
        // Everything but private and multicast addresses is everybody.
        &["0.0.0.0/1", "128.0.0.0/2", "192.0.0.0/3"],
    ] {
        assert!(set(cidrs).is_world(Family::V4), "{cidrs:?}");
        assert!(!set(cidrs).is_world(Family::V6), "{cidrs:?}");
    }
    for cidrs in [&["::/0"][..], &["2001:db8::1/0"], &["::/1", "8000::/1"], &["2000::/3"]] {
        assert!(set(cidrs).is_world(Family::V6), "{cidrs:?}");
        assert!(!set(cidrs).is_world(Family::V4), "{cidrs:?}");
    }
}

#[test]
fn the_part_of_the_internet() {
    let public = set(&["9.0.0.0/8", "10.0.0.0/8", "11.0.0.0/9", "fc00::/7", "2001::/16"]);
    let public = public.internet();
    assert_eq!(public, set(&["9.0.0.0/8", "11.0.0.0/9", "2001::/16"]));
    assert_eq!(public.run_lengths(Family::V4), [1 << 24, 1 << 23]);
    assert_eq!(public.run_lengths(Family::V6), [1 << 112]);
    assert_eq!(CidrSet::everything().run_lengths(Family::V6), [u128::MAX]);
}

#[test]
fn not_the_world() {
    for cidrs in [
        &[][..],
        &["0.0.0.0/1"],
        &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"],
        // One public address short of the world.
        &["0.0.0.0/1", "128.0.0.0/2", "192.0.0.0/8", "8.8.8.8/32"],
        &["2000::/4", "fc00::/7"],
        &["0.0.0.0/32", "::/128"],
    ] {
        assert!(!set(cidrs).is_any_world(), "{cidrs:?}");
    }
}

#[test]
fn what_is_no_cidr_is_an_error() {
    for text in ["", "0.0.0.0/33", "1.2.3/8", "::/129", "0.0.0.0/ 0", "world"] {
        assert_eq!(text.parse::<Cidr>(), Err(NetError::Cidr(text.to_owned())));
    }
    assert_eq!("1.2.3.4".parse::<Cidr>(), "1.2.3.4/32".parse::<Cidr>());
}

#[test]
fn a_union_names_what_it_needs_and_all_of_it() {
    let sets = |cidrs: &[&[&str]]| cidrs.iter().map(|it| set(it)).collect::<Vec<_>>();
    let union = |cidrs: &[&[&str]]| {
        let sets = sets(cidrs);
        world_union(&sets.iter().collect::<Vec<_>>(), Family::V4)
    };
    assert_eq!(union(&[&["0.0.0.0/1"], &["10.0.0.0/8"], &["128.0.0.0/1"]]), [0, 2]);
    assert_eq!(union(&[&["0.0.0.0/1"], &["128.0.0.0/2"]]), [] as [usize; 0]);
    // Two covers, one behind the other: both go.
    let (low, high): (&[&str], &[&str]) = (&["0.0.0.0/1"], &["128.0.0.0/1"]);
    assert_eq!(union(&[low, high, low, high]), [0, 1, 2, 3]);
    // What is the world alone belongs to no union.
    assert_eq!(union(&[&["0.0.0.0/0"], &["0.0.0.0/1"]]), [] as [usize; 0]);
    // The second block of a list makes an earlier pick superfluous.
    let lists: [&[&str]; 3] =
        [&["0.0.0.0/2", "192.0.0.0/2"], &["0.0.0.0/1"], &["64.0.0.0/2", "128.0.0.0/2"]];
    assert_eq!(union(&lists), [0, 2]);
}

#[test]
fn single_rules() {
    let open = json!([
        v4("sgr-1", "tcp", 22, 22, "0.0.0.0/0"),
        {"RuleId": "sgr-2", "IpProtocol": "-1", "CidrIpv6": "::/0"},
        v4("sgr-3", "6", 0, 65535, "1.2.3.4/0"),
        v4("sgr-4", "udp", -1, -1, "0.0.0.0/0"),
        {"IpProtocol": "tcp", "FromPort": 20, "ToPort": 3389, "CidrIp": "0.0.0.0/0"},
        v4("no-1", "icmp", -1, -1, "0.0.0.0/0"),
        v4("no-2", "icmp", 8, 22, "0.0.0.0/0"),
        v4("no-3", "tcp", 443, 443, "0.0.0.0/0"),
        {"RuleId": "no-4", "IpProtocol": "-1", "CidrIp": "10.0.0.0/8"},
        {"RuleId": "no-5", "IpProtocol": "-1", "SourceSecurityGroupId": "sg-1"},
        {"RuleId": "no-6", "IpProtocol": "50", "CidrIp": "0.0.0.0/0"},
    ]);
    let single = |element: &str, ports: &str| (element.into(), ExposedBy::Single, ports.into());
    assert_eq!(
        found(open, &["22", "3389"]),
        [
            single("sgr-1", "22"),
            single("sgr-2", "22,3389"),
            single("sgr-3", "22,3389"),
            single("sgr-4", "22,3389"),
            single("tcp 20-3389 0.0.0.0/0", "22,3389"),
        ]
    );
}

#[test]
fn a_union_counts_port_by_port_and_per_transport() {
    let rules = json!([
        v4("a", "tcp", 20, 25, "0.0.0.0/1"),
        v4("b", "tcp", 22, 80, "128.0.0.0/1"),
        v4("c", "udp", 22, 80, "128.0.0.0/1"),
        v4("d", "tcp", 3389, 3389, "128.0.0.0/1"),
    ]);
    let union = |element: &str, ports: &str| (element.into(), ExposedBy::Union, ports.into());
    assert_eq!(
        found(rules.clone(), &["20-30", "3389"]),
        [union("a", "22-25"), union("b", "22-25")]
    );
    assert_eq!(found(rules, &["3389"]), []);
    let mixed = json!([
        v4("a", "-1", 0, 0, "0.0.0.0/1"),
        v4("b", "udp", 53, 53, "128.0.0.0/1"),
        {"RuleId": "c", "IpProtocol": "-1", "CidrIpv6": "8000::/1"},
    ]);
    assert_eq!(found(mixed, &["53"]), [union("a", "53"), union("b", "53")]);
}

#[test]
fn prefix_lists_are_read_and_otherwise_unknown() {
    let list = |id: &str, port: u16, list: &str| {
        json!({"RuleId": id, "IpProtocol": "tcp", "FromPort": port, "ToPort": port,
            "SourcePrefixListId": list})
    };
    let rules = rules(json!([
        list("a", 22, "pl-world"),
        list("b", 22, "pl-office"),
        list("c", 22, "pl-gone"),
        list("d", 80, "pl-gone"),
    ]));
    let lists = PrefixLists::from([
        ("pl-world".into(), vec!["0.0.0.0/1".into(), "128.0.0.0/1".into()]),
        ("pl-office".into(), vec!["198.51.100.0/24".into()]),
    ]);
    let found = exposures(&rules, &lists, &["22".parse().unwrap()]).unwrap();
    let by: Vec<_> = found.iter().map(|it| (it.element.as_str(), it.by)).collect();
    assert_eq!(by, [("a", ExposedBy::Single), ("c", ExposedBy::UnknownPrefixList)]);
    let shown = serde_json::to_value(&found[0]).unwrap();
    let expected = json!({"rule_id": "a", "element": "a", "cidr": "pl-world", "ports": ["22"],
        "range": "22", "protocol": "tcp", "by": "single"});
    assert_eq!(shown, expected);
}

#[test]
fn a_rule_that_cannot_be_understood_is_an_error_not_a_pass() {
    let error = |rule: Value| {
        exposures(&rules(json!([rule])), &PrefixLists::new(), &[PortRange::ALL]).unwrap_err()
    };
    assert_eq!(
        error(json!({"IpProtocol": "tcpp", "CidrIp": "0.0.0.0/0"})),
        NetError::Protocol("tcpp".into())
    );
    assert_eq!(
        error(json!({"IpProtocol": "icmp", "CidrIp": "0.0.0.0/x"})),
        NetError::Cidr("0.0.0.0/x".into())
    );
    let inverted =
        json!({"IpProtocol": "tcp", "FromPort": 80, "ToPort": 22, "CidrIp": "0.0.0.0/0"});
    assert_eq!(error(inverted), NetError::Ports("80-22".into()));
}

#[test]
fn protocols_by_name_and_number() {
    let parsed = |it: &str| it.parse::<Protocol>().unwrap();
    assert_eq!(parsed("TCP"), Protocol::Tcp);
    assert_eq!(parsed("17"), Protocol::Udp);
    assert_eq!(parsed("58"), Protocol::Other(58));
    assert_eq!(parsed("-1"), Protocol::All);
    assert!("256".parse::<Protocol>().is_err());
}

/// A small world: the addresses of 198.51.100.0/24's last byte stand for all.
fn small_cidr() -> impl Strategy<Value = (u8, u8)> {
    (any::<u8>(), 0u8..=8)
}

fn model_of(cidrs: &[(u8, u8)]) -> BTreeSet<u8> {
    let range = |(address, prefix): &(u8, u8)| {
        let size = 1u16 << (8 - prefix);
        let start = u16::from(*address) / size * size;
        (start..start + size).map(|it| u8::try_from(it).unwrap())
    };
    cidrs.iter().flat_map(range).collect()
}

fn set_of(cidrs: &[(u8, u8)]) -> CidrSet {
    let text = |(address, prefix): &(u8, u8)| format!("198.51.7.{address}/{}", 24 + prefix);
    cidrs.iter().map(|it| text(it).parse::<Cidr>().unwrap()).collect()
}

/// A block of the whole IPv4 space, large enough that a few of them may cover it.
fn large_cidr() -> impl Strategy<Value = String> {
    (any::<u8>(), 0u8..=3).prop_map(|(head, prefix)| format!("{head}.0.0.0/{prefix}"))
}

fn rule() -> impl Strategy<Value = IngressRule> {
    let protocol = prop::sample::select(vec!["tcp", "udp", "-1", "icmp"]);
    (protocol, 0i32..40, 0i32..40, large_cidr()).prop_map(|(protocol, from, size, cidr)| {
        IngressRule {
            ip_protocol: protocol.into(),
            from_port: Some(from),
            to_port: Some(from + size),
            cidr_ip: Some(cidr),
            ..IngressRule::default()
        }
    })
}

proptest! {
    #[test]
    fn a_set_agrees_with_single_addresses(
        left in prop::collection::vec(small_cidr(), 0..8),
        right in prop::collection::vec(small_cidr(), 0..8),
        asked in small_cidr(),
    ) {
        let mut union = set_of(&left);
        union.union(&set_of(&right));
        let all: Vec<_> = left.iter().chain(&right).copied().collect();
        let reversed: Vec<_> = all.iter().rev().copied().collect();
        prop_assert_eq!(&union, &set_of(&reversed));
        let model = model_of(&all);
        for byte in 0..=u8::MAX {
            let address = IpAddr::V4(Ipv4Addr::new(198, 51, 7, byte));
            prop_assert_eq!(union.contains(address), model.contains(&byte));
        }
        let cidr = format!("198.51.7.{}/{}", asked.0, 24 + asked.1).parse::<Cidr>().unwrap();
        prop_assert_eq!(union.covers(cidr), model_of(&[asked]).is_subset(&model));
    }

    #[test]
    fn differences_agree_with_single_addresses(
        left in prop::collection::vec(small_cidr(), 0..8),
        right in prop::collection::vec(small_cidr(), 0..8),
    ) {
        let (one, other) = (set_of(&left), set_of(&right));
        let (without, both) = (one.without(&other), one.intersection(&other));
        let (left, right) = (model_of(&left), model_of(&right));
        for byte in 0..=u8::MAX {
            let address = IpAddr::V4(Ipv4Addr::new(198, 51, 7, byte));
            let (in_left, in_right) = (left.contains(&byte), right.contains(&byte));
            prop_assert_eq!(without.contains(address), in_left && !in_right);
            prop_assert_eq!(both.contains(address), in_left && in_right);
        }
        let many: u128 = both.run_lengths(Family::V4).iter().sum();
        prop_assert_eq!(many, u128::try_from(left.intersection(&right).count()).unwrap());
        prop_assert_eq!(&both, &other.intersection(&one));
        let nothing = CidrSet::everything().without(&CidrSet::everything());
        prop_assert!(nothing.is_empty());
        prop_assert_eq!(&CidrSet::everything().without(&nothing), &CidrSet::everything());
    }

    #[test]
    fn a_union_is_the_world_and_needs_every_member_once(
        cidrs in prop::collection::vec(large_cidr(), 0..12),
    ) {
        let sets: Vec<CidrSet> = cidrs.iter().map(|it| set(&[it])).collect();
        let sets: Vec<&CidrSet> = sets.iter().collect();
        let members = world_union(&sets, Family::V4);
        let joined = |indices: &mut dyn Iterator<Item = usize>| {
            let mut all = CidrSet::default();
            indices.filter(|it| !sets[*it].is_world(Family::V4)).for_each(|it| all.union(sets[it]));
            all.is_world(Family::V4)
        };
        let all_are = joined(&mut (0..sets.len()));
        prop_assert_eq!(!members.is_empty(), all_are);
        prop_assert_eq!(joined(&mut members.iter().copied()), all_are);
        prop_assert!(!joined(&mut (0..sets.len()).filter(|it| !members.contains(it))));
    }

    #[test]
    fn exposures_agree_with_asking_port_by_port(rules in prop::collection::vec(rule(), 0..7)) {
        let range = "0-50".parse::<PortRange>().unwrap();
        let at_once = exposures(&rules, &PrefixLists::new(), &[range]).unwrap();
        // Descriptions may repeat, so elements are compared by their place among the found.
        let mut asked_singly = BTreeSet::new();
        for port in 0..=50 {
            let one = exposures(&rules, &PrefixLists::new(), &[PortRange::single(port)]).unwrap();
            asked_singly.extend(one.into_iter().map(|it| (it.element, it.by, port)));
        }
        let ports = |it: &Exposure| -> Vec<u16> {
            it.ports.iter().flat_map(|it| it.from()..=it.to()).collect()
        };
        let at_once: BTreeSet<_> = at_once
            .iter()
            .flat_map(|it| ports(it).into_iter().map(|port| (it.element.clone(), it.by, port)))
            .collect();
        prop_assert_eq!(at_once, asked_singly);
    }

    #[test]
    fn revoking_what_is_exposed_leaves_nothing_exposed(
        rules in prop::collection::vec(rule(), 0..9),
    ) {
        let asked = ["22".parse::<PortRange>().unwrap(), "30-35".parse().unwrap()];
        let named = |(at, it): (usize, &IngressRule)| {
            IngressRule { rule_id: Some(at.to_string()), ..it.clone() }
        };
        let named: Vec<_> = rules.iter().enumerate().map(named).collect();
        let found = exposures(&named, &PrefixLists::new(), &asked).unwrap();
        let at = |it: &Exposure| it.element.parse::<usize>().unwrap();
        let gone: Vec<_> = found.iter().map(|it| rules[at(it)].clone()).collect();
        let rest: Vec<_> = rules.into_iter().filter(|it| !gone.contains(it)).collect();
        prop_assert_eq!(exposures(&rest, &PrefixLists::new(), &asked).unwrap(), []);
    }
}
