//! The serverless function: the real binary, started as Lambda starts it, by a stand-in of ours for
//! Lambda's Runtime API (`testkit::RuntimeApi`), under roles that ministack enforces.
//!
//! Its ledger is an embedded one, which the tests read; `e2e_function.rs` runs it on ministack's
//! Lambda, behind a real queue, with the ledger that is deployed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::string_slice, reason = "tests")]

mod e2e;

use e2e::violations::{ALL, Kind, Made, Place};
use e2e::{Deployed, MINISTACK_ACCOUNT, event, text};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use testkit::{Background, Ministack, Quell, RuntimeApi};

const PLACE: Place = Place { account: MINISTACK_ACCOUNT };
/// The time-out that the function is invoked with, where a test does not need another.
const TIME: Duration = Duration::from_secs(120);

struct Function {
    deployed: Deployed,
    api: RuntimeApi,
    process: Background,
}

impl Function {
    fn new(name: &str) -> Function {
        let endpoint = Ministack::shared(true).unwrap().endpoint();
        Function::of(Deployed::with_roles(&endpoint, name))
    }

    fn of(deployed: Deployed) -> Function {
        let api = RuntimeApi::start().unwrap();
        let process = deployed.function(&api);
        Function { deployed, api, process }
    }

    fn violation(&self, name: &str) -> Made {
        let kind: &Kind = ALL.iter().find(|it| it.name == name).unwrap();
        (kind.make)(&self.deployed.admin, &PLACE, &format!("{}-{name}", self.deployed.name))
    }

    /// The answer, which must be a response.
    fn answer(&self, event: &Value) -> Value {
        self.answer_within(event, TIME)
    }

    fn answer_within(&self, event: &Value, time: Duration) -> Value {
        let answered = self.api.invoke(event.to_string().as_bytes(), time).unwrap();
        assert!(answered.is_response, "{}", answered.body);
        serde_json::from_str(&answered.body).unwrap()
    }

    /// The answer, which must be an error; its type and its words.
    fn error(&self, event: &[u8]) -> (String, String) {
        let answered = self.api.invoke(event, TIME).unwrap();
        assert!(!answered.is_response, "{}", answered.body);
        let error: Value = serde_json::from_str(&answered.body).unwrap();
        (text(&error["errorType"]), text(&error["errorMessage"]))
    }

    fn is_alive(&mut self) -> bool {
        self.process.ended().unwrap().is_none()
    }
}

/// A batch as the event source mapping makes it; each message is named after its place.
fn batch<'a>(bodies: impl IntoIterator<Item = &'a str>, receives: u32) -> Value {
    let records = bodies.into_iter().enumerate().map(|(at, body)| {
        json!({
            "messageId": format!("message-{at}"),
            "receiptHandle": "MessageReceiptHandle",
            "body": body,
            "attributes": {
                "ApproximateReceiveCount": receives.to_string(),
                "SentTimestamp": "1523232000000",
                "SenderId": "123456789012",
                "ApproximateFirstReceiveTimestamp": "1523232000001",
            },
            "messageAttributes": {},
            "md5OfBody": "{{{md5_of_body}}}",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:quell-events",
            "awsRegion": "us-east-1",
        })
    });
    json!({ "Records": records.collect::<Vec<_>>() })
}

/// The names of the messages that must come again.
fn failed(answer: &Value) -> Vec<String> {
    let failures = answer["batchItemFailures"].as_array().unwrap();
    let mut failed: Vec<_> = failures.iter().map(|it| text(&it["itemIdentifier"])).collect();
    failed.sort();
    failed
}

/// An event that no policy wants.
fn unwanted() -> String {
    event(MINISTACK_ACCOUNT, "s3", "GetBucketLocation", json!({ "bucketName": "b" })).to_string()
}

#[test]
fn a_batch_is_healed_but_for_its_poison() {
    let function = Function::new("fn-batch");
    let violations = ["block-gone", "admin-port", "attached-user"].map(|it| function.violation(it));
    let mut bodies: Vec<String> = violations.iter().map(|it| it.event.to_string()).collect();
    // Truncated, twice, no JSON at all, not wanted, out of order.
    let whole = bodies[0].clone();
    bodies.push(whole[..whole.len() / 2].to_owned());
    bodies.push(whole);
    bodies.push("poison".to_owned());
    bodies.push(unwanted());
    bodies.rotate_right(2);

    let answer = function.answer(&batch(bodies.iter().map(String::as_str), 1));
    let poison: Vec<_> = (0..bodies.len())
        .filter(|at| serde_json::from_str::<Value>(&bodies[*at]).is_err())
        .map(|at| format!("message-{at}"))
        .collect();
    assert_eq!(failed(&answer), poison);
    assert_eq!(poison.len(), 2);
    for it in &violations {
        assert_eq!(it.look(&function.deployed.admin), it.sound, "{}", it.event);
    }
    let corrected = function.deployed.facts_of("concluded");
    assert_eq!(corrected.len(), 3, "each is fixed once: {corrected:#?}");
    assert_eq!(function.deployed.facts_of("dead_lettered"), Vec::<Value>::new());

    let again = function.answer(&batch(bodies.iter().map(String::as_str), 2));
    assert_eq!(failed(&again), poison, "the rest is known");
    assert_eq!(function.deployed.facts_of("attempted").len(), 3);
}

