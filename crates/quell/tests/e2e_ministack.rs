//! The whole product on ministack with `AUTH=true`: events in files, three roles that hold exactly
//! what `quell iam` prints, real calls, and an administrator who looks at what became of it.
//!
//! ministack has no public access block of the account; the testkit's stand-in adds one, so what is
//! proven about it here is proven against a stand-in. `e2e_moto.rs` heals it on moto.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::string_slice, reason = "tests")]

mod e2e;

use e2e::violations::{ACCOUNT_BLOCK, ALL, FIVE_VERSIONS, Kind, Made, Place};
use e2e::{Deployed, EXTERNAL_ID, Keys, MINISTACK_ACCOUNT, ROLES, policy, text};
use quell_core::change::Change;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use testkit::Ministack;

const PLACE: Place = Place { account: MINISTACK_ACCOUNT };

/// What ministack cannot prove, action by action.
const UNPROVABLE: [(&str, &str); 4] = [
    ("ec2:GetManagedPrefixListEntries", "its rules show no prefix lists"),
    ("iam:AttachGroupPolicy", "it asks for a permission on the policy, not on the group"),
    ("iam:DetachGroupPolicy", "as above"),
    ("iam:SetDefaultPolicyVersion", "it does not have this call"),
];

fn deployed(name: &str) -> Deployed {
    Deployed::with_roles(&Ministack::shared(true).unwrap().endpoint(), name)
}

fn make(deployed: &Deployed, kind: &Kind, at: &str) -> Made {
    (kind.make)(&deployed.admin, &PLACE, &format!("{}-{}{at}", deployed.name, kind.name))
}

/// Approves whatever waits for a person.
fn approve_all(deployed: &Deployed) -> usize {
    let findings = deployed.must(&["findings", "list", "--format", "json"]);
    let open = findings.lines().map(|it| serde_json::from_str::<Value>(it).unwrap());
    let waiting: Vec<Value> = open.filter(|it| it["status"] == "awaiting_approval").collect();
    for it in &waiting {
        let key = text(&it["finding"]["key"]);
        deployed.run(&["approvals", "approve", &key, "--reason", "agreed"]);
    }
    waiting.len()
}

#[test]
fn everything_is_healed_and_kept_and_undone() {
    let deployed = deployed("all");
    let made: Vec<(&Kind, Made)> = ALL.iter().map(|it| (it, make(&deployed, it, ""))).collect();
    let events = deployed.events("events", made.iter().map(|(_, it)| &it.event));

    deployed.must(&["run", &events]);
    assert_eq!(deployed.facts_of("dead_lettered"), Vec::<Value>::new());
    for (kind, it) in &made {
        let waits = kind.name == FIVE_VERSIONS;
        let wanted = if waits { &it.violated } else { &it.sound };
        assert_eq!(it.look(&deployed.admin), *wanted, "{}", kind.name);
    }
    assert_eq!(approve_all(&deployed), 1);
    for (kind, it) in &made {
        assert_eq!(it.look(&deployed.admin), it.sound, "{}", kind.name);
    }
    deployed.must(&["audit", "verify"]);
    let open = deployed.must(&["findings", "list", "--format", "json"]);
    assert_eq!(open, "", "nothing stands open");

    let facts = deployed.facts().len();
    deployed.must(&["run", &events]);
    assert_eq!(deployed.facts().len(), facts, "the events are known");

    // Where five versions stand, an undo discards none; it takes SetDefaultPolicyVersion then.
    for (kind, it) in made.iter().filter(|(kind, _)| kind.name != FIVE_VERSIONS) {
        deployed.must(&["undo", it.event_id(), "--reason", "it was meant"]);
        assert_eq!(it.look(&deployed.admin), it.violated, "{}", kind.name);
    }
    deployed.must(&["audit", "verify"]);
    deployed.must(&["run", &events]);
    assert_eq!(made[0].1.look(&deployed.admin), made[0].1.violated, "an undo is respected");
}

#[test]
fn a_retry_heals_all_of_a_resource() {
    let mut deployed = deployed("retry");
    deployed.configure(|it| it["guardrails"]["fleet_changes_max"] = json!(0));
    let kind = ALL.iter().find(|it| it.name == "two-ports").unwrap();
    let made = make(&deployed, kind, "");
    deployed.must(&["run", &deployed.events("events", [&made.event])]);
    assert_eq!(made.look(&deployed.admin), made.violated, "withheld");
    deployed.must(&["findings", "retry", "--fleet-changes-max", "10"]);
    assert_eq!(made.look(&deployed.admin), made.sound);
}

