//! What the deployed roles could not do without: each statement of each of them is taken away once,
//! and something fails that has a name. The function does not heal, or asks nothing of its queue;
//! the checkpointer makes no checkpoint; a person's undo is not made. IAM has then refused one of
//! the statement's actions to just that role. Which single action of a statement is needed for what
//! is tried where there is no function between (`e2e_ministack`).

use crate::e2e::violations::{Kind, Made};
use crate::e2e::{Keys, policy, text};
use crate::heal::{kinds, violate};
use crate::world::{PREFIX, QUIRKS, UNDOER, World, role_arn};
use quell_core::policy::Mode;
use quell_library::{Library, permissions};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The roles of a deployment. What undo takes back must be as the heal left it, so it comes first.
const ROLES: [&str; 6] = ["undo", "function", "checkpoint", "read", "write", "forward"];

// ministack asks IAM about calls that come to it, not about what its own services do for a role.
const FAILED_TICKS: &str = "ministack puts aside what failed, and asks nobody";
const LOGS: &str = "ministack keeps what a function prints, and asks nobody";
const TRACES: &str = "ministack has no X-Ray";
const ENCRYPTION: &str = "ministack's services do not call its KMS";
const ACCOUNT_BLOCK: &str = "there is one, behind which all buckets are latent: `e2e_ministack`";

/// What cannot be seen to be needed here, and why: role, action, reason. A statement of which any
/// action is not listed is tried.
const NOT_HERE: [(&str, &str, &str); 20] = [
    ("function", "sqs:SendMessage", FAILED_TICKS),
    ("function", "logs:CreateLogStream", LOGS),
    ("function", "logs:PutLogEvents", LOGS),
    ("function", "xray:PutTelemetryRecords", TRACES),
    ("function", "xray:PutTraceSegments", TRACES),
    ("function", "kms:Decrypt", ENCRYPTION),
    ("function", "kms:GenerateDataKey", ENCRYPTION),
    ("checkpoint", "sqs:SendMessage", FAILED_TICKS),
    ("checkpoint", "logs:CreateLogStream", LOGS),
    ("checkpoint", "logs:PutLogEvents", LOGS),
    ("checkpoint", "xray:PutTelemetryRecords", TRACES),
    ("checkpoint", "xray:PutTraceSegments", TRACES),
    ("checkpoint", "kms:Decrypt", ENCRYPTION),
    ("checkpoint", "kms:GenerateDataKey", ENCRYPTION),
    ("read", "cloudtrail:ListTags", "ministack is allowed it anyway: `World::allow_quirks`"),
    ("read", "ec2:GetManagedPrefixListEntries", "ministack's rules show no prefix lists"),
    ("undo", "s3:PutAccountPublicAccessBlock", ACCOUNT_BLOCK),
    ("write", "s3:PutAccountPublicAccessBlock", ACCOUNT_BLOCK),
    ("write", "events:TagResource", "ministack refuses it with the statement, too: `watch`"),
    ("forward", "events:PutEvents", "ministack carries events to another bus, and asks nobody"),
];

/// Which principals IAM's actions name, and what the kinds that need them are called.
const SUBJECTS: [(&str, &str); 4] =
    [("PolicyVersion", "managed"), ("Group", "group"), ("Role", "role"), ("User", "user")];

/// A kind that takes few calls to make.
const PLAIN: &str = "admin-port";
/// Less time than a fix needs (`limits.apply_time_min_ms`), in seconds: the event comes again.
const TOO_SHORT_S: u64 = 9;

