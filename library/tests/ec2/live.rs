//! Security groups on real emulators: open by the AWS SDK, then read, judge, close, undo.
//!
//! ministack is the main one; moto is asked where a rule's source is a prefix list, which
//! ministack's rules do not show.

use crate::bench::{Bench, findings};
use crate::{ADMIN, HIGH_RISK};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    AddPrefixListEntry, IpPermission, IpRange, Ipv6Range, PrefixListId, Tag, UserIdGroupPair,
};
use quell_core::change::{element_id, same};
use quell_core::resource::ResourceRef;
use quell_library::aws::ec2::security_group::{INGRESS, TYPE};
use quell_library::aws::errors::code;
use quell_library::cloud::{CloudErrorKind, World};
use serde_json::json;
use testkit::{Ministack, Moto, REGION};

async fn ministack() -> Bench {
    Bench::at(Ministack::shared(false).unwrap().endpoint(), "000000000000").await
}

async fn moto() -> Bench {
    Bench::at(Moto::shared().unwrap().endpoint(), "123456789012").await
}

/// A new group in a new VPC, with a tag.
async fn group(bench: &Bench, name: &str) -> (Client, ResourceRef) {
    let ec2 = Client::new(&bench.admin(REGION));
    let vpc = ec2.create_vpc().cidr_block("10.0.0.0/16").send().await.unwrap().vpc.unwrap();
    let call = ec2.create_security_group().group_name(name).description(name);
    let id = call.vpc_id(vpc.vpc_id.unwrap()).send().await.unwrap().group_id.unwrap();
    let tag = Tag::builder().key("team").value("payments").build();
    ec2.create_tags().resources(&id).tags(tag).send().await.unwrap();
    (ec2, bench.resource(TYPE, &id, REGION))
}

async fn authorize(ec2: &Client, group: &ResourceRef, permission: IpPermission) {
    let call = ec2.authorize_security_group_ingress().group_id(&group.id);
    call.ip_permissions(permission).send().await.unwrap();
}

fn v4(from: i32, to: i32, cidr: &str, description: &str) -> IpPermission {
    let range = IpRange::builder().cidr_ip(cidr).description(description).build();
    let permission = IpPermission::builder().ip_protocol("tcp").from_port(from).to_port(to);
    permission.ip_ranges(range).build()
}

fn v6(from: i32, to: i32, cidr: &str) -> IpPermission {
    let range = Ipv6Range::builder().cidr_ipv6(cidr).build();
    let permission = IpPermission::builder().ip_protocol("tcp").from_port(from).to_port(to);
    permission.ipv6_ranges(range).build()
}

#[tokio::test]
async fn world_open_admin_ports_close_and_nothing_else() {
    let bench = ministack().await;
    let (ec2, group) = group(&bench, "admin").await;
    let peer = IpPermission::builder()
        .ip_protocol("tcp")
        .from_port(22)
        .to_port(22)
        .user_id_group_pairs(UserIdGroupPair::builder().group_id(&group.id).build())
        .build();
    for permission in [
        v4(443, 443, "0.0.0.0/0", "public web"),
        v4(22, 22, "0.0.0.0/0", "temporary"),
        v4(22, 22, "203.0.113.0/24", "office"),
        v6(3000, 4000, "::/0"),
        peer,
    ] {
        authorize(&ec2, &group, permission).await;
    }
    let before = bench.read(&group).await;
    assert_eq!(before.tags["team"], "payments");
    assert_eq!(before.properties["GroupName"], "admin");
    assert_eq!(before.properties[INGRESS].as_array().unwrap().len(), 5);
    let made = bench.heal(ADMIN, &group).await;
    assert_eq!(made.len(), 2, "{made:?}");
    let healed = bench.read(&group).await;
    let left = healed.properties[INGRESS].as_array().unwrap();
    assert_eq!(left.len(), 3, "{left:?}");
    assert!(left.iter().all(|it| before.properties[INGRESS].as_array().unwrap().contains(it)));
    assert!(bench.heal(HIGH_RISK, &group).await.is_empty(), "the second policy has nothing to do");
    // Making a change again does nothing.
    bench.again(&made[0]).await.unwrap();
    assert_eq!(bench.read(&group).await.properties, healed.properties);
    for change in made.iter().rev() {
        bench.undo(change).await.unwrap();
        bench.undo(change).await.unwrap();
    }
    let mut ids = [before, bench.read(&group).await].map(|it| {
        it.properties[INGRESS].as_array().unwrap().iter().map(element_id).collect::<Vec<_>>()
    });
    ids.iter_mut().for_each(|it| it.sort());
    assert_eq!(ids[0], ids[1], "but for order and ids, the group is as it was");
}