#[test]
fn a_state_in_s3_is_read_with_the_right_to_and_not_without() {
    let deployed = deployed("state");
    let kind = ALL.iter().find(|it| it.name == "block-gone").unwrap();
    let made = make(&deployed, kind, "");
    deployed.must(&["run", &deployed.events("events", [&made.event])]);
    let open = text(&made.event["detail"]["requestParameters"]["bucketName"]);
    let states = format!("{}-states", deployed.name);
    deployed.admin.call("s3", "create_bucket", json!({ "Bucket": states }));
    let block = json!({ "mode": "managed", "type": "aws_s3_bucket_public_access_block",
        "name": "open", "provider": "aws",
        "instances": [{ "schema_version": 0, "attributes": { "bucket": open } }] });
    let state = json!({ "version": 4, "terraform_version": "1.9.0", "serial": 1, "lineage": "x",
        "outputs": {}, "resources": [block] });
    let file = deployed.path("state.json");
    std::fs::write(&file, state.to_string()).unwrap();
    for key in ["prod/state", "denied"] {
        let wanted = json!({ "Bucket": states, "Key": key, "Body": { "file": file.as_str() } });
        deployed.admin.call("s3", "put_object", wanted);
    }
    let handoff = |url: &str| {
        let words = ["findings", "handoff", "--format", "json", "--terraform-state", url];
        deployed.run(&words)
    };
    let url = |key: &str| format!("s3://{states}/{key}");
    let bucket = format!("arn:aws:s3:::{states}");
    let below = format!("{bucket}/prod/*");
    let reading = [
        json!({ "Effect": "Allow", "Action": "s3:GetObject", "Resource": below }),
        json!({ "Effect": "Allow", "Action": "s3:ListBucket", "Resource": bucket }),
    ];
    deployed.allow_runner("state", &policy(&reading));

    let told = handoff(&url("prod/state"));
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    let mut lines = told.stdout.lines().map(|it| serde_json::from_str::<Value>(it).unwrap());
    let of_it = lines.find(|it| it["policy"] == kind.policy).unwrap();
    let address = "aws_s3_bucket_public_access_block.open";
    assert_eq!(of_it["declarations"][0]["address"], address, "{of_it:#}");
    for (url, code, why) in [
        (url("prod/missing"), 2, "s3:GetObject: NoSuchKey"),
        (format!("s3://{states}"), 2, "names no object"),
        (url("denied"), 3, "s3:GetObject: AccessDenied"),
    ] {
        let told = handoff(&url);
        assert_eq!(told.code, Some(code), "{url}\n{}", told.stderr);
        assert!(told.stderr.contains(why), "{url}\n{}", told.stderr);
    }
}

/// The actions of a policy document.
fn actions(document: &Value) -> BTreeSet<String> {
    let statements = document["Statement"].as_array().into_iter().flatten();
    statements.flat_map(|it| it["Action"].as_array().unwrap()).map(text).collect()
}

fn without(document: &Value, action: &str) -> Value {
    let mut less = document.clone();
    for statement in less["Statement"].as_array_mut().unwrap() {
        statement["Action"].as_array_mut().unwrap().retain(|it| it != action);
    }
    let statements = less["Statement"].as_array_mut().unwrap();
    statements.retain(|it| !it["Action"].as_array().unwrap().is_empty());
    assert_ne!(less, *document, "`{action}` is not in it");
    less
}

/// One deployment whose roles lose an action at a time.
struct Losing {
    deployed: Deployed,
    needed: Value,
    /// What `quell iam` prints for each policy alone.
    by_policy: BTreeMap<&'static str, Value>,
    kinds: Vec<&'static Kind>,
    /// Violations that still stand, by the name of their kind.
    standing: BTreeMap<&'static str, Made>,
    made: usize,
}

impl Losing {
    fn new(deployed: Deployed, kinds: Vec<&'static Kind>) -> Losing {
        let policies: BTreeSet<&str> = kinds.iter().map(|it| it.policy).collect();
        let by_policy = policies.iter().map(|it| (*it, deployed.needed(&[it]))).collect();
        let needed = deployed.needed(&policies.into_iter().collect::<Vec<_>>());
        Losing { deployed, needed, by_policy, kinds, standing: BTreeMap::new(), made: 0 }
    }

    /// The actions of a role that ministack can prove, each with a policy that needs it. (Of IAM's
    /// two policies the last one looks at more.)
    fn cases(&self, role: &str) -> Vec<(String, &'static str)> {
        let provable = |it: &String| !UNPROVABLE.iter().any(|(action, _)| it == action);
        let all = actions(&self.needed[role]).into_iter().filter(provable);
        all.map(|action| {
            let needs = |it: &&Value| actions(&it[role]).contains(&action);
            let (policy, _) = self.by_policy.iter().rfind(|(_, it)| needs(it)).unwrap();
            (action, *policy)
        })
        .collect()
    }

