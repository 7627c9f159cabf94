//! The serverless function where it belongs: ministack's Lambda runs the package as a
//! `provided.al2023` function under its role, an event source mapping feeds it from a queue, and
//! IAM is enforced. Its ledger is the one in DynamoDB, which its environments share.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::string_slice, reason = "tests")]

mod e2e;

use e2e::violations::{ALL, Kind, Made, Place};
use e2e::{Deployed, MINISTACK_ACCOUNT, policy, text};
use serde_json::{Value, json};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};
use testkit::{Ministack, Venv};

const PLACE: Place = Place { account: MINISTACK_ACCOUNT };
/// How long the queue may take to run empty, poison included.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(180);
/// The function's time-out, and the queue's visibility: short, so that poison comes again soon.
const TIME_OUT_S: u32 = 12;
/// How often a message is received before the queue puts it aside.
const RECEIVES_MAX: u32 = 2;

struct Lambda {
    // Stopped last.
    deployed: Deployed,
    queue: String,
    dead_letters: String,
    ministack: Ministack,
}

impl Lambda {
    fn new(name: &str) -> Lambda {
        let ministack = Ministack::start(true).unwrap();
        let mut deployed = Deployed::plainly(&ministack.endpoint(), MINISTACK_ACCOUNT, name);
        let (dead_letters, dead_letters_arn) = make_queue(&deployed, "dead", json!({}));
        let redrive =
            json!({ "deadLetterTargetArn": dead_letters_arn, "maxReceiveCount": RECEIVES_MAX });
        let attributes = json!({
            "RedrivePolicy": redrive.to_string(), "VisibilityTimeout": TIME_OUT_S.to_string(),
        });
        let (queue, queue_arn) = make_queue(&deployed, "events", attributes);
        let role = make_function_role(&mut deployed, &queue_arn);
        deployed.make_tables(name);
        deployed.configure(|it| {
            it["limits"] = json!({ "delivery_attempts_max": RECEIVES_MAX });
            it["store"] = json!({ "dynamodb": { "name": name, "lease_time_s": 2 * TIME_OUT_S } });
        });
        let parameter = format!("/{name}/config");
        let wanted = json!({
            "Name": parameter, "Type": "String", "Value": deployed.config.to_string(),
        });
        deployed.admin.call("ssm", "put_parameter", wanted);
        make_function(&deployed, &role, &parameter, &queue_arn);
        Lambda { deployed, queue, dead_letters, ministack }
    }

    fn violation(&self, name: &str) -> Made {
        let kind: &Kind = ALL.iter().find(|it| it.name == name).unwrap();
        (kind.make)(&self.deployed.admin, &PLACE, &format!("{}-{name}", self.deployed.name))
    }

    fn send(&self, body: &str) {
        let message = json!({ "QueueUrl": self.queue, "MessageBody": body });
        self.deployed.admin.call("sqs", "send_message", message);
    }

    /// What a person's command tells of the function's ledger.
    fn told(&self, arguments: &[&str]) -> String {
        let store = format!("dynamodb://{}?region=us-east-1", self.deployed.name);
        self.deployed.must(&[&["--store", store.as_str()][..], arguments].concat())
    }

    /// The facts of one kind.
    fn facts_of(&self, kind: &str) -> Vec<Value> {
        let records = self.told(&["audit", "show", "--format", "json"]);
        let records = records.lines().map(|it| serde_json::from_str::<Value>(it).unwrap());
        records.map(|it| it["fact"].clone()).filter(|it| it["fact"] == kind).collect()
    }

    fn wait_until_empty(&self) {
        let started = Instant::now();
        while 0 < length(&self.deployed, &self.queue) {
            assert!(started.elapsed() < DRAIN_TIME_MAX, "{}", self.ministack.log_tail());
            thread::sleep(Duration::from_millis(200));
        }
    }
}

/// How many messages wait or are being worked on.
fn length(deployed: &Deployed, queue: &str) -> usize {
    let names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
    let wanted = json!({ "QueueUrl": queue, "AttributeNames": names });
    let found = deployed.admin.call("sqs", "get_queue_attributes", wanted);
    names.iter().map(|it| text(&found["Attributes"][it]).parse::<usize>().unwrap()).sum()
}

/// A queue's URL and ARN.
fn make_queue(deployed: &Deployed, name: &str, attributes: Value) -> (String, String) {
    let name = format!("{}-{name}", deployed.name);
    let wanted = json!({ "QueueName": name, "Attributes": attributes });
    let url = text(&deployed.admin.call("sqs", "create_queue", wanted)["QueueUrl"]);
    (url, format!("arn:aws:sqs:us-east-1:{MINISTACK_ACCOUNT}:{name}"))
}

