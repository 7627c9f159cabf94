//! What end-to-end tests share: a person's hand on an emulator, Quell deployed there, violations.
//!
//! Everything here stays outside: Quell is its binary, its files and what it prints, and AWS is
//! called by boto3 (`aws.py`), so that no mistake of ours can be made on both sides.
#![allow(dead_code, reason = "each test binary uses its part")]

pub mod violations;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use testkit::{ADMIN_ACCESS_KEY_ID, ADMIN_SECRET_ACCESS_KEY, Quell, Ran, RuntimeApi, Venv};

/// ministack's account.
pub const MINISTACK_ACCOUNT: &str = "000000000000";
/// moto's account.
pub const MOTO_ACCOUNT: &str = "123456789012";
/// What the roles' trust policies demand.
pub const EXTERNAL_ID: &str = "e2e-external-id";

/// Calls AWS as a person would, by default as the administrator.
pub struct Person(Mutex<Hand>);

struct Hand {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// A call that AWS refused.
#[derive(Debug)]
pub struct Refused {
    /// AWS's error code.
    pub code: String,
    /// AWS's words.
    pub message: String,
}

/// Access key id, secret access key, session token.
pub type Keys = [Option<String>; 3];

impl Person {
    /// The administrator of the emulator at `endpoint`, by the boto3 of an environment.
    pub fn at(endpoint: &str, venv: &Venv) -> Person {
        let mut process = Command::new(venv.python().unwrap())
            .args(["-c", include_str!("aws.py"), endpoint])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Person(Mutex::new(Hand { process, input, output }))
    }

    /// A call that must succeed; services, calls and arguments have boto3's names.
    pub fn call(&self, service: &str, call: &str, arguments: Value) -> Value {
        self.try_call(None, service, call, arguments)
            .unwrap_or_else(|it| panic!("{service} {call}: {it:?}"))
    }

    /// A call that may be refused, with keys of one's own.
    pub fn try_call(
        &self,
        keys: Option<&Keys>,
        service: &str,
        call: &str,
        arguments: Value,
    ) -> Result<Value, Refused> {
        let wanted =
            json!({ "service": service, "call": call, "arguments": arguments, "keys": keys });
        let mut hand = self.0.lock().unwrap();
        writeln!(hand.input, "{wanted}").unwrap();
        hand.input.flush().unwrap();
        let mut line = String::new();
        hand.output.read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line)
            .unwrap_or_else(|it| panic!("{service} {call} {wanted}: {it}"));
        match told.get("answer") {
            Some(answer) => Ok(answer.clone()),
            None => Err(Refused { code: text(&told["code"]), message: text(&told["message"]) }),
        }
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Quell, deployed for one account of an emulator, with a folder of its own.
pub struct Deployed {
    /// The administrator.
    pub admin: Person,
    /// The configuration, to be changed with [`Deployed::configure`].
    pub config: Value,
    /// Names that this test may use begin with it.
    pub name: String,
    endpoint: String,
    quell: Quell,
    runner: Keys,
    folder: tempfile::TempDir,
}

/// The roles, as `quell iam` names their documents.
pub const ROLES: [&str; 3] = ["read", "write", "undo"];

impl Deployed {
    /// Without roles: as the administrator. `name` keeps tests of one emulator apart.
    pub fn plainly(endpoint: &str, account: &str, name: &str) -> Deployed {
        Deployed::beside(Person::at(endpoint, &Venv::SERVICES), endpoint, account, name)
    }

    /// As [`Deployed::plainly`], beside this administrator.
    pub fn beside(admin: Person, endpoint: &str, account: &str, name: &str) -> Deployed {
        let config = json!({
            "aws": { "endpoint_url": endpoint, "accounts": { account: {} } },
            "guardrails": {
                "modes": { "default": "enforce" },
                "fleet_changes_max": 10_000,
                "undo_iam_grants": true,
            },
        });
        let quell = binary(endpoint, ADMIN_ACCESS_KEY_ID, ADMIN_SECRET_ACCESS_KEY);
        let deployed = Deployed {
            admin,
            config,
            name: name.to_owned(),
            endpoint: endpoint.to_owned(),
            quell,
            runner: Keys::default(),
            folder: tempfile::tempdir().unwrap(),
        };
        deployed.write_config();
        deployed
    }

