//! A thousand violations at once through the deployed queue, a tenth of the events twice, and one
//! poisoned message to a hundred: each is fixed once, and the dead letters hold the poison only.

use crate::e2e::{MINISTACK_ACCOUNT, event, text};
use crate::watch;
use crate::world::{PREFIX, World};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How many security groups let the world in.
const VIOLATIONS: usize = 1_000;
/// Every how many-th event comes twice.
const DUPLICATE_EVERY: usize = 10;
/// How many messages cannot be read.
const POISONED: usize = 10;
/// Most messages of one SendMessageBatch. Source: the Amazon SQS API reference.
const BATCH_MAX: usize = 10;

/// Makes the storm and waits until it has passed.
pub fn passes(world: &World) {
    let groups: Vec<String> = (0..VIOLATIONS).map(|it| open(world, it)).collect();
    let mut bodies: Vec<String> = Vec::new();
    for (at, group) in groups.iter().enumerate() {
        let parameters = json!({ "groupId": group });
        let opened = event(MINISTACK_ACCOUNT, "ec2", "AuthorizeSecurityGroupIngress", parameters)
            .to_string();
        if at % DUPLICATE_EVERY == 0 {
            bodies.push(opened.clone());
        }
        bodies.push(opened);
    }
    let poison = (0..POISONED).map(|it| format!("{{\"poison\": {it}"));
    let each = bodies.len() / POISONED;
    for (at, it) in poison.enumerate() {
        bodies.insert(at * each, it);
    }
    send_all(world, &bodies);
    world.wait("the storm has passed", || world.length(&format!("{PREFIX}-events")) == 0);

    let ports = open_ports(world);
    assert_eq!(ports.len(), VIOLATIONS);
    assert!(ports.values().all(|it| *it == [443]), "{ports:?}");
    assert_fixed_once(world, &groups);
    assert_eq!(world.length(&format!("{PREFIX}-dead-letters")), POISONED);
    assert_eq!(watch::corrected(world), ledger_corrected(world), "metrics and ledger agree");
    watch::ledger_verifies(world);
}

fn open(world: &World, at: usize) -> String {
    let group = json!({ "GroupName": format!("storm-{at}"), "Description": "e2e" });
    let id = text(&world.admin.call("ec2", "create_security_group", group)["GroupId"]);
    let rule = |port: u16| {
        let ranges = json!([{ "CidrIp": "0.0.0.0/0" }]);
        json!({ "IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": ranges })
    };
    let wanted = json!({ "GroupId": id, "IpPermissions": [rule(443), rule(22)] });
    world.admin.call("ec2", "authorize_security_group_ingress", wanted);
    id
}

fn send_all(world: &World, bodies: &[String]) {
    let queue = world.queue(&format!("{PREFIX}-events"));
    for batch in bodies.chunks(BATCH_MAX) {
        let entry =
            |(at, body): (usize, &String)| json!({ "Id": at.to_string(), "MessageBody": body });
        let entries: Vec<Value> = batch.iter().enumerate().map(entry).collect();
        let wanted = json!({ "QueueUrl": queue, "Entries": entries });
        let sent = world.admin.call("sqs", "send_message_batch", wanted);
        assert!(sent["Failed"].as_array().is_none_or(Vec::is_empty), "{sent}");
    }
}

/// Which ports each group of the storm is open on.
fn open_ports(world: &World) -> BTreeMap<String, Vec<u64>> {
    let found = world.admin.call("ec2", "describe_security_groups", json!({}));
    let groups = found["SecurityGroups"].as_array().unwrap().iter();
    let ours = groups.filter(|it| text(&it["GroupName"]).starts_with("storm-"));
    ours.map(|it| {
        let rules = it["IpPermissions"].as_array().unwrap().iter();
        (text(&it["GroupId"]), rules.map(|it| it["FromPort"].as_u64().unwrap()).collect())
    })
    .collect()
}

/// Every group has one attempt that corrected it, whatever else was tried and came too late.
fn assert_fixed_once(world: &World, groups: &[String]) {
    let facts = world.facts();
    let mut group_of: BTreeMap<String, String> = BTreeMap::new();
    for it in facts.iter().filter(|it| it["fact"] == "attempted") {
        group_of.insert(text(&it["id"]), text(&it["change"]["resource"]["id"]));
    }
    let mut corrected: BTreeMap<&String, usize> = BTreeMap::new();
    for it in facts.iter().filter(|it| it["fact"] == "concluded") {
        if it["outcome"]["outcome"] == "corrected" {
            *corrected.entry(&group_of[&text(&it["attempt"])]).or_default() += 1;
        }
    }
    let wrong: Vec<_> = groups.iter().filter(|it| corrected.get(it) != Some(&1)).collect();
    assert!(wrong.is_empty(), "not corrected exactly once: {wrong:?}");
}

fn ledger_corrected(world: &World) -> f64 {
    let facts = world.facts();
    let concluded = facts.iter().filter(|it| it["fact"] == "concluded");
    concluded.filter(|it| it["outcome"]["outcome"] == "corrected").count() as f64
}