/// The function's role, which the three roles of the account trust, and no other.
fn make_function_role(deployed: &mut Deployed, queue_arn: &str) -> String {
    let trust = policy(&[json!({
        "Effect": "Allow",
        "Principal": { "Service": "lambda.amazonaws.com" },
        "Action": "sts:AssumeRole",
    })]);
    let name = format!("{}-function", deployed.name);
    let wanted = json!({ "RoleName": name, "AssumeRolePolicyDocument": trust.to_string() });
    let role = text(&deployed.admin.call("iam", "create_role", wanted)["Role"]["Arn"]);
    let access = deployed.make_roles(&role);
    let parameter = format!("parameter/{}/config", deployed.name);
    let table = format!("arn:aws:dynamodb:us-east-1:{MINISTACK_ACCOUNT}:table/{}", deployed.name);
    let may = policy(&[
        json!({
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Resource": [access["read_role"], access["write_role"]],
        }),
        json!({
            "Effect": "Allow",
            "Action": [
                "sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes",
                "sqs:GetQueueUrl", "sqs:ReceiveMessage",
            ],
            "Resource": queue_arn,
        }),
        json!({
            "Effect": "Allow",
            "Action": ["dynamodb:PutItem", "dynamodb:Query"],
            "Resource": format!("{table}-ledger"),
        }),
        json!({
            "Effect": "Allow",
            "Action": [
                "dynamodb:ConditionCheckItem", "dynamodb:GetItem", "dynamodb:PutItem",
                "dynamodb:Query", "dynamodb:UpdateItem",
            ],
            "Resource": format!("{table}-state"),
        }),
        json!({
            "Effect": "Allow",
            "Action": "ssm:GetParameter",
            "Resource": format!("arn:aws:ssm:us-east-1:{MINISTACK_ACCOUNT}:{parameter}"),
        }),
    ]);
    let wanted = json!({
        "RoleName": name, "PolicyName": "quell", "PolicyDocument": may.to_string(),
    });
    deployed.admin.call("iam", "put_role_policy", wanted);
    role
}

fn make_function(deployed: &Deployed, role: &str, parameter: &str, queue_arn: &str) {
    let wanted = json!({
        "FunctionName": format!("{}-quell", deployed.name),
        "Runtime": "provided.al2023",
        "Handler": "bootstrap",
        "Role": role,
        "Timeout": TIME_OUT_S,
        "MemorySize": 256,
        "Code": { "ZipFile": { "file": package(deployed) } },
        "Environment": { "Variables": {
            "QUELL_CONFIG": format!("aws-ssm://{parameter}"),
        } },
    });
    let function = text(&deployed.admin.call("lambda", "create_function", wanted)["FunctionArn"]);
    let mapping = json!({
        "EventSourceArn": queue_arn,
        "FunctionName": function,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
    });
    deployed.admin.call("lambda", "create_event_source_mapping", mapping);
}

/// The package: as `cargo xtask dist` makes it, but not compressed, which takes long.
fn package(deployed: &Deployed) -> String {
    let (bootstrap, zip) = (deployed.path("bootstrap"), deployed.path("package.zip"));
    std::fs::copy(env!("CARGO_BIN_EXE_quell"), &bootstrap).unwrap();
    let script =
        "import sys, zipfile; zipfile.ZipFile(sys.argv[2], 'w').write(sys.argv[1], 'bootstrap')";
    let python = Venv::SERVICES.python().unwrap();
    let made = Command::new(python).args(["-c", script, bootstrap.as_str(), zip.as_str()]).status();
    assert!(made.unwrap().success());
    zip.into_string()
}

#[test]
fn events_in_the_queue_are_healed_and_poison_ends_in_the_dead_letter_queue() {
    let lambda = Lambda::new("lambda");
    let violations = ["block-gone", "admin-port", "attached-user"].map(|it| lambda.violation(it));
    let poison = "{\"not\": \"closed\"";
    lambda.send(poison);
    for it in &violations {
        lambda.send(&it.event.to_string());
        lambda.send(&it.event.to_string());
    }
    lambda.wait_until_empty();
    for it in &violations {
        assert_eq!(it.look(&lambda.deployed.admin), it.sound, "{}", it.event);
    }
    assert_eq!(lambda.facts_of("attempted").len(), 3, "a second delivery does nothing");
    lambda.told(&["audit", "verify"]);

    assert_eq!(length(&lambda.deployed, &lambda.dead_letters), 1);
    let wanted = json!({ "QueueUrl": lambda.dead_letters });
    let found = lambda.deployed.admin.call("sqs", "receive_message", wanted);
    assert_eq!(text(&found["Messages"][0]["Body"]), poison);
    let letters = lambda.facts_of("dead_lettered");
    assert_eq!(letters.len(), 1, "{letters:#?}");
    let reason = text(&letters[0]["reason"]);
    assert!(reason.starts_with("received 2 times: ") && reason.contains("EOF"), "{reason}");
}
