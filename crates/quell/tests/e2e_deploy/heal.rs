//! What the deployed function heals, and what it needs for that.

use crate::e2e::violations::{ALL, FIVE_VERSIONS, Kind, Made, Place};
use crate::e2e::{MINISTACK_ACCOUNT, text};
use crate::world::{PREFIX, World};
use quell_core::policy::Mode;
use quell_library::{Library, permissions};
use serde_json::{Value, json};

/// What no violation here needs, and has tests of its own: the block of the whole account, of which
/// there is one; our own rules, whose tags ministack asks about as those of any resource; the tags
/// of trails, which it is allowed anyway ([`World::allow_quirks`]); prefix lists.
const NOT_HERE: [&str; 5] = [
    "s3:PutAccountPublicAccessBlock",
    "events:EnableRule",
    "events:DescribeRule",
    "cloudtrail:ListTags",
    "ec2:GetManagedPrefixListEntries",
];
const PLACE: Place = Place { account: MINISTACK_ACCOUNT };

/// Violates every policy that ministack can express, and waits until all of it is healed. Each
/// event comes twice, and is worked on once.
pub fn everything(world: &World) {
    // The scan put the account's block on, behind which all that buckets do is latent.
    let account = json!({ "AccountId": MINISTACK_ACCOUNT });
    world.admin.call("s3control", "delete_public_access_block", account);
    // A person must approve the fix of one kind, so it is not healed by itself.
    let kinds = ALL.iter().filter(|it| it.name != FIVE_VERSIONS);
    let made: Vec<(&Kind, Made)> = kinds.map(|it| (it, violate(world, it, "heal"))).collect();
    for (_, it) in &made {
        world.send(&it.event.to_string());
        world.send(&it.event.to_string());
    }
    for (kind, it) in &made {
        world.wait(&format!("{} is healed", kind.name), || it.look(&world.admin) == it.sound);
    }
    world.wait("the queue is empty", || world.length(&format!("{PREFIX}-events")) == 0);
    assert_eq!(world.length(&format!("{PREFIX}-dead-letters")), 0, "{}", world.log(PREFIX));
    let refusals = world.ministack.refusals();
    assert!(refusals.is_empty(), "calls outside the roles: {refusals:#?}");
}

fn violate(world: &World, kind: &Kind, name: &str) -> Made {
    (kind.make)(&world.admin, &PLACE, &format!("e2e-{name}-{}", kind.name))
}

/// Takes one statement at a time away from the deployed roles: what needs it is not healed, and IAM
/// has refused one of its actions. Which single action of a statement is needed for what is tested
/// where there is no function between (`e2e_ministack`).
pub fn without_any_statement_something_is_not(world: &World) {
    for policy in ["read", "write"].iter().flat_map(|it| deployed_policies(world, it)) {
        let whole = document(world, &policy);
        let statements = whole["Statement"].as_array().unwrap();
        for (at, statement) in statements.iter().enumerate() {
            let actions: Vec<String> = actions(statement);
            let is_denial = statement["Effect"] == "Deny";
            if is_denial || actions.iter().any(|it| NOT_HERE.contains(&it.as_str())) {
                continue;
            }
            let mut less = whole.clone();
            less["Statement"].as_array_mut().unwrap().remove(at);
            replace(world, &policy, &less);
            // Without the prefix: what bears it must be gone in the end.
            let name = policy.rsplit('/').next().unwrap().trim_start_matches(PREFIX);
            let fails = something_fails(world, &actions, &format!("less{name}-{at}"));
            assert!(fails, "nothing needs {statement}");
            replace(world, &policy, &whole);
        }
    }
    // What could not be read comes again later, and has served.
    for queue in ["events", "dead-letters"] {
        world.purge(&format!("{PREFIX}-{queue}"));
    }
}

/// Violates what these actions fix, one kind after the other, until one is not healed.
fn something_fails(world: &World, actions: &[String], name: &str) -> bool {
    let library = Library::builtin().unwrap();
    let needs = |kind: &&Kind| {
        let policy = library.policy(kind.policy).unwrap();
        let all = permissions::needed(&library, &[policy], |_| Mode::Enforce);
        kind.name != FIVE_VERSIONS && all.iter().any(|it| actions.iter().any(|a| a == it.action))
    };
    ALL.iter().filter(needs).any(|kind| {
        let made = violate(world, kind, name);
        let before = world.ministack.refusals().len();
        world.send(&made.event.to_string());
        let refused = || {
            let refusals = world.ministack.refusals();
            refusals[before..].iter().any(|it| actions.iter().any(|a| it.contains(a.as_str())))
        };
        world.wait("healed or refused", || refused() || made.look(&world.admin) == made.sound);
        refused() && made.look(&world.admin) != made.sound
    })
}

/// The managed policies of a role that fixes need.
fn deployed_policies(world: &World, role: &str) -> Vec<String> {
    let grant = format!("{PREFIX}-{role}-");
    let role = json!({ "RoleName": format!("{PREFIX}-{role}") });
    let attached = world.admin.call("iam", "list_attached_role_policies", role);
    let policies = attached["AttachedPolicies"].as_array().unwrap().iter();
    let fixes = policies.filter(|it| text(&it["PolicyName"]).starts_with(&grant));
    fixes.map(|it| text(&it["PolicyArn"])).collect()
}

fn document(world: &World, policy: &str) -> Value {
    let found = world.admin.call("iam", "get_policy", json!({ "PolicyArn": policy }));
    let version = &found["Policy"]["DefaultVersionId"];
    let wanted = json!({ "PolicyArn": policy, "VersionId": version });
    world.admin.call("iam", "get_policy_version", wanted)["PolicyVersion"]["Document"].clone()
}

/// Puts a new version in force and removes those before it, since there may be five.
fn replace(world: &World, policy: &str, document: &Value) {
    let wanted = json!({
        "PolicyArn": policy, "PolicyDocument": document.to_string(), "SetAsDefault": true,
    });
    world.admin.call("iam", "create_policy_version", wanted);
    let found = world.admin.call("iam", "list_policy_versions", json!({ "PolicyArn": policy }));
    for it in found["Versions"].as_array().unwrap() {
        if it["IsDefaultVersion"] == false {
            let wanted = json!({ "PolicyArn": policy, "VersionId": it["VersionId"] });
            world.admin.call("iam", "delete_policy_version", wanted);
        }
    }
}

fn actions(statement: &Value) -> Vec<String> {
    match statement["Action"].as_array() {
        Some(several) => several.iter().map(text).collect(),
        None => vec![text(&statement["Action"])],
    }
}