    /// As one deploys it: a user that may do nothing but assume three roles, which trust this user
    /// with the external id, and which hold exactly what `quell iam` prints.
    pub fn with_roles(endpoint: &str, name: &str) -> Deployed {
        let mut deployed = Deployed::plainly(endpoint, MINISTACK_ACCOUNT, name);
        let runner = format!("{name}-runner");
        let user = deployed.admin.call("iam", "create_user", json!({ "UserName": runner }));
        let access = deployed.make_roles(&text(&user["User"]["Arn"]));
        let arn = |role: &str| access[format!("{role}_role")].clone();
        let may = policy(&[json!({
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Resource": ROLES.map(arn),
        })]);
        deployed.allow_runner("assume", &may);
        let key = deployed.admin.call("iam", "create_access_key", json!({ "UserName": runner }));
        let [id, secret] = ["AccessKeyId", "SecretAccessKey"].map(|it| text(&key["AccessKey"][it]));
        deployed.quell = binary(endpoint, &id, &secret);
        deployed.runner = [Some(id), Some(secret), None];
        deployed
    }

    /// Makes the three roles, which trust this principal, and configures them; the account's
    /// settings.
    pub fn make_roles(&mut self, principal: &str) -> Value {
        let needed = self.needed(&[]);
        let mut access = json!({ "external_id": EXTERNAL_ID });
        for role in ROLES {
            let arn = self.make_role(role, principal, &needed[role]);
            access[format!("{role}_role")] = json!(arn);
        }
        self.configure(|it| it["aws"]["accounts"][MINISTACK_ACCOUNT] = access.clone());
        access
    }

    fn make_role(&self, role: &str, user: &str, document: &Value) -> String {
        let trust = policy(&[json!({
            "Effect": "Allow",
            "Principal": { "AWS": user },
            "Action": "sts:AssumeRole",
            "Condition": { "StringEquals": { "sts:ExternalId": EXTERNAL_ID } },
        })]);
        let name = self.role(role);
        let wanted = json!({ "RoleName": name, "AssumeRolePolicyDocument": trust.to_string() });
        let made = self.admin.call("iam", "create_role", wanted);
        self.grant(role, document);
        text(&made["Role"]["Arn"])
    }

    /// The name of a role.
    pub fn role(&self, role: &str) -> String {
        format!("{}-quell-{role}", self.name)
    }

    /// Gives a role this policy, and no other.
    pub fn grant(&self, role: &str, document: &Value) {
        if document["Statement"].as_array().is_some_and(Vec::is_empty) {
            let wanted = json!({ "RoleName": self.role(role), "PolicyName": "quell" });
            self.admin.call("iam", "delete_role_policy", wanted);
            return;
        }
        let wanted = json!({
            "RoleName": self.role(role),
            "PolicyName": "quell",
            "PolicyDocument": document.to_string(),
        });
        self.admin.call("iam", "put_role_policy", wanted);
    }

    /// Gives the user that Quell runs as a policy more.
    pub fn allow_runner(&self, name: &str, document: &Value) {
        let wanted = json!({
            "UserName": format!("{}-runner", self.name),
            "PolicyName": name,
            "PolicyDocument": document.to_string(),
        });
        self.admin.call("iam", "put_user_policy", wanted);
    }

    /// What `quell iam` prints for some policies; for all where none is named.
    pub fn needed(&self, policies: &[&str]) -> Value {
        let mut arguments = vec!["iam", "--format", "json", "--account", MINISTACK_ACCOUNT];
        arguments.extend(policies.iter().flat_map(|it| ["--policies", it]));
        let mut needed: Value = serde_json::from_str(&self.must(&arguments)).unwrap();
        for statement in needed["read"]["Statement"].as_array_mut().unwrap() {
            // ministack overlooks `ResourceIdList`, so that this call is about any trail to it.
            if statement["Action"] == json!(["cloudtrail:ListTags"]) {
                statement["Resource"] = json!("*");
            }
        }
        needed
    }

    /// Makes the two tables of a store, without what only a deployment needs.
    pub fn make_tables(&self, name: &str) {
        let keys =
            [("ledger", ["chain", "sequence"], ["S", "N"]), ("state", ["pk", "sk"], ["S", "S"])];
        for (table, [hash, range], kinds) in keys {
            let wanted = json!({
                "TableName": format!("{name}-{table}"),
                "BillingMode": "PAY_PER_REQUEST",
                "KeySchema": [
                    { "AttributeName": hash, "KeyType": "HASH" },
                    { "AttributeName": range, "KeyType": "RANGE" },
                ],
                "AttributeDefinitions": [
                    { "AttributeName": hash, "AttributeType": kinds[0] },
                    { "AttributeName": range, "AttributeType": kinds[1] },
                ],
            });
            self.admin.call("dynamodb", "create_table", wanted);
        }
    }

    /// Changes the configuration.
    pub fn configure(&mut self, change: impl FnOnce(&mut Value)) {
        change(&mut self.config);
        self.write_config();
    }