    /// Violations of a policy that an action may matter to; those that still stand are taken again.
    fn violations(&mut self, action: &str, policy: &str) -> Vec<&'static Kind> {
        let principals = [("User", "user"), ("Role", "role"), ("Group", "group")];
        let only = principals.iter().find(|(it, _)| action.contains(it) && policy.contains("iam"));
        let matters = |it: &Kind| only.is_none_or(|(_, name)| it.name.contains(name));
        let kinds = self.kinds.iter().filter(|it| it.policy == policy && matters(it));
        let kinds: Vec<&Kind> = kinds.copied().collect();
        for kind in &kinds {
            let admin = &self.deployed.admin;
            // A denied fix may have made room for one more version already.
            let stands = |it: &Made| kind.name != FIVE_VERSIONS && it.look(admin) == it.violated;
            if !self.standing.get(kind.name).is_some_and(stands) {
                self.made += 1;
                let made = make(&self.deployed, kind, &format!("-{}", self.made));
                self.standing.insert(kind.name, made);
            }
        }
        kinds
    }

    /// Lets the one policy heal its violations and undo that, with this one action missing in this
    /// role. Returns what Quell told about it.
    fn attempt(&mut self, role: &str, action: &str, policy: &str) -> (bool, String) {
        let kinds = self.violations(action, policy);
        self.deployed.forget();
        self.deployed.configure(|it| it["policies"] = json!({ "enabled": [policy] }));
        self.deployed.grant(role, &without(&self.needed[role], action));
        let events = kinds.iter().map(|it| &self.standing[it.name].event);
        let events = self.deployed.events(&format!("less-{role}-{}", self.made), events);
        // What could not be read was put aside, which is told by the exit code.
        let ran = self.deployed.run(&["run", &events]);
        let told = if role == "read" { 3 } else { 0 };
        assert_eq!(ran.code, Some(told), "{}", ran.stderr);
        approve_all(&self.deployed);
        let mut succeeded = true;
        for kind in kinds {
            let made = &self.standing[kind.name];
            if role == "undo" && kind.name != FIVE_VERSIONS {
                self.deployed.run(&["undo", made.event_id(), "--reason", "it was meant"]);
                succeeded &= made.look(&self.deployed.admin) == made.violated;
            } else {
                succeeded &= made.look(&self.deployed.admin) != made.violated;
            }
        }
        self.deployed.grant(role, &self.needed[role]);
        let told = self.deployed.must(&["audit", "show", "--format", "json"]);
        (succeeded, told)
    }

    /// Every action of these roles is missed.
    fn lose_each(&mut self, roles: &[&str]) {
        let mut not_missed = Vec::new();
        for role in roles {
            let cases = self.cases(role);
            assert!(!cases.is_empty());
            for (action, policy) in cases {
                let (succeeded, told) = self.attempt(role, &action, policy);
                // The one line that a person needs to grant it.
                if succeeded || !told.contains(&action) {
                    not_missed.push(format!("{role}: {action} of {policy}"));
                }
            }
        }
        assert_eq!(not_missed, Vec::<String>::new());
    }
}

#[test]
fn without_any_single_read_action_the_heal_fails() {
    Losing::new(deployed("reads"), ALL.iter().collect()).lose_each(&["read"]);
}

#[test]
fn without_any_single_write_action_the_heal_fails() {
    Losing::new(deployed("writes"), ALL.iter().collect()).lose_each(&["write"]);
}

#[test]
fn without_any_single_undo_action_the_undo_fails() {
    Losing::new(deployed("undos"), ALL.iter().collect()).lose_each(&["undo"]);
}

#[test]
fn the_accounts_block_needs_each_of_its_actions() {
    // The one block stands over all buckets, so this emulator is not shared.
    let ministack = Ministack::start(true).unwrap();
    let deployed = Deployed::with_roles(&ministack.endpoint(), "account");
    let made = make(&deployed, &ACCOUNT_BLOCK, "");
    let events = deployed.events("events", [&made.event]);
    deployed.must(&["run", &events]);
    assert_eq!(made.look(&deployed.admin), made.sound);
    deployed.must(&["undo", made.event_id(), "--reason", "it was meant"]);
    assert_eq!(made.look(&deployed.admin), made.violated);
    Losing::new(deployed, vec![&ACCOUNT_BLOCK]).lose_each(&ROLES);
}

#[test]
fn what_is_unprovable_is_needed() {
    let needed = deployed("unprovable").needed(&[]);
    let all: BTreeSet<String> = ROLES.iter().flat_map(|it| actions(&needed[it])).collect();
    for (action, _) in UNPROVABLE {
        assert!(all.contains(action), "`{action}` is no longer needed: take it out of the list");
    }
}