/// Takes one statement after the other away and puts it back. `healed` is what was violated and is
/// healed, for somebody to undo.
pub fn each_is_needed(world: &World, healed: &[(&'static Kind, Made)]) {
    assert_eq!(deployed_roles(world), BTreeSet::from(ROLES.map(str::to_owned)));
    let (library, undoer) = (Library::builtin().unwrap(), undoer(world));
    let trial = Trial { world, library, healed, undoer };
    let mut granted: BTreeSet<(&str, String)> = BTreeSet::new();
    for role in ROLES {
        for (of, document) in documents(world, role).iter().enumerate() {
            for (at, statement) in document.statements().iter().enumerate() {
                let actions = actions(statement);
                if statement["Effect"] == "Deny" {
                    continue;
                }
                granted.extend(actions.iter().map(|it| (role, it.clone())));
                if actions.iter().all(|it| is_not_here(role, it)) {
                    continue;
                }
                let missing = Missing { role, actions, name: format!("less-{role}-{of}-{at}") };
                document.lose(world, at);
                let fails = trial.fails(&missing);
                document.put(world, &document.whole);
                assert!(fails, "nothing needs what the {role} role has: {statement}");
                // What was not done would come again while another statement is missing.
                world.purge(&format!("{PREFIX}-events"));
                world.purge(&format!("{PREFIX}-dead-letters"));
            }
        }
    }
    for (role, action, _) in NOT_HERE {
        let is_granted = granted.contains(&(role, action.to_owned()));
        assert!(is_granted, "`{action}` is not of the {role} role: take it out of the list");
    }
    trial.all_works_again();
}

fn is_not_here(role: &str, action: &str) -> bool {
    NOT_HERE.iter().any(|(of, it, _)| *of == role && *it == action)
}

/// A statement that is missing.
struct Missing {
    role: &'static str,
    actions: Vec<String>,
    /// Part of the names of what is made meanwhile. Without the prefix: what bears it must be gone
    /// in the end.
    name: String,
}

/// What a missing statement is noticed by.
struct Trial<'a> {
    world: &'a World,
    library: Library,
    healed: &'a [(&'static Kind, Made)],
    /// A session of the person who may undo.
    undoer: Keys,
}

