//! The whole loop on LocalEmu: somebody calls AWS with the plain command line, the emulator's own
//! CloudTrail tells EventBridge, the rules of a deployment deliver to a queue, `quell run` heals, a
//! person undoes.
//! Nothing of ours stands between the call and the event. Part of `cargo xtask e2e loop`, since the
//! events come after 60 s, as on AWS.
//!
//! LocalEmu's events differ from AWS's in shape, so only ids are taken from them. A trail of its
//! own keeps logging, or the stop of the only trail would not be recorded.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::string_slice, reason = "tests")]

mod e2e;

use e2e::{Deployed, MINISTACK_ACCOUNT, Person, policy, text};
use quell::deploy::rules;
use quell_library::Library;
use serde_json::{Value, json};
use std::fs;
use std::thread;
use std::time::{Duration, Instant};
use testkit::{LocalEmu, REGION, Venv, e2e_opted_in};

/// From the call to the fix: 60 s until the event comes, and then a busy machine.
const HEAL_TIME_MAX: Duration = Duration::from_secs(300);
/// How long an asked process may take to end.
const STOP_TIME_MAX: Duration = Duration::from_secs(60);
/// What the names of a deployment begin with, unless its owner says otherwise.
const PREFIX: &str = "quell";
const ADMINISTRATOR_ACCESS: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

/// The policies in force. Not the bucket's block: the preparation's own events, which come late,
/// would put it on, and behind it a public policy is latent.
const POLICIES: [&str; 5] = [
    "aws.cloudtrail.trail_stopped",
    "aws.ec2.admin_port_open",
    "aws.iam.admin_policy_attached",
    "aws.s3.acl_public_grant",
    "aws.s3.policy_public_statement",
];

/// What somebody does, and how one sees what it did.
struct Violation {
    /// Part of the resource's id.
    resource: String,
    /// The AWS command that violates.
    violate: Vec<String>,
    /// The AWS command that shows it.
    look: Vec<String>,
}

struct Aws(LocalEmu);

