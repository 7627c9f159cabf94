//! An emulator with a deployment in it, and what can be asked of both.

use crate::e2e::{Keys, MINISTACK_ACCOUNT, Person, policy, text};
use serde_json::{Value, json};
use std::fs;
use std::thread;
use std::time::{Duration, Instant};
use testkit::{ADMIN_ACCESS_KEY_ID, ADMIN_SECRET_ACCESS_KEY, Ministack, Quell, Ran, Venv};

/// Beginning of every name of the deployment: the modules' default.
pub const PREFIX: &str = "quell";
/// What the deployed roles demand.
pub const EXTERNAL_ID: &str = "e2e-external-id-0123456789";
/// The queue that alarms are sent to, so that a test sees them.
pub const ALERTS: &str = "e2e-alerts";
/// The role of the person who may undo.
pub const UNDOER: &str = "e2e-undoer";
/// The policy of [`World::allow_quirks`].
pub const QUIRKS: &str = "ministack";
/// How many characters a line of a PEM has.
const PEM_LINE_CHARS: usize = 64;
/// What the descriptions of the deployment's keys begin with.
const OUR_KEY: &str = "Quell: ";
/// How long anything may take to show.
const SHOWS_TIME_MAX: Duration = Duration::from_secs(600);
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

pub struct World {
    pub admin: Person,
    pub ministack: Ministack,
    /// What made the deployment in it.
    tool: &'static str,
    started: Instant,
}

impl World {
    /// A fresh emulator that enforces IAM, with nothing in it but the queue for alarms and a role
    /// that may do nothing yet.
    pub fn new(tool: &'static str) -> World {
        let ministack = Ministack::start(true).unwrap();
        let admin = Person::at(&ministack.endpoint(), &Venv::SERVICES);
        let may = policy(&[json!({
            "Effect": "Allow",
            "Principal": { "Service": "sns.amazonaws.com" },
            "Action": "sqs:SendMessage",
            "Resource": format!("arn:aws:sqs:us-east-1:{MINISTACK_ACCOUNT}:{ALERTS}"),
        })]);
        let attributes = json!({ "Policy": may.to_string() });
        let wanted = json!({ "QueueName": ALERTS, "Attributes": attributes });
        admin.call("sqs", "create_queue", wanted);
        let trust = policy(&[json!({
            "Effect": "Allow",
            "Principal": { "AWS": format!("arn:aws:iam::{MINISTACK_ACCOUNT}:root") },
            "Action": "sts:AssumeRole",
        })]);
        let wanted = json!({ "RoleName": UNDOER, "AssumeRolePolicyDocument": trust.to_string() });
        admin.call("iam", "create_role", wanted);
        World { admin, ministack, tool, started: Instant::now() }
    }

    /// Tells whoever waits how far it has come.
    pub fn tell(&self, what: &str) {
        println!("{:>5} s  {}: {what}", self.started.elapsed().as_secs(), self.tool);
    }

    /// The URL of a queue.
    pub fn queue(&self, name: &str) -> String {
        text(&self.admin.call("sqs", "get_queue_url", json!({ "QueueName": name }))["QueueUrl"])
    }

    /// How many messages wait in a queue or are being worked on.
    pub fn length(&self, queue: &str) -> usize {
        let names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
        let wanted = json!({ "QueueUrl": self.queue(queue), "AttributeNames": names });
        let found = self.admin.call("sqs", "get_queue_attributes", wanted);
        names.iter().map(|it| text(&found["Attributes"][it]).parse::<usize>().unwrap()).sum()
    }

    /// Empties a queue, of what waits in it and what is being worked on.
    pub fn purge(&self, queue: &str) {
        self.admin.call("sqs", "purge_queue", json!({ "QueueUrl": self.queue(queue) }));
    }

    /// Changes how long a message that was received is hidden from others.
    pub fn hide_for(&self, queue: &str, seconds: u64) {
        let attributes = json!({ "VisibilityTimeout": seconds.to_string() });
        let wanted = json!({ "QueueUrl": self.queue(queue), "Attributes": attributes });
        self.admin.call("sqs", "set_queue_attributes", wanted);
    }

    /// Puts an event into the deployed queue, as the bus' rule does.
    pub fn send(&self, event: &str) {
        let queue = self.queue(&format!("{PREFIX}-events"));
        self.admin.call("sqs", "send_message", json!({ "QueueUrl": queue, "MessageBody": event }));
    }

    /// Runs a function as its schedule does, which must succeed.
    pub fn tick(&self, function: &str, tick: &str) {
        let answer = self.try_tick(function, tick);
        assert!(answer["FunctionError"].is_null(), "{tick}: {answer}\n{}", self.log(function));
    }

