//! `quell scan` and the heartbeat of `quell run` on ministack, by the binary and from outside. No
//! event tells of any violation here; the heartbeat's audit event is made by this test
//! (`e2e_loop.rs` takes LocalEmu's own).
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::string_slice, reason = "tests")]

mod e2e;

use e2e::violations::{ALL, FIVE_VERSIONS, Kind, Made, Place};
use e2e::{Deployed, MINISTACK_ACCOUNT, event, policy, text};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};
use testkit::Ministack;

const PLACE: Place = Place { account: MINISTACK_ACCOUNT };
const TAMPER: &str = "aws.self.tamper";
/// How long something may take to show: many tests share few processors.
const SHOW_TIME_MAX: Duration = Duration::from_secs(60);

/// A disabled rule of ours, on a bus of its own: ministack takes those on the default bus for
/// another ARN than AWS does.
fn disabled_rule(deployed: &Deployed) {
    let call = |call: &str, arguments: Value| deployed.admin.call("events", call, arguments);
    let rule = json!({ "Name": "quell-hub", "EventBusName": "quell" });
    call("create_event_bus", json!({ "Name": "quell" }));
    let mut put = rule.clone();
    put["EventPattern"] = json!(r#"{"source":["aws.iam"]}"#);
    call("put_rule", put);
    let queue = format!("arn:aws:sqs:us-east-1:{MINISTACK_ACCOUNT}:quell-events");
    let targets = json!([{ "Id": "queue", "Arn": queue }]);
    call(
        "put_targets",
        json!({ "Rule": "quell-hub", "EventBusName": "quell", "Targets": targets }),
    );
    call("disable_rule", rule);
}

fn rule_state(deployed: &Deployed) -> String {
    let rule = json!({ "Name": "quell-hub", "EventBusName": "quell" });
    text(&deployed.admin.call("events", "describe_rule", rule)["State"])
}

/// What the reading role gets where scans are made: to read and to list.
fn reading(deployed: &Deployed, lists: bool) -> Value {
    let needed = deployed.needed(&[]);
    let mut statements = needed["read"]["Statement"].as_array().unwrap().clone();
    if lists {
        statements.extend(needed["list"]["Statement"].as_array().unwrap().iter().cloned());
    }
    // ministack does not look for the rule in these calls.
    let overlooked = ["events:ListTagsForResource", "events:ListTargetsByRule"];
    statements.push(json!({ "Effect": "Allow", "Action": overlooked, "Resource": "*" }));
    policy(&statements)
}

fn scan(deployed: &Deployed, code: i32) -> Value {
    let ran = deployed.run(&["scan", "--format", "json"]);
    assert_eq!(ran.code, Some(code), "{}\n{}", ran.stdout, ran.stderr);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["schema"], "quell.report/v1");
    report["scan"].clone()
}

#[test]
fn everything_is_found_and_healed_without_an_event() {
    // A scan sees the whole account, so this emulator is not shared.
    let ministack = Ministack::start(true).unwrap();
    let mut deployed = Deployed::with_roles(&ministack.endpoint(), "scan");
    // The account's own block would make all that is public in its buckets a latent matter.
    let policies: BTreeSet<&str> = ALL.iter().map(|it| it.policy).chain([TAMPER]).collect();
    deployed.configure(|it| it["policies"] = json!({ "enabled": policies }));
    let made: Vec<(&Kind, Made)> = ALL
        .iter()
        .map(|it| (it, (it.make)(&deployed.admin, &PLACE, &format!("scan-{}", it.name))))
        .collect();
    disabled_rule(&deployed);

    deployed.grant("read", &reading(&deployed, false));
    let blind = scan(&deployed, 3);
    let failed: BTreeSet<String> =
        blind["failed"].as_array().unwrap().iter().map(|it| text(&it["step"]["type"])).collect();
    // Security groups are described to read one, too, so they alone could be listed.
    let group = "AWS::EC2::SecurityGroup";
    assert!(failed.len() == 7 && !failed.contains(group), "{failed:?}");

    deployed.grant("read", &reading(&deployed, true));
    let report = scan(&deployed, 1);
    assert_eq!((&report["errors"], &report["stopped"]), (&json!(0), &Value::Null), "{report:#}");
    for (kind, it) in &made {
        let waits = kind.name == FIVE_VERSIONS;
        let wanted = if waits { &it.violated } else { &it.sound };
        assert_eq!(it.look(&deployed.admin), *wanted, "{}", kind.name);
    }
    assert_eq!(rule_state(&deployed), "ENABLED");

    let attempts = deployed.facts_of("attempted").len();
    let again = scan(&deployed, 1);
    // Two policies that were made to be attached, and the one with five versions.
    let waiting = again["found"].as_array().unwrap();
    assert!(waiting.iter().all(|it| it["status"] == "awaiting_approval"), "{again:#}");
    assert_eq!((waiting.len(), &again["violations"]), (3, &json!(3)));
    assert_eq!(deployed.facts_of("attempted").len(), attempts, "nothing is done twice");
    for it in waiting {
        deployed.must(&["approvals", "approve", &text(&it["key"]), "--reason", "agreed"]);
    }
    assert_eq!(scan(&deployed, 0)["violations"], 0);
    what_is_gone_is_closed(&mut deployed);
    deployed.must(&["audit", "verify"]);
}