impl Aws {
    /// Runs the plain AWS command line; null where there is no such thing.
    fn run(&self, command: &[String]) -> Value {
        let arguments: Vec<&str> = command.iter().map(String::as_str).collect();
        let ran = self.0.aws_cli(&arguments).output().unwrap();
        let (out, error) =
            (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        if error.contains("NoSuch") {
            return Value::Null;
        }
        assert!(ran.status.success(), "aws {command:?}\n{error}");
        // Silence is a JSON of its own.
        serde_json::from_str(&out).unwrap_or(Value::Null)
    }

    fn words(&self, command: &str) -> Value {
        self.run(&words(command))
    }

    /// Resources that are sound yet; the id of the security group.
    fn prepare(&self) -> String {
        for bucket in ["loop-acl", "loop-policy", "loop-logs"] {
            self.words(&format!("s3api create-bucket --bucket {bucket}"));
            self.words(&format!("s3api delete-public-access-block --bucket {bucket}"));
            let rule = "Rules=[{ObjectOwnership=ObjectWriter}]";
            self.words(&format!(
                "s3api put-bucket-ownership-controls --bucket {bucket} --ownership-controls {rule}"
            ));
        }
        for trail in ["loop-watch", "loop-victim"] {
            self.words(&format!(
                "cloudtrail create-trail --name {trail} --s3-bucket-name loop-logs \
                 --is-multi-region-trail"
            ));
            self.words(&format!("cloudtrail start-logging --name {trail}"));
        }
        self.words("iam create-user --user-name loop-user");
        let group = self.words("ec2 create-security-group --group-name loop --description loop");
        text(&group["GroupId"])
    }

    /// A queue that EventBridge delivers to by the rules that a deployment of these policies has;
    /// its URL.
    fn queue(&self) -> String {
        let made = self.words("sqs create-queue --queue-name loop");
        let arn = format!("arn:aws:sqs:{REGION}:{MINISTACK_ACCOUNT}:loop");
        let library = Library::builtin().unwrap();
        let policies: Vec<_> = POLICIES.iter().map(|it| library.policy(it).unwrap()).collect();
        for rule in rules::rules(&policies).unwrap() {
            let name = format!("{PREFIX}-{}", rule.name);
            let mut put = words(&format!("events put-rule --name {name} --event-pattern"));
            put.push(rule.pattern.to_string().replace("{prefix}", PREFIX));
            self.run(&put);
            self.words(&format!("events put-targets --rule {name} --targets Id=1,Arn={arn}"));
        }
        text(&made["QueueUrl"])
    }
}

fn words(command: &str) -> Vec<String> {
    command.split_whitespace().map(str::to_owned).collect()
}

fn violations(group: &str) -> [Violation; 5] {
    [
        Violation {
            resource: "loop-acl".to_owned(),
            violate: words("s3api put-bucket-acl --bucket loop-acl --acl public-read"),
            look: words(
                "s3api get-bucket-acl --bucket loop-acl --query Grants[].[Grantee.URI,Permission]",
            ),
        },
        Violation {
            resource: "loop-policy".to_owned(),
            violate: put_bucket_policy("loop-policy"),
            look: words("s3api get-bucket-policy --bucket loop-policy"),
        },
        Violation {
            resource: group.to_owned(),
            violate: words(&format!(
                "ec2 authorize-security-group-ingress --group-id {group} --protocol tcp --port 22 \
                 --cidr 0.0.0.0/0"
            )),
            look: words(&format!(
                "ec2 describe-security-groups --group-ids {group} \
                 --query SecurityGroups[].IpPermissions[].[FromPort,IpRanges[].CidrIp]"
            )),
        },
        Violation {
            resource: "loop-user".to_owned(),
            violate: words(&format!(
                "iam attach-user-policy --user-name loop-user --policy-arn {ADMINISTRATOR_ACCESS}"
            )),
            look: words("iam list-attached-user-policies --user-name loop-user"),
        },
        Violation {
            resource: "loop-victim".to_owned(),
            violate: words("cloudtrail stop-logging --name loop-victim"),
            look: words("cloudtrail get-trail-status --name loop-victim --query IsLogging"),
        },
    ]
}

fn put_bucket_policy(bucket: &str) -> Vec<String> {
    let document = policy(&[json!({
        "Sid": "Public",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": format!("arn:aws:s3:::{bucket}/*"),
    })]);
    let mut command = words(&format!("s3api put-bucket-policy --bucket {bucket} --policy"));
    command.push(document.to_string());
    command
}

fn main() {
    if !e2e_opted_in("loop") {
        return;
    }
    let localemu = LocalEmu::start().unwrap();
    let endpoint = localemu.endpoint();
    let admin = Person::at(&endpoint, &Venv::LOCALEMU);
    let mut deployed = Deployed::beside(admin, &endpoint, MINISTACK_ACCOUNT, "loop");
    deployed.configure(|it| it["policies"] = json!({ "enabled": POLICIES }));
    let aws = Aws(localemu);
    let violations = violations(&aws.prepare());
    let queue = aws.queue();
    let look = || violations.iter().map(|it| aws.run(&it.look)).collect::<Vec<_>>();

    let running = deployed.spawn(&["run", "--sqs", &queue, "--endpoint-url", &endpoint]);
    let sound = look();
    for it in &violations {
        aws.run(&it.violate);
    }
    let violated = look();
    assert!(sound.iter().zip(&violated).all(|(sound, violated)| sound != violated));

    let started = Instant::now();
    while look() != sound {
        assert!(started.elapsed() < HEAL_TIME_MAX, "not healed: {:?}\nwanted: {sound:?}", look());
        thread::sleep(Duration::from_secs(1));
    }
    println!("all five are healed {:?} after the last call", started.elapsed());
    running.terminate().unwrap();
    let ran = running.wait(STOP_TIME_MAX).unwrap();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);

    let attempted = deployed.facts_of("attempted");
    for it in &violations {
        let ours = |fact: &&Value| text(&fact["change"]["resource"]["id"]).contains(&it.resource);
        let attempt = attempted.iter().find(ours).unwrap();
        deployed.must(&["undo", &text(&attempt["event"]), "--reason", "it was meant"]);
    }
    assert_eq!(look(), violated, "undone");
    deployed.must(&["audit", "verify"]);
    println!("all five are undone, and the ledger holds");
    the_heart_is_heard(&aws, &mut deployed);
    println!("the heartbeat's own record came back");
}

/// LocalEmu records the heartbeat's call as CloudTrail does, but tells EventBridge of no call on
/// EventBridge itself: the record is fetched from CloudTrail and delivered by hand.
fn the_heart_is_heard(aws: &Aws, deployed: &mut Deployed) {
    deployed.configure(|it| it["heartbeat"] = json!({ "heartbeat_period_s": 3600 }));
    let folder = deployed.events("heart", []);
    let running = deployed.spawn(&["run", "--follow", &folder]);
    let beat = |wanted: &str| {
        until(|| deployed.facts_of("heartbeat").into_iter().find(|it| it["step"]["beat"] == wanted))
    };
    let nonce = text(&beat("written")["heartbeat"]["nonce"]);
    let named = "AttributeKey=EventName,AttributeValue=TagResource";
    let record = until(|| {
        let found = aws.words(&format!("cloudtrail lookup-events --lookup-attributes {named}"));
        let mut records = found["Events"].as_array()?.iter().map(|it| text(&it["CloudTrailEvent"]));
        records.find(|it| it.contains(&nonce))
    });
    // Whole at once: the folder is being watched.
    let written = deployed.path("record.json");
    fs::write(&written, format!(r#"{{"Records":[{record}]}}"#)).unwrap();
    fs::rename(&written, format!("{folder}/record.json")).unwrap();
    assert_eq!(beat("returned")["heartbeat"]["nonce"], nonce.as_str());
    running.terminate().unwrap();
    let ran = running.wait(STOP_TIME_MAX).unwrap();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(it) = look() {
            return it;
        }
        assert!(started.elapsed() < HEAL_TIME_MAX, "it does not show");
        thread::sleep(Duration::from_secs(1));
    }
}