impl Trial<'_> {
    fn fails(&self, missing: &Missing) -> bool {
        match missing.role {
            "undo" => self.undo_fails(missing),
            "function" => self.function_fails(missing),
            "checkpoint" => self.checkpoint_fails(missing),
            "read" | "write" => {
                let mut needing = kinds().filter(|it| self.may_need(it, missing));
                needing.any(|it| self.heal_fails(it, missing))
            }
            role => panic!("nothing is known that the {role} role is for"),
        }
    }

    /// Violates, and waits until that is healed or a missing action was refused.
    fn heal_fails(&self, kind: &Kind, missing: &Missing) -> bool {
        let world = self.world;
        let made = violate(world, kind, &missing.name);
        let before = world.ministack.refusals().len();
        world.send(&made.event.to_string());
        let is_healed = || made.look(&world.admin) == made.sound;
        world.wait("healed or refused", || self.is_refused(missing, before) || is_healed());
        self.is_refused(missing, before) && !is_healed()
    }

    /// A fresh environment needs all of the role for a heal, but for what it asks of its queue: for
    /// that, a fix must come too late and again.
    fn function_fails(&self, missing: &Missing) -> bool {
        let asks_queue = missing.actions.iter().any(|it| it.starts_with("sqs:"));
        let time_out_s = self.world.renew(PREFIX, asks_queue.then_some(TOO_SHORT_S));
        let fails = self.heal_fails(plain(), missing);
        if asks_queue {
            self.world.renew(PREFIX, Some(time_out_s));
        }
        fails
    }

    fn checkpoint_fails(&self, missing: &Missing) -> bool {
        let (world, function) = (self.world, format!("{PREFIX}-checkpoint"));
        world.renew(&function, None);
        let (before, kept) = (world.ministack.refusals().len(), world.kept_checkpoints());
        let answer = world.try_tick(&function, "checkpoint");
        !answer["FunctionError"].is_null()
            && self.is_refused(missing, before)
            && world.kept_checkpoints() == kept
    }

    /// Undoes what was healed and may need a missing action.
    fn undo_fails(&self, missing: &Missing) -> bool {
        let world = self.world;
        let mut healed = self.healed.iter().filter(|(kind, _)| self.may_need(kind, missing));
        healed.any(|(_, made)| {
            let before = world.ministack.refusals().len();
            let ran = world.undo(&self.undoer, made.event_id());
            ran.code != Some(0)
                && self.is_refused(missing, before)
                && made.look(&world.admin) == made.sound
        })
    }

    /// Whether IAM has refused a missing action to its role, after so many refusals.
    fn is_refused(&self, missing: &Missing, before: usize) -> bool {
        let session = format!(":assumed-role/{PREFIX}-{}/", missing.role);
        let refusals = self.world.ministack.refusals();
        refusals.iter().skip(before).any(|it| {
            let mut words = it.split(' ');
            let is_of_role = words.next().is_some_and(|it| it.contains(&session));
            is_of_role && words.next().is_some_and(|it| missing.actions.iter().any(|a| a == it))
        })
    }

    /// Whether a kind's heal or undo may need a missing action.
    fn may_need(&self, kind: &Kind, missing: &Missing) -> bool {
        let names = |word: &str| missing.actions.iter().any(|it| it.contains(word));
        let subjects: Vec<&str> =
            SUBJECTS.iter().filter(|(word, _)| names(word)).map(|(_, name)| *name).collect();
        let fits = !kind.policy.starts_with("aws.iam.")
            || subjects.is_empty()
            || subjects.iter().any(|it| kind.name.contains(it));
        let policy = self.library.policy(kind.policy).unwrap();
        let needed = permissions::needed(&self.library, &[policy], |_| Mode::Enforce);
        fits && needed.iter().any(|it| missing.actions.iter().any(|a| a == it.action))
    }

    /// With every statement back, what failed succeeds, and nothing is refused.
    fn all_works_again(&self) {
        let world = self.world;
        let (before, kept) = (world.ministack.refusals().len(), world.kept_checkpoints());
        world.tick(&format!("{PREFIX}-checkpoint"), "checkpoint");
        assert_eq!(world.kept_checkpoints(), kept + 1);
        let (_, undone) = self.healed.iter().find(|(kind, _)| kind.name == PLAIN).unwrap();
        let ran = world.undo(&self.undoer, undone.event_id());
        assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
        assert_eq!(undone.look(&world.admin), undone.violated);
        let made = violate(world, plain(), "whole");
        world.send(&made.event.to_string());
        world.wait("healed by the whole role", || made.look(&world.admin) == made.sound);
        let refusals = world.ministack.refusals().split_off(before);
        assert!(refusals.is_empty(), "calls outside the roles: {refusals:#?}");
    }
}

fn plain() -> &'static Kind {
    kinds().find(|it| it.name == PLAIN).unwrap()
}

/// A session of the person who may undo. Beside being named he has what the guide says: on the
/// tables what the function has, and leave to enter.
fn undoer(world: &World) -> Keys {
    let function = documents(world, "function");
    let on_tables = |it: &Value| it["Effect"] == "Allow" && actions(it)[0].starts_with("dynamodb:");
    let mut may: Vec<Value> =
        function.iter().flat_map(Document::statements).filter(on_tables).collect();
    assert!(!may.is_empty());
    let entered = ["read", "undo"].map(|it| role_arn(&format!("{PREFIX}-{it}")));
    may.push(json!({ "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": entered }));
    let wanted = json!({
        "RoleName": UNDOER,
        "PolicyName": "undo",
        "PolicyDocument": policy(&may).to_string(),
    });
    world.admin.call("iam", "put_role_policy", wanted);
    let wanted = json!({ "RoleArn": role_arn(UNDOER), "RoleSessionName": "e2e" });
    let session = world.admin.call("sts", "assume_role", wanted);
    ["AccessKeyId", "SecretAccessKey", "SessionToken"]
        .map(|it| Some(text(&session["Credentials"][it])))
}

/// A policy document of a role.
struct Document {
    /// The name of its role.
    role: String,
    kept: Kept,
    whole: Value,
}