    /// Runs a function as its schedule does; what it answered.
    pub fn try_tick(&self, function: &str, tick: &str) -> Value {
        let payload = json!({ "quell": tick }).to_string();
        let wanted = json!({ "FunctionName": function, "Payload": payload });
        self.admin.call("lambda", "invoke", wanted)
    }

    /// Ends the environments of a function: the next has neither read its configuration nor entered
    /// an account. With a time-out in seconds, or its own; the one that it had.
    pub fn renew(&self, function: &str, time_out_s: Option<u64>) -> u64 {
        let named = json!({ "FunctionName": function });
        let found = self.admin.call("lambda", "get_function_configuration", named);
        let had = found["Timeout"].as_u64().unwrap();
        let wanted = json!({
            "FunctionName": function,
            "Environment": found["Environment"],
            "Timeout": time_out_s.unwrap_or(had),
        });
        self.admin.call("lambda", "update_function_configuration", wanted);
        had
    }

    /// How many checkpoints are kept.
    pub fn kept_checkpoints(&self) -> usize {
        let wanted = json!({ "Bucket": checkpoints() });
        let found = self.admin.call("s3", "list_objects_v2", wanted);
        found["Contents"].as_array().map_or(0, Vec::len)
    }

    /// The lines that a function logged.
    pub fn log(&self, function: &str) -> String {
        self.log_lines(function).join("\n")
    }

    /// As [`World::log`], line by line.
    pub fn log_lines(&self, function: &str) -> Vec<String> {
        let group = format!("/aws/lambda/{function}");
        let wanted = json!({ "logGroupName": group });
        let mut lines = Vec::new();
        for stream in self.pages("describe_log_streams", "nextToken", "logStreams", wanted) {
            let wanted = json!({
                "logGroupName": group,
                "logStreamName": stream["logStreamName"],
                "startFromHead": true,
            });
            for it in self.pages("get_log_events", "nextForwardToken", "events", wanted) {
                lines.extend(text(&it["message"]).lines().map(str::to_owned));
            }
        }
        lines
    }

    /// All items that a listing call of CloudWatch Logs gives, page by page. The last page names
    /// no further one, or itself.
    fn pages(&self, call: &str, token: &str, items: &str, mut wanted: Value) -> Vec<Value> {
        let mut all = Vec::new();
        loop {
            let page = self.admin.call("logs", call, wanted.clone());
            all.extend(page[items].as_array().into_iter().flatten().cloned());
            if page[token].is_null() || page[token] == wanted["nextToken"] {
                return all;
            }
            wanted["nextToken"] = page[token].clone();
        }
    }

    /// Runs `quell` over the deployed store, as the administrator; it must end with 0.
    pub fn quell(&self, arguments: &[&str]) -> String {
        let store = format!("dynamodb://{PREFIX}?region=us-east-1");
        let all = [&["--store", store.as_str()], arguments].concat();
        let ran = self.run_quell(&all);
        assert_eq!(ran.code, Some(0), "quell {all:?}\n{}\n{}", ran.stdout, ran.stderr);
        ran.stdout
    }

    /// Runs `quell` as the administrator, to whatever end.
    pub fn run_quell(&self, arguments: &[&str]) -> Ran {
        let quell = Quell::new(env!("CARGO_BIN_EXE_quell")).aws(
            &self.ministack.endpoint(),
            ADMIN_ACCESS_KEY_ID,
            ADMIN_SECRET_ACCESS_KEY,
        );
        quell.run(arguments).unwrap()
    }

    /// Runs `quell undo` by the deployed configuration, with these keys, to whatever end.
    pub fn undo(&self, keys: &Keys, event: &str) -> Ran {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("quell.yaml").display().to_string();
        fs::write(&config, self.configuration()).unwrap();
        let [id, secret, token] = keys.each_ref().map(|it| it.as_deref().unwrap_or_default());
        let quell = Quell::new(env!("CARGO_BIN_EXE_quell"))
            .aws(&self.ministack.endpoint(), id, secret)
            .variable("AWS_SESSION_TOKEN", token)
            .variable("XDG_STATE_HOME", &folder.path().display().to_string())
            .variable("QUELL_PERSON", UNDOER);
        let undo = ["--config", config.as_str(), "undo", event, "--reason", "it was meant"];
        quell.run(&undo).unwrap()
    }

    /// The deployed configuration.
    pub fn configuration(&self) -> String {
        let name = format!("/{PREFIX}/configuration");
        let wanted = json!({ "Name": name, "WithDecryption": true });
        text(&self.admin.call("ssm", "get_parameter", wanted)["Parameter"]["Value"])
    }

    /// The public half of a key, as a PEM.
    pub fn public_key(&self, key: &str) -> String {
        let found = self.admin.call("kms", "get_public_key", json!({ "KeyId": key }));
        let base64 = text(&found["PublicKey"]);
        let lines = base64.as_bytes().chunks(PEM_LINE_CHARS);
        let lines: Vec<&str> = lines.map(|it| std::str::from_utf8(it).unwrap()).collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
    }