    fn write_config(&self) {
        // JSON is YAML.
        fs::write(self.path("quell.yaml"), self.config.to_string()).unwrap();
    }

    /// A path in this deployment's folder.
    pub fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8Path::from_path(self.folder.path()).unwrap().join(name)
    }

    /// The data folder.
    pub fn data(&self) -> Utf8PathBuf {
        self.path("data")
    }

    /// Forgets all that was seen and done.
    pub fn forget(&self) {
        if self.data().exists() {
            fs::remove_dir_all(self.data()).unwrap();
        }
    }

    /// Writes each event to a file of a folder, as a queue's consumer would.
    pub fn events<'a>(&self, name: &str, events: impl IntoIterator<Item = &'a Value>) -> String {
        let folder = self.path(name);
        fs::create_dir_all(&folder).unwrap();
        for (at, event) in events.into_iter().enumerate() {
            fs::write(folder.join(format!("{at:04}.json")), event.to_string()).unwrap();
        }
        folder.into_string()
    }

    /// The binary, with its arguments after the configuration and the data folder.
    pub fn spawn(&self, arguments: &[&str]) -> testkit::Background {
        let (config, data) = (self.path("quell.yaml"), self.data());
        let mut all = vec!["--config", config.as_str(), "--data-dir", data.as_str()];
        all.extend(arguments);
        self.quell.spawn(&all).unwrap()
    }

    /// The binary as Lambda starts it, with this deployment's configuration.
    pub fn function(&self, api: &RuntimeApi) -> testkit::Background {
        let quell = self.quell.clone().variable("QUELL_CONFIG", self.path("quell.yaml").as_str());
        let quell = quell.variable("QUELL_EPHEMERAL_DATA_DIR", self.data().as_str());
        api.environment(quell).spawn(&[]).unwrap()
    }

    /// Runs the binary to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.spawn(arguments).wait(RUN_TIME_MAX).unwrap()
    }

    /// Runs the binary, which must end with 0; what it printed.
    pub fn must(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, Some(0), "quell {arguments:?}\n{}\n{}", ran.stdout, ran.stderr);
        ran.stdout
    }

    /// The facts of the ledger, in order.
    pub fn facts(&self) -> Vec<Value> {
        let records = self.must(&["audit", "show", "--format", "json"]);
        let records = records.lines().map(|it| serde_json::from_str::<Value>(it).unwrap());
        records.map(|it| it["fact"].clone()).collect()
    }

    /// The facts of one kind.
    pub fn facts_of(&self, kind: &str) -> Vec<Value> {
        self.facts().into_iter().filter(|it| it["fact"] == kind).collect()
    }

    /// The keys of the user that Quell runs as.
    pub fn runner(&self) -> Keys {
        self.runner.clone()
    }

    /// Where the emulator answers.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

/// How long the binary may run: many tests share few processors.
pub const RUN_TIME_MAX: std::time::Duration = std::time::Duration::from_secs(300);

fn binary(endpoint: &str, key: &str, secret: &str) -> Quell {
    let quell = Quell::new(env!("CARGO_BIN_EXE_quell")).aws(endpoint, key, secret);
    quell.variable("QUELL_PERSON", "e2e")
}

/// An IAM policy document.
pub fn policy(statements: &[Value]) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// An event as EventBridge delivers it. It names the resource by its ids and tells nothing else.
pub fn event(account: &str, service: &str, operation: &str, parameters: Value) -> Value {
    let id = uuid::Uuid::new_v4().to_string();
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    json!({
        "version": "0",
        "id": id,
        "detail-type": "AWS API Call via CloudTrail",
        "source": format!("aws.{service}"),
        "account": account,
        "time": now,
        "region": "us-east-1",
        "resources": [],
        "detail": {
            "eventVersion": "1.11",
            "userIdentity": {
                "type": "IAMUser",
                "principalId": "AIDACKCEVSQ6C2EXAMPLE",
                "arn": format!("arn:aws:iam::{account}:user/mallory"),
                "accountId": account,
                "userName": "mallory",
            },
            "eventTime": now,
            "eventSource": format!("{service}.amazonaws.com"),
            "eventName": operation,
            "awsRegion": "us-east-1",
            "sourceIPAddress": "203.0.113.24",
            "userAgent": "[aws-cli/2.22.7]",
            "requestParameters": parameters,
            "responseElements": null,
            "requestID": uuid::Uuid::new_v4().to_string(),
            "eventID": id,
            "readOnly": false,
            "eventType": "AwsApiCall",
            "managementEvent": true,
            "recipientAccountId": account,
            "eventCategory": "Management",
        },
    })
}

/// A JSON text's characters.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