/// Where a document is.
enum Kept {
    /// In a policy of this ARN, which is attached.
    Attached(String),
    /// In the role, under this name.
    Inline(String),
}

/// The roles that bear the deployment's name, without it.
fn deployed_roles(world: &World) -> BTreeSet<String> {
    let listed = world.admin.call("iam", "list_roles", json!({}));
    let names = listed["Roles"].as_array().unwrap().iter().map(|it| text(&it["RoleName"]));
    names.filter_map(|it| Some(it.strip_prefix(PREFIX)?.strip_prefix('-')?.to_owned())).collect()
}

/// Every document of a role.
fn documents(world: &World, role: &str) -> Vec<Document> {
    let role = format!("{PREFIX}-{role}");
    let named = json!({ "RoleName": role });
    let attached = world.admin.call("iam", "list_attached_role_policies", named.clone());
    let inline = world.admin.call("iam", "list_role_policies", named);
    let attached = attached["AttachedPolicies"].as_array().unwrap().iter();
    let attached = attached.map(|it| {
        let arn = text(&it["PolicyArn"]);
        Document {
            role: role.clone(),
            whole: attached_document(world, &arn),
            kept: Kept::Attached(arn),
        }
    });
    let names = inline["PolicyNames"].as_array().unwrap().iter().map(text);
    let inline = names.filter(|it| it != QUIRKS).map(|name| {
        let wanted = json!({ "RoleName": role, "PolicyName": name });
        let found = world.admin.call("iam", "get_role_policy", wanted);
        let whole = found["PolicyDocument"].clone();
        Document { role: role.clone(), whole, kept: Kept::Inline(name) }
    });
    attached.chain(inline).collect()
}

fn attached_document(world: &World, arn: &str) -> Value {
    let found = world.admin.call("iam", "get_policy", json!({ "PolicyArn": arn }));
    let version = &found["Policy"]["DefaultVersionId"];
    let wanted = json!({ "PolicyArn": arn, "VersionId": version });
    world.admin.call("iam", "get_policy_version", wanted)["PolicyVersion"]["Document"].clone()
}

impl Document {
    fn statements(&self) -> Vec<Value> {
        match &self.whole["Statement"] {
            Value::Array(several) => several.clone(),
            one => vec![one.clone()],
        }
    }

    /// Puts it in force without its statement at this place.
    fn lose(&self, world: &World, at: usize) {
        let mut statements = self.statements();
        statements.remove(at);
        self.put(world, &policy(&statements));
    }

    /// Puts this document in force in its place.
    fn put(&self, world: &World, document: &Value) {
        match &self.kept {
            Kept::Attached(arn) => replace(world, arn, document),
            Kept::Inline(name) => {
                let mut wanted = json!({ "RoleName": self.role, "PolicyName": name });
                let call = if document["Statement"] == json!([]) {
                    "delete_role_policy"
                } else {
                    wanted["PolicyDocument"] = json!(document.to_string());
                    "put_role_policy"
                };
                world.admin.call("iam", call, wanted);
            }
        }
    }
}

/// Puts a new version in force and removes those before it, since there may be five.
fn replace(world: &World, arn: &str, document: &Value) {
    let wanted = json!({
        "PolicyArn": arn, "PolicyDocument": document.to_string(), "SetAsDefault": true,
    });
    world.admin.call("iam", "create_policy_version", wanted);
    let found = world.admin.call("iam", "list_policy_versions", json!({ "PolicyArn": arn }));
    for it in found["Versions"].as_array().unwrap() {
        if it["IsDefaultVersion"] == false {
            let wanted = json!({ "PolicyArn": arn, "VersionId": it["VersionId"] });
            world.admin.call("iam", "delete_policy_version", wanted);
        }
    }
}

/// The actions of a statement.
fn actions(statement: &Value) -> Vec<String> {
    match &statement["Action"] {
        Value::Array(several) => several.iter().map(text).collect(),
        one => vec![text(one)],
    }
}