fn session(deployed: &Deployed, role: &str, policy: Option<&Value>) -> Keys {
    let mut wanted = json!({
        "RoleArn": deployed.config["aws"]["accounts"][MINISTACK_ACCOUNT][format!("{role}_role")],
        "RoleSessionName": "e2e",
        "ExternalId": EXTERNAL_ID,
    });
    if let Some(policy) = policy {
        wanted["Policy"] = json!(policy.to_string());
    }
    let runner = deployed.runner();
    let session = deployed.admin.try_call(Some(&runner), "sts", "assume_role", wanted).unwrap();
    let key = |name: &str| Some(text(&session["Credentials"][name]));
    [key("AccessKeyId"), key("SecretAccessKey"), key("SessionToken")]
}

fn denied(deployed: &Deployed, keys: &Keys, service: &str, call: &str, arguments: Value) {
    match deployed.admin.try_call(Some(keys), service, call, arguments) {
        Ok(answer) => panic!("{service} {call} is allowed: {answer}"),
        Err(it) => assert!(
            it.code.contains("AccessDenied") || it.code.contains("Unauthorized"),
            "{service} {call}: {it:?}"
        ),
    }
}

#[test]
fn the_roles_allow_no_other_call() {
    let deployed = deployed("narrow");
    let bucket = "narrow-other";
    deployed.admin.call("s3", "create_bucket", json!({ "Bucket": bucket }));
    let named = json!({ "Bucket": bucket });
    let user = json!({ "UserName": "narrow-runner" });
    for role in ROLES {
        let keys = session(&deployed, role, None);
        let refuse = |service: &str, call: &str, arguments: &Value| {
            denied(&deployed, &keys, service, call, arguments.clone());
        };
        refuse("s3", "delete_bucket", &named);
        refuse("s3", "list_objects_v2", &named);
        refuse("s3", "delete_bucket_tagging", &named);
        refuse("iam", "create_access_key", &user);
        refuse("iam", "delete_user", &user);
        refuse("cloudtrail", "delete_trail", &json!({ "Name": "narrow" }));
        refuse("ec2", "delete_security_group", &json!({ "GroupId": "sg-0123456789abcdef0" }));
        refuse("sqs", "list_queues", &json!({}));
    }
    // Reading changes nothing, and writing undoes nothing.
    let policy = json!({ "Bucket": bucket, "Policy": e2e::policy(&[]).to_string() });
    denied(&deployed, &session(&deployed, "read", None), "s3", "put_bucket_policy", policy);
    let attach = json!({
        "UserName": "narrow-runner",
        "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess",
    });
    denied(&deployed, &session(&deployed, "write", None), "iam", "attach_user_policy", attach);
    // The user may only assume, and only with the external id.
    let runner = deployed.runner();
    denied(&deployed, &runner, "s3", "list_buckets", json!({}));
    let role = &deployed.config["aws"]["accounts"][MINISTACK_ACCOUNT]["write_role"];
    let guess = json!({ "RoleArn": role, "RoleSessionName": "e2e", "ExternalId": "guess" });
    denied(&deployed, &runner, "sts", "assume_role", guess);
}

#[test]
fn a_changes_session_reaches_no_other_resource() {
    let deployed = deployed("one");
    let kind = ALL.iter().find(|it| it.name == "block-gone").unwrap();
    let (made, other) = (make(&deployed, kind, "-mine"), make(&deployed, kind, "-other"));
    let events = deployed.events("events", [&made.event]);
    deployed.must(&["run", &events]);
    assert_eq!(made.look(&deployed.admin), made.sound);
    assert_eq!(other.look(&deployed.admin), other.violated, "no event named it");

    let attempted = &deployed.facts_of("attempted")[0];
    let change: Change = serde_json::from_value(attempted["change"].clone()).unwrap();
    let action = quell_library::action(&change.action).unwrap();
    let policy = quell_library::permissions::session_policy(action.meta(), &change);
    let keys = session(&deployed, "write", Some(&policy));
    let put = |bucket: &str| {
        let block = made.sound["block"]["PublicAccessBlockConfiguration"].clone();
        json!({ "Bucket": bucket, "PublicAccessBlockConfiguration": block })
    };
    denied(&deployed, &keys, "s3", "put_public_access_block", put("one-block-gone-other"));
    let own = put("one-block-gone-mine");
    deployed.admin.try_call(Some(&keys), "s3", "put_public_access_block", own).unwrap();
    let policy = json!({ "Bucket": "one-block-gone-mine" });
    denied(&deployed, &keys, "s3", "delete_bucket_policy", policy);
}
