//! A thousand violations at once through the deployed queue, a tenth of the events twice, and one
//! poisoned message to a hundred: each is fixed once, and the dead letters hold the poison only.
//!
//! Its twin is a smaller storm with the caps as they come: what is above them is told and left.

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

/// How long a message is hidden from others, in seconds: twice what the function may take.
const VISIBILITY_S: u64 = 60;

/// How many violations the smaller storm has: more than twice the default cap.
const TWIN_VIOLATIONS: usize = 60;
/// The fleet-wide cap that is in force where nothing is configured.
const FLEET_CHANGES_DEFAULT: usize = 25;
/// What the groups' names begin with.
const STORM: &str = "storm-";
const TWIN: &str = "twin-";

/// With the caps as they come: as many are fixed as these allow, the rest is withheld and told.
pub fn falls_back(world: &World) {
    let groups: Vec<String> = (0..TWIN_VIOLATIONS).map(|it| open(world, TWIN, it)).collect();
    send_all(world, &groups.iter().map(|it| opened(it)).collect::<Vec<_>>());
    world.wait("the small storm has passed", || world.length(&format!("{PREFIX}-events")) == 0);
    assert_eq!(count_open(world, TWIN), TWIN_VIOLATIONS - FLEET_CHANGES_DEFAULT);
    let facts = world.facts();
    // Each environment that finds the cap reached before it hears of another says so.
    assert!(facts.iter().any(|it| it["fact"] == "breaker_opened"));
    assert_eq!(withheld(world), TWIN_VIOLATIONS - FLEET_CHANGES_DEFAULT);
    watch::ledger_verifies(world);
}

/// After somebody raised the caps and the breaker has closed, a scan fixes what was withheld.
pub fn is_finished_by_a_scan(world: &World) {
    world.wait("a scan finishes the small storm", || {
        world.tick(PREFIX, "scan");
        count_open(world, TWIN) == 0
    });
    assert_eq!(withheld(world), 0);
}

/// How many groups stay open because a guardrail withheld the fix. (A second policy finds the same
/// port, and has nothing left to fix where the first has fixed it.)
fn withheld(world: &World) -> usize {
    let findings = world.quell(&["findings", "list", "--format", "json"]);
    let findings = findings.lines().map(|it| serde_json::from_str::<Value>(it).unwrap());
    let of_groups = findings.filter(|it| it["finding"]["policy"] == "aws.ec2.admin_port_open");
    of_groups.filter(|it| it["status"] == "withheld").count()
}

/// Makes the storm and waits until it has passed.
pub fn passes(world: &World) {
    let groups: Vec<String> = (0..VIOLATIONS).map(|it| open(world, STORM, it)).collect();
    let mut bodies: Vec<String> = Vec::new();
    for (at, group) in groups.iter().enumerate() {
        let opened = opened(group);
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
    // Poison comes back as often as the queue says; six times the function's time is long to wait.
    world.hide_for(&format!("{PREFIX}-events"), VISIBILITY_S);
    send_all(world, &bodies);
    world.wait("the storm has passed", || world.length(&format!("{PREFIX}-events")) == 0);

    let ports = open_ports(world, STORM);
    assert_eq!(ports.len(), VIOLATIONS);
    assert!(ports.values().all(|it| *it == [443]), "{ports:?}");
    assert_fixed_once(world, &groups);
    assert_eq!(world.length(&format!("{PREFIX}-dead-letters")), POISONED);
    assert_eq!(watch::corrected(world), ledger_corrected(world), "metrics and ledger agree");
    watch::ledger_verifies(world);
}

/// The event that tells of an opened group.
fn opened(group: &str) -> String {
    let parameters = json!({ "groupId": group });
    event(MINISTACK_ACCOUNT, "ec2", "AuthorizeSecurityGroupIngress", parameters).to_string()
}

/// Makes a group that lets the world in on a port for everybody, and on one for administrators.
fn open(world: &World, storm: &str, at: usize) -> String {
    let group = json!({ "GroupName": format!("{storm}{at}"), "Description": "e2e" });
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

fn count_open(world: &World, storm: &str) -> usize {
    open_ports(world, storm).values().filter(|it| it.contains(&22)).count()
}

/// Which ports each group of a storm is open on.
fn open_ports(world: &World, storm: &str) -> BTreeMap<String, Vec<u64>> {
    let found = world.admin.call("ec2", "describe_security_groups", json!({}));
    let groups = found["SecurityGroups"].as_array().unwrap().iter();
    let ours = groups.filter(|it| text(&it["GroupName"]).starts_with(storm));
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