/// And what a scan may not see closes nothing.
fn what_is_gone_is_closed(deployed: &mut Deployed) {
    deployed.configure(|it| it["guardrails"]["modes"]["default"] = json!("notify"));
    let kind = ALL.iter().find(|it| it.name == "attached-user").unwrap();
    (kind.make)(&deployed.admin, &PLACE, "scan-again");
    let found = scan(deployed, 1);
    let id = |kind: &str| {
        let mut all = found["found"].as_array().unwrap().iter().map(|it| &it["resource"]);
        text(&all.find(|it| it["type"] == kind).unwrap()["id"])
    };
    let (user, policy) = (id("AWS::IAM::User"), id("AWS::IAM::ManagedPolicy"));
    let open = || deployed.must(&["findings", "list", "--format", "json"]).lines().count();
    assert_eq!(open(), 2);
    deployed.grant("read", &reading(deployed, false));
    scan(deployed, 3);
    assert_eq!(open(), 2);
    deployed.grant("read", &reading(deployed, true));
    let named = json!({ "UserName": user });
    let iam = |call: &str, arguments: Value| deployed.admin.call("iam", call, arguments);
    for it in
        iam("list_attached_user_policies", named.clone())["AttachedPolicies"].as_array().unwrap()
    {
        iam("detach_user_policy", json!({ "UserName": user, "PolicyArn": it["PolicyArn"] }));
    }
    for it in iam("list_user_policies", named.clone())["PolicyNames"].as_array().unwrap() {
        iam("delete_user_policy", json!({ "UserName": user, "PolicyName": it }));
    }
    iam("delete_user", named);
    iam("delete_policy", json!({ "PolicyArn": policy }));
    let closed = scan(deployed, 0);
    assert_eq!((&closed["resolved"], &closed["violations"]), (&json!(2), &json!(0)), "{closed:#}");
    assert_eq!(open(), 0);
}

/// The nonce that stands on the rule now.
fn nonce(deployed: &Deployed, arn: &str) -> Option<String> {
    let found =
        deployed.admin.call("events", "list_tags_for_resource", json!({ "ResourceARN": arn }));
    let tags = found["Tags"].as_array()?;
    tags.iter().find(|it| it["Key"] == "quell:heartbeat").map(|it| text(&it["Value"]))
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(it) = look() {
            return it;
        }
        assert!(started.elapsed() < SHOW_TIME_MAX, "{what} does not show");
        thread::sleep(Duration::from_millis(100));
    }
}

/// The steps of the heartbeat with a nonce.
fn steps(deployed: &Deployed, nonce: &str) -> Vec<Value> {
    let facts = deployed.facts_of("heartbeat").into_iter();
    facts.filter(|it| it["heartbeat"]["nonce"] == nonce).map(|it| it["step"].clone()).collect()
}

#[test]
fn a_running_quell_writes_its_heartbeat_and_knows_it_again() {
    let endpoint = Ministack::shared(false).unwrap().endpoint();
    let mut deployed = Deployed::plainly(&endpoint, MINISTACK_ACCOUNT, "heart");
    let pattern =
        json!({ "Name": "quell-heartbeat", "EventPattern": r#"{"source":["aws.events"]}"# });
    let arn = text(&deployed.admin.call("events", "put_rule", pattern)["RuleArn"]);
    deployed.configure(|it| it["heartbeat"] = json!({ "heartbeat_period_s": 3600 }));
    let folder = deployed.events("events", []);
    let running = deployed.spawn(&["run", "--follow", &folder]);
    let nonce = until("the heartbeat", || nonce(&deployed, &arn));
    let written = until("the written heartbeat", || {
        steps(&deployed, &nonce).into_iter().find(|it| it["beat"] == "written")
    });
    let tags = json!([{ "key": "quell:heartbeat", "value": nonce }]);
    let request = json!({ "resourceARN": arn, "tags": tags });
    let mut audit = event(MINISTACK_ACCOUNT, "events", "TagResource", request);
    audit["detail"]["requestID"] = written["request_ids"][0].clone();
    // Whole at once: the folder is being watched.
    fs::write(deployed.path("audit.json"), audit.to_string()).unwrap();
    fs::rename(deployed.path("audit.json"), format!("{folder}/audit.json")).unwrap();
    until("the returned heartbeat", || {
        steps(&deployed, &nonce).into_iter().find(|it| it["beat"] == "returned")
    });
    running.terminate().unwrap();
    let ran = running.wait(SHOW_TIME_MAX).unwrap();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(deployed.facts_of("impostor"), Vec::<Value>::new());
    assert_eq!(deployed.facts_of("decided"), Vec::<Value>::new());
}
