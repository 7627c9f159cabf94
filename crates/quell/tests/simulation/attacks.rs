//! Violations of the simulated account, each with its audit event.

use jiff::Timestamp;
use quell::demo::account::{HOME_REGION, REGION, block, bucket_ref, trail_ref};
use quell::demo::call::{Call, Caller};
use quell::simulation::SimulatedAccount;
use quell::simulation::dice::Dice;
use quell_core::resource::{ResourceRef, State};
use serde_json::{Value, json};

pub const BLOCK: &str = "/PublicAccessBlockConfiguration";
pub const GRANTS: &str = "/AccessControlList/Grants";
pub const INGRESS: &str = "/SecurityGroupIngress";
pub const LOGGING: &str = "/IsLogging";
pub const STATEMENTS: &str = "/BucketPolicy/Statement";
/// Who fights.
pub const TERRAFORM: Caller = Caller::Role("terraform", "apply");

/// What an attack did: the places that are worse than before, and the events of its calls.
pub struct Attack {
    pub worse: Vec<(ResourceRef, &'static str)>,
    pub deliveries: Vec<Vec<u8>>,
}

/// Any attack.
pub fn any(account: &SimulatedAccount, now: Timestamp, dice: &mut Dice) -> Attack {
    let caller = *dice.pick(&[Caller::User("mallory"), Caller::Role("ci-runner", "job")]).unwrap();
    let bucket = bucket_ref(dice.pick(&["acme-website", "acme-uploads"]).unwrap());
    match dice.below(5) {
        0 => {
            let group = group(account, dice.pick(&["bastion", "web", "debug"]).unwrap());
            let port = *dice.pick(&[22, 3389, 5432]).unwrap();
            open(account, &group, caller, port, now, dice)
        }
        1 => {
            let worse = unblock(account, &bucket);
            s3(caller, "DeleteBucketPublicAccessBlock", &bucket, json!({}), worse, now, dice)
        }
        2 => {
            let mut worse = unblock(account, &bucket);
            let statement = json!({
                "Sid": format!("Public{}", dice.below(1000)),
                "Effect": "Allow",
                "Principal": "*",
                "Action": "s3:GetObject",
                "Resource": format!("arn:aws:s3:::{}/*", bucket.id),
            });
            worse.extend(add(account, &bucket, STATEMENTS, statement));
            let policy = account.get(&bucket).unwrap().properties["BucketPolicy"].clone();
            s3(
                caller,
                "PutBucketPolicy",
                &bucket,
                json!({ "bucketPolicy": policy }),
                worse,
                now,
                dice,
            )
        }
        3 => {
            let mut worse = unblock(account, &bucket);
            let grant = json!({
                "Grantee": {
                    "Type": "Group",
                    "URI": "http://acs.amazonaws.com/groups/global/AllUsers",
                },
                "Permission": dice.pick(&["READ", "WRITE"]),
            });
            worse.extend(add(account, &bucket, GRANTS, grant));
            s3(caller, "PutBucketAcl", &bucket, json!({}), worse, now, dice)
        }
        _ => {
            let trail = trail_ref("audit");
            let mut worse = Vec::new();
            account
                .edit(&trail, |it| {
                    if it.properties["IsLogging"] == json!(true) {
                        worse.push((trail.clone(), LOGGING));
                    }
                    it.properties["IsLogging"] = json!(false);
                })
                .unwrap();
            let request = json!({ "name": trail.id });
            let call = Call::new(caller, "cloudtrail", "StopLogging", HOME_REGION, request);
            Attack { worse, deliveries: vec![call.delivery(now, dice)] }
        }
    }
}

/// Somebody opens a port to the world.
pub fn open(
    account: &SimulatedAccount,
    group: &ResourceRef,
    caller: Caller,
    port: u16,
    now: Timestamp,
    dice: &mut Dice,
) -> Attack {
    let rule = json!({
        "RuleId": account.next_rule_id(),
        "IpProtocol": "tcp",
        "FromPort": port,
        "ToPort": port,
        "CidrIp": "0.0.0.0/0",
    });
    let worse = add(account, group, INGRESS, rule);
    let request = json!({
        "groupId": group.id,
        "ipPermissions": { "items": [{
            "ipProtocol": "tcp",
            "fromPort": port,
            "toPort": port,
            "ipRanges": { "items": [{ "cidrIp": "0.0.0.0/0" }] },
        }]},
    });
    let call = Call::new(caller, "ec2", "AuthorizeSecurityGroupIngress", REGION, request);
    Attack { worse, deliveries: vec![call.delivery(now, dice)] }
}

/// Somebody closes again what is open to the world in a group; no policy watches that call.
pub fn close(account: &SimulatedAccount, name: &str) {
    let keep = |it: &Value| it["CidrIp"] != json!("0.0.0.0/0") || it["FromPort"] == json!(443);
    let edit = |it: &mut State| list(it, INGRESS).retain(keep);
    account.edit(&group(account, name), edit).unwrap();
}

/// Somebody else adds a harmless rule while Quell is at work.
pub fn interfere(state: &mut State, dice: &mut Dice) {
    if state.properties.pointer(INGRESS).is_some() {
        let cidr = format!("203.0.113.{}/32", dice.below(255));
        let rule = json!({
            "RuleId": format!("sgr-third-{}", dice.below(1_000_000)),
            "IpProtocol": "tcp",
            "FromPort": 22,
            "ToPort": 22,
            "CidrIp": cidr,
            "Description": "third party",
        });
        list(state, INGRESS).push(rule);
    }
}

/// Whether the group has the rule that Terraform wants.
pub fn is_open(account: &SimulatedAccount, group: &ResourceRef, port: u16) -> bool {
    let state = account.get(group).unwrap();
    let rules = state.properties[&INGRESS[1..]].as_array().unwrap().clone();
    rules.iter().any(|it| it["CidrIp"] == json!("0.0.0.0/0") && it["FromPort"] == json!(port))
}

pub fn group(account: &SimulatedAccount, name: &str) -> ResourceRef {
    account.find(|it| it.properties["GroupName"] == json!(name)).unwrap()
}

fn list<'a>(state: &'a mut State, pointer: &str) -> &'a mut Vec<Value> {
    state.properties.pointer_mut(pointer).unwrap().as_array_mut().unwrap()
}