#[test]
fn poison_is_recorded_with_its_reason_when_it_is_received_for_the_last_time() {
    let function = Function::new("fn-poison");
    let of_another_account =
        event("999988887777", "s3", "PutBucketAcl", json!({ "bucketName": "b" })).to_string();
    let poison = [
        ("{\"not\": \"closed\"", "EOF"),
        ("[]", "a JSON list"),
        (of_another_account.as_str(), "account `999988887777` is not configured"),
    ];
    let bodies = poison.map(|(body, _)| body);
    for receives in 1..5 {
        assert_eq!(failed(&function.answer(&batch(bodies, receives))).len(), 3);
        assert_eq!(function.deployed.facts_of("dead_lettered"), Vec::<Value>::new());
    }
    assert_eq!(failed(&function.answer(&batch(bodies, 5))).len(), 3, "the queue moves them");
    let letters = function.deployed.facts_of("dead_lettered");
    assert_eq!(letters.len(), 3, "{letters:#?}");
    for (body, why) in poison {
        let of_body = |it: &&Value| it["bytes"] == body.len();
        let letter = letters.iter().find(of_body).unwrap_or_else(|| panic!("{body}: {letters:#?}"));
        assert_eq!(text(&letter["source"]), "sqs:arn:aws:sqs:us-east-1:123456789012:quell-events");
        let reason = text(&letter["reason"]);
        assert!(reason.starts_with("received 5 times: ") && reason.contains(why), "{reason}");
    }
}

#[test]
fn an_event_without_a_queue_is_healed_or_refused() {
    let function = Function::new("fn-direct");
    let made = function.violation("block-gone");
    assert_eq!(function.answer(&made.event), json!({ "done": true }));
    assert_eq!(made.look(&function.deployed.admin), made.sound);

    let (kind, words) = function.error(b"{\"some\": \"thing\"}");
    assert_eq!(kind, "Quell.NotHandled");
    assert!(words.contains("an object with the keys [\"some\"]"), "{words}");
    let custom_action = json!({
        "version": "0", "id": "1", "detail-type": "Security Hub Findings - Custom Action",
        "source": "aws.securityhub", "account": MINISTACK_ACCOUNT, "region": "us-east-1",
        "time": "2026-11-23T04:00:00Z", "resources": [],
        "detail": { "actionName": "Close it", "actionDescription": "", "findings": [{}, {}] },
    });
    let (_, words) = function.error(custom_action.to_string().as_bytes());
    assert!(words.contains("custom action `Close it` of Security Hub, 2 findings"), "{words}");
    // As Lambda's asynchronous invocation does, which tries it twice more.
    for _ in 0..2 {
        assert_eq!(function.error(b"{\"some\": \"thing\"}").0, "Quell.NotHandled");
    }
    let letters = function.deployed.facts_of("dead_lettered");
    assert_eq!(letters.len(), 2, "neither is dropped in silence, nor told thrice: {letters:#?}");
}

#[test]
fn a_schedule_s_scan_heals_what_no_event_told_of() {
    let ministack = Ministack::start(true).unwrap();
    let deployed = Deployed::with_roles(&ministack.endpoint(), "fn-scan");
    let list = json!({
        "RoleName": deployed.role("read"),
        "PolicyName": "list",
        "PolicyDocument": deployed.needed(&[])["list"].to_string(),
    });
    deployed.admin.call("iam", "put_role_policy", list);
    let function = Function::of(deployed);
    let made = function.violation("admin-port");
    let report = function.answer(&json!({ "quell": "scan" }));
    assert_eq!(made.look(&function.deployed.admin), made.sound, "{report:#}");
    assert_eq!(report["stopped"], Value::Null, "{report:#}");

    let late = json!({ "quell": "scan" });
    let report = function.answer_within(&late, Duration::from_secs(5));
    assert_eq!(report["resources"], 0, "a change could not be made in time: {report:#}");
    assert_ne!(report["stopped"], Value::Null);
}