/// ministack enforces IAM: the declared permissions are enough, and each role has its own part.
#[tokio::test]
async fn declared_permissions_are_enough() {
    let endpoint = Ministack::shared(true).unwrap().endpoint();
    let bench = Bench::least(endpoint, "000000000000", &[ADMIN, HIGH_RISK], &[]).await;
    let (ec2, group) = group(&bench, "least").await;
    authorize(&ec2, &group, v4(22, 22, "0.0.0.0/0", "temporary")).await;
    let made = bench.heal(ADMIN, &group).await;
    assert_eq!(made.len(), 1, "{made:?}");
    bench.undo(&made[0]).await.unwrap();
    assert_eq!(findings(ADMIN, &bench.read(&group).await).len(), 1);
    let reader = Client::new(&bench.live.aws().reader(&group).await.unwrap());
    let call = reader.revoke_security_group_ingress().group_id(&group.id);
    let denied = call.security_group_rule_ids("sgr-1").send().await.unwrap_err();
    assert_eq!(code(&denied), Some("UnauthorizedOperation"));
}

#[tokio::test]
async fn two_halves_of_the_world_go_both() {
    let bench = ministack().await;
    let (ec2, group) = group(&bench, "halves").await;
    authorize(&ec2, &group, v4(22, 22, "0.0.0.0/1", "")).await;
    authorize(&ec2, &group, v4(20, 30, "128.0.0.0/1", "")).await;
    let found = findings(ADMIN, &bench.read(&group).await);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().all(|it| it.approval.is_some()), "{found:?}");
    assert_eq!(bench.heal(ADMIN, &group).await.len(), 1, "then the other is not the world");
}

#[tokio::test]
async fn a_rule_of_another_id_is_the_same_rule() {
    let bench = moto().await;
    let (ec2, group) = group(&bench, "again").await;
    authorize(&ec2, &group, v4(22, 22, "0.0.0.0/0", "mine")).await;
    let made = bench.heal(ADMIN, &group).await;
    let [change] = &made[..] else { panic!("{made:?}") };
    authorize(&ec2, &group, v4(22, 22, "0.0.0.0/0", "mine")).await;
    let state = bench.read(&group).await;
    assert!(change.starts_from(&state.properties), "{state:?}");
    let rule = change.facet.read(&state.properties);
    assert!(same(&rule, &change.before) && rule["RuleId"] != change.before["RuleId"]);
    bench.again(change).await.unwrap();
    assert_eq!(bench.read(&group).await.properties[INGRESS], json!([]));
}

#[tokio::test]
async fn a_prefix_list_that_holds_the_world_is_the_world() {
    let bench = moto().await;
    let (ec2, group) = group(&bench, "lists").await;
    let list = async |name: &str, cidrs: &[&str]| {
        let entry = |it: &&str| AddPrefixListEntry::builder().cidr(*it).build();
        let call = ec2.create_managed_prefix_list().prefix_list_name(name).address_family("IPv4");
        let call = call.max_entries(5).set_entries(Some(cidrs.iter().map(entry).collect()));
        call.send().await.unwrap().prefix_list.unwrap().prefix_list_id.unwrap()
    };
    let world = list("world", &["0.0.0.0/1", "128.0.0.0/1"]).await;
    let office = list("office", &["203.0.113.0/24"]).await;
    for id in [&world, &office] {
        let source = PrefixListId::builder().prefix_list_id(id).build();
        let permission = IpPermission::builder().ip_protocol("tcp").from_port(22).to_port(22);
        authorize(&ec2, &group, permission.prefix_list_ids(source).build()).await;
    }
    let state = bench.read(&group).await;
    let lists = json!({ &world: ["0.0.0.0/1", "128.0.0.0/1"], &office: ["203.0.113.0/24"] });
    assert_eq!(state.properties["PrefixLists"], lists);
    let made = bench.heal(ADMIN, &group).await;
    assert_eq!(made.len(), 1, "{made:?}");
    assert_eq!(made[0].before["SourcePrefixListId"], json!(world));
    bench.undo(&made[0]).await.unwrap();
    assert_eq!(findings(ADMIN, &bench.read(&group).await).len(), 1);
}

#[tokio::test]
async fn a_group_that_is_gone_is_none() {
    for bench in [ministack().await, moto().await] {
        let gone = bench.resource(TYPE, "sg-0a1b2c3d4e5f60718", REGION);
        assert_eq!(bench.live.read(&gone).await.unwrap(), None);
    }
}

#[tokio::test]
async fn an_account_that_is_not_configured_is_not_touched() {
    let bench = ministack().await;
    let mut other = bench.resource(TYPE, "sg-0123456789abcdef0", REGION);
    other.account = "999988887777".to_owned();
    let error = bench.live.read(&other).await.unwrap_err();
    assert_eq!(error.kind, CloudErrorKind::Unsupported);
}