type Worse = Vec<(ResourceRef, &'static str)>;

/// Adds an element; equal ones are one, as in the cloud.
fn add(
    account: &SimulatedAccount,
    resource: &ResourceRef,
    pointer: &'static str,
    element: Value,
) -> Worse {
    let mut worse = Vec::new();
    let edit = |it: &mut State| {
        let list = list(it, pointer);
        if !list.iter().any(|it| quell_core::change::same(it, &element)) {
            list.push(element);
            worse.push((resource.clone(), pointer));
        }
    };
    account.edit(resource, edit).unwrap();
    worse
}

fn unblock(account: &SimulatedAccount, bucket: &ResourceRef) -> Worse {
    let mut worse = Vec::new();
    let edit = |it: &mut State| {
        if it.properties.pointer(BLOCK) == Some(&block(true)) {
            worse.push((bucket.clone(), BLOCK));
        }
        it.properties.as_object_mut().unwrap().remove(&BLOCK[1..]);
    };
    account.edit(bucket, edit).unwrap();
    worse
}

fn s3(
    caller: Caller,
    operation: &'static str,
    bucket: &ResourceRef,
    mut request: Value,
    worse: Worse,
    now: Timestamp,
    dice: &mut Dice,
) -> Attack {
    const UNBLOCK: &str = "DeleteBucketPublicAccessBlock";
    let mut deliveries = Vec::new();
    if operation != UNBLOCK && worse.iter().any(|(_, it)| *it == BLOCK) {
        let request = json!({ "bucketName": bucket.id });
        let call = Call::new(caller, "s3", UNBLOCK, REGION, request);
        deliveries.push(call.delivery(now, dice));
    }
    request["bucketName"] = json!(bucket.id);
    deliveries.push(Call::new(caller, "s3", operation, REGION, request).delivery(now, dice));
    Attack { worse, deliveries }
}