#[test]
fn what_a_schedule_asks_for_is_told_apart_from_events() {
    let function = Function::new("fn-tick");
    let (kind, words) = function.error(b"{\"quell\": \"heartbeat\"}");
    assert_eq!(
        (kind.as_str(), words.as_str()),
        ("Quell.NotConfigured", "`heartbeat` is not configured")
    );
    for word in ["yesterday", ""] {
        let (kind, words) = function.error(json!({ "quell": word }).to_string().as_bytes());
        assert_eq!(kind, "Quell.BadInput");
        assert!(words.contains("`scan`, `heartbeat`, `checkpoint`"), "{words}");
    }
}

#[test]
fn bad_input_is_answered_and_the_function_lives_on() {
    let mut function = Function::new("fn-bad-input");
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let inputs: [&[u8]; 8] = [
        b"",
        b"{\"Records\": [{\"eventSource\": \"aws:sqs\"",
        b"\"\xff\xfe\"",
        b"{\"Records\": [{\"eventSource\": \"aws:sqs\"}]}",
        b"null",
        deep.as_bytes(),
        b"{\"Records\": 1}",
        b"{\"version\": \"2.0\", \"requestContext\": {\"http\": {\"method\": \"POST\"}}}",
    ];
    for input in inputs {
        let (_, words) = function.error(input);
        assert!(!words.is_empty());
    }
    assert_eq!(function.answer(&json!({ "Records": [] })), json!({ "done": true }), "no events");

    // As large as EventBridge and SQS let an event be.
    let mut large = event(MINISTACK_ACCOUNT, "s3", "PutBucketAcl", json!({ "bucketName": "gone" }));
    large["detail"]["requestParameters"]["x"] = json!("a".repeat(255 * 1024));
    let bodies = vec![large.to_string(); 10];
    let answer = function.answer(&batch(bodies.iter().map(String::as_str), 1));
    assert_eq!(failed(&answer), Vec::<String>::new());
    assert!(function.is_alive());
}

#[test]
fn no_change_is_begun_when_too_little_time_is_left() {
    let function = Function::new("fn-late");
    let made = function.violation("block-gone");
    let body = made.event.to_string();
    let late = function.answer_within(&batch([body.as_str()], 1), Duration::from_secs(9));
    assert_eq!(failed(&late), ["message-0"]);
    assert_eq!(made.look(&function.deployed.admin), made.violated);
    let decided = function.deployed.facts_of("decided");
    assert_eq!(decided[0]["verdict"]["reason"]["why"], "too_late", "{decided:#?}");
    assert_eq!(function.deployed.facts_of("attempted"), Vec::<Value>::new());

    assert_eq!(failed(&function.answer(&batch([body.as_str()], 2))), Vec::<String>::new());
    assert_eq!(made.look(&function.deployed.admin), made.sound);
}

#[test]
fn what_failed_for_the_time_being_comes_again_within_seconds() {
    let endpoint = Ministack::shared(true).unwrap().endpoint();
    let function = Function::of(Deployed::plainly(&endpoint, MINISTACK_ACCOUNT, "fn-again"));
    let admin = &function.deployed.admin;
    // As it is deployed: as long as a run that died may take.
    let attributes = json!({ "VisibilityTimeout": "720" });
    let wanted = json!({ "QueueName": "fn-again-events", "Attributes": attributes });
    let queue = text(&admin.call("sqs", "create_queue", wanted)["QueueUrl"]);
    let body = function.violation("block-gone").event.to_string();
    admin.call("sqs", "send_message", json!({ "QueueUrl": queue, "MessageBody": body }));
    let receive = || admin.call("sqs", "receive_message", json!({ "QueueUrl": queue }));
    let received = receive();
    let mut wanted = batch([body.as_str()], 1);
    wanted["Records"][0]["receiptHandle"] = received["Messages"][0]["ReceiptHandle"].clone();
    wanted["Records"][0]["eventSourceARN"] =
        json!(format!("arn:aws:sqs:us-east-1:{MINISTACK_ACCOUNT}:fn-again-events"));
    let late = function.answer_within(&wanted, Duration::from_secs(9));
    assert_eq!(failed(&late), ["message-0"]);
    let answered = Instant::now();
    while receive()["Messages"].as_array().is_none_or(Vec::is_empty) {
        assert!(answered.elapsed() < Duration::from_secs(60), "it waits as long as for a dead run");
        std::thread::sleep(Duration::from_secs(1));
    }
}