    /// The deployment's keys that will not be deleted: id and description.
    pub fn keys(&self) -> Vec<(String, String)> {
        let listed = self.admin.call("kms", "list_keys", json!({}));
        let ids = listed["Keys"].as_array().unwrap().iter().map(|it| text(&it["KeyId"]));
        let described = |id: String| {
            let found = self.admin.call("kms", "describe_key", json!({ "KeyId": id }));
            let key = &found["KeyMetadata"];
            let kept = key["KeyState"] != "PendingDeletion";
            let description = key["Description"].as_str().unwrap_or_default().to_owned();
            (kept && description.starts_with(OUR_KEY)).then_some((id, description))
        };
        ids.filter_map(described).collect()
    }

    /// The facts of the deployed ledger, all chains.
    pub fn facts(&self) -> Vec<Value> {
        let records = self.quell(&["audit", "show", "--format", "json"]);
        let records = records.lines().map(|it| serde_json::from_str::<Value>(it).unwrap());
        records.map(|it| it["fact"].clone()).collect()
    }

    /// Waits until something holds.
    pub fn wait(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let started = Instant::now();
        while !holds() {
            if SHOWS_TIME_MAX < started.elapsed() {
                panic!("{what}: not within {SHOWS_TIME_MAX:?}\n{}", self.log(PREFIX));
            }
            thread::sleep(LOOK_INTERVAL);
        }
    }

    /// What ministack asks about another resource than AWS does: `cloudtrail:ListTags` about any
    /// trail and `events:ListTagsForResource` about anything, whichever one is listed;
    /// `events:ListTargetsByRule` about the rule's bus.
    pub fn allow_quirks(&self) {
        let may = policy(&[
            json!({
                "Effect": "Allow",
                "Action": ["cloudtrail:ListTags", "events:ListTagsForResource"],
                "Resource": "*",
            }),
            json!({
                "Effect": "Allow",
                "Action": "events:ListTargetsByRule",
                "Resource": "arn:aws:events:*:*:event-bus/*",
            }),
        ]);
        let wanted = json!({
            "RoleName": format!("{PREFIX}-read"),
            "PolicyName": QUIRKS,
            "PolicyDocument": may.to_string(),
        });
        self.admin.call("iam", "put_role_policy", wanted);
    }

    /// Takes [`World::allow_quirks`] back.
    pub fn forbid_quirks(&self) {
        let wanted = json!({ "RoleName": format!("{PREFIX}-read"), "PolicyName": QUIRKS });
        self.admin.call("iam", "delete_role_policy", wanted);
    }

    /// The names of everything in the emulator that a deployment makes.
    pub fn left_behind(&self) -> Vec<String> {
        let lists = [
            ("sqs", "list_queues", "QueueUrls", ""),
            ("lambda", "list_functions", "Functions", "FunctionName"),
            ("lambda", "list_event_source_mappings", "EventSourceMappings", "FunctionArn"),
            ("dynamodb", "list_tables", "TableNames", ""),
            ("iam", "list_roles", "Roles", "RoleName"),
            ("s3", "list_buckets", "Buckets", "Name"),
            ("events", "list_rules", "Rules", "Name"),
            ("events", "list_event_buses", "EventBuses", "Name"),
            ("logs", "describe_log_groups", "logGroups", "logGroupName"),
            ("ssm", "describe_parameters", "Parameters", "Name"),
            ("sns", "list_topics", "Topics", "TopicArn"),
            ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
            ("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
            ("kms", "list_aliases", "Aliases", "AliasName"),
        ];
        let mut left = Vec::new();
        for (service, call, list, name) in lists {
            let found = self.admin.call(service, call, json!({}));
            for it in found[list].as_array().into_iter().flatten() {
                let name = if name.is_empty() { text(it) } else { text(&it[name]) };
                if name.contains(PREFIX) {
                    left.push(format!("{service}: {name}"));
                }
            }
        }
        let local = self.admin.call("iam", "list_policies", json!({ "Scope": "Local" }));
        let policies =
            local["Policies"].as_array().unwrap().iter().map(|it| text(&it["PolicyName"]));
        left.extend(policies.filter(|it| it.starts_with(PREFIX)).map(|it| format!("iam: {it}")));
        left.extend(self.keys().into_iter().map(|(_, description)| format!("kms: {description}")));
        left
    }
}

/// The bucket of checkpoints.
pub fn checkpoints() -> String {
    format!("{PREFIX}-checkpoints-{MINISTACK_ACCOUNT}-us-east-1")
}

/// The ARN of a role.
pub fn role_arn(name: &str) -> String {
    format!("arn:aws:iam::{MINISTACK_ACCOUNT}:role/{name}")
}