#[test]
fn a_message_that_hangs_does_not_take_the_batch_with_it() {
    // An emulator of its own: it is stopped in the middle.
    let ministack = Ministack::start(true).unwrap();
    let function = Function::of(Deployed::with_roles(&ministack.endpoint(), "fn-hang"));
    let made = function.violation("block-gone");
    assert_eq!(failed(&function.answer(&batch([unwanted().as_str()], 1))), Vec::<String>::new());
    signal("STOP", ministack.process_id());
    let bodies = [made.event.to_string(), unwanted()];
    let hung = batch(bodies.iter().map(String::as_str), 1);
    let answer = function.answer_within(&hung, Duration::from_secs(3));
    signal("CONT", ministack.process_id());
    assert_eq!(failed(&answer), ["message-0"], "the other is done");
    let again = function.answer(&batch(bodies.iter().map(String::as_str), 2));
    assert_eq!(failed(&again), Vec::<String>::new());
    assert_eq!(made.look(&function.deployed.admin), made.sound);
}

/// Signals a process that this test started, and the group that it leads.
fn signal(name: &str, process_id: u32) {
    let group = format!("-{process_id}");
    let done =
        std::process::Command::new("kill").args([&format!("-{name}"), "--", &group]).status();
    assert!(done.unwrap().success());
}

#[test]
fn settings_that_would_lose_the_ledger_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("quell.yaml");
    let cases: [(Option<&str>, &str); 4] = [
        (None, "`QUELL_CONFIG` is not set"),
        (Some("aws: {"), "quell.yaml"),
        (Some("limits: {}"), "no account is configured under `aws.accounts`"),
        (Some("aws: { accounts: { '000000000000': {} } }"), "no `store.dynamodb` is configured"),
    ];
    for (text, why) in cases {
        let api = RuntimeApi::start().unwrap();
        let mut quell = Quell::new(env!("CARGO_BIN_EXE_quell"));
        if let Some(text) = text {
            std::fs::write(&config, text).unwrap();
            quell = quell.variable("QUELL_CONFIG", config.to_str().unwrap());
        }
        let process = api.environment(quell).spawn(&[]).unwrap();
        let answered = api.invoke(unwanted().as_bytes(), TIME).unwrap();
        assert!(!answered.is_response && answered.body.contains(why), "{}", answered.body);
        let logged = process.kill().unwrap().stderr;
        assert!(logged.contains("not ready yet"), "the init phase says it, too: {logged}");
    }
}

#[test]
fn a_lease_that_ends_before_the_function_does_is_refused() {
    let endpoint = Ministack::shared(true).unwrap().endpoint();
    let mut deployed = Deployed::plainly(&endpoint, MINISTACK_ACCOUNT, "fn-lease");
    deployed.configure(|it| {
        it["store"] = json!({ "dynamodb": { "name": "fn-lease", "lease_time_s": 60 } });
    });
    let function = Function::of(deployed);
    let (kind, words) = function.error(unwanted().as_bytes());
    assert_eq!(kind, "Quell.NotStarted");
    assert!(words.contains("`store.dynamodb.lease_time_s` is 60"), "{words}");
    let event: Value = serde_json::from_str(&unwanted()).unwrap();
    let in_time = function.answer_within(&event, Duration::from_secs(60));
    assert_eq!(in_time, json!({ "done": true }));
}

#[test]
fn the_configuration_can_be_a_parameter() {
    let endpoint = Ministack::shared(true).unwrap().endpoint();
    let deployed = Deployed::plainly(&endpoint, MINISTACK_ACCOUNT, "fn-parameter");
    let parameter = json!({
        "Name": "/fn-parameter/config",
        "Type": "SecureString",
        "Value": deployed.config.to_string(),
    });
    deployed.admin.call("ssm", "put_parameter", parameter);
    let quell = |name: &str| {
        Quell::new(env!("CARGO_BIN_EXE_quell"))
            .aws(&endpoint, testkit::ADMIN_ACCESS_KEY_ID, testkit::ADMIN_SECRET_ACCESS_KEY)
            .variable("QUELL_CONFIG", name)
            .variable("QUELL_EPHEMERAL_DATA_DIR", deployed.data().as_str())
    };
    let api = RuntimeApi::start().unwrap();
    let missing = api.environment(quell("aws-ssm:///fn-parameter/none")).spawn(&[]).unwrap();
    let answered = api.invoke(unwanted().as_bytes(), TIME).unwrap();
    assert!(answered.body.contains("ParameterNotFound"), "{}", answered.body);
    drop(missing);

    let api = RuntimeApi::start().unwrap();
    let found = api.environment(quell("aws-ssm:///fn-parameter/config")).spawn(&[]).unwrap();
    let answered = api.invoke(unwanted().as_bytes(), TIME).unwrap();
    assert_eq!(answered.body, "{\"done\":true}");
    drop(found);
}
