//! What is rendered for a deployment: rules that match what the triggers match, roles without
//! wildcards, all within AWS' limits.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use event_pattern::Pattern;
use proptest::prelude::*;
use proptest::sample::{Index, subsequence};
use quell::deploy::cloudformation;
use quell::deploy::grants::{Effect, POLICY_MAX_CHARS};
use quell::deploy::rules::{HEARTBEAT, PATTERN_MAX_CHARS, Rule, rules};
use quell::deploy::{Grant, deployment};
use quell_core::policy::{Mode, Policy, PolicyLimits};
use quell_core::resource::Purpose;
use quell_library::Library;
use quell_library::folder::{self, PolicyFolder};
use quell_library::permissions::needed;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

static LIBRARY: LazyLock<Library> = LazyLock::new(|| Library::builtin().unwrap());

/// The events of all cases of all policies.
static EVENTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let cases = LIBRARY.folders().iter().flat_map(|it| it.cases.values());
    cases.map(|it| serde_json::from_str(&it.event).unwrap()).collect()
});

fn matches(pattern: &Value, event: &Value) -> bool {
    let pattern = Pattern::parse(&pattern.to_string()).unwrap();
    pattern.matches(event.to_string().as_bytes()).unwrap()
}

/// Whatever any rule matches, a trigger of its policies matches, and the other way round.
fn assert_exact(policies: &[&Policy], rules: &[Rule], event: &Value) {
    let bytes = event.to_string();
    let triggered: BTreeSet<&str> = policies
        .iter()
        .filter(|it| it.trigger().matches(bytes.as_bytes()).unwrap())
        .map(|it| it.id())
        .collect();
    let matching: Vec<&Rule> =
        rules.iter().filter(|it| it.name != HEARTBEAT && matches(&it.pattern, event)).collect();
    for rule in &matching {
        let its_own = rule.policies.iter().any(|it| triggered.contains(it.as_str()));
        assert!(its_own, "{} matches what no policy of it wants: {event}", rule.name);
    }
    for id in &triggered {
        let forwarded = matching.iter().any(|it| it.policies.contains(*id));
        assert!(forwarded, "{id} wants what no rule of it forwards: {event}");
    }
}

/// Policies whose only difference is their trigger.
fn with_triggers(triggers: &[Value]) -> Library {
    let model = folder::builtin().unwrap().into_iter().next().unwrap();
    let folders = triggers.iter().enumerate().map(|(at, trigger)| {
        let id = format!("test.service.policy_{at}");
        let mut meta: Value =
            serde_json::to_value(LIBRARY.policy(&model.id).unwrap().meta()).unwrap();
        meta["id"] = json!(id);
        meta["trigger"] = trigger.clone();
        let rego = model
            .rego
            .replace(&format!("package quell.{}", model.id), &format!("package quell.{id}"));
        // JSON is YAML.
        PolicyFolder { id, yaml: meta.to_string(), rego, ..model.clone() }
    });
    Library::load(folders.collect(), &BTreeMap::new(), PolicyLimits::default()).unwrap()
}

fn all(library: &Library) -> Vec<&Policy> {
    library.policies().iter().collect()
}

#[test]
fn events_of_every_policy_are_forwarded_once() {
    let rules = rules(&all(&LIBRARY)).unwrap();
    for event in EVENTS.iter() {
        assert_exact(&all(&LIBRARY), &rules, event);
        let forwarded = rules.iter().filter(|it| matches(&it.pattern, event)).count();
        assert!(forwarded <= 1, "{forwarded} rules forward {event}");
    }
}

#[test]
fn rules_keep_within_event_bridges_limits() {
    for rule in rules(&all(&LIBRARY)).unwrap() {
        assert!(rule.pattern.to_string().len() <= PATTERN_MAX_CHARS, "{}", rule.name);
        assert!(rule.description().len() <= 512 && !rule.description().is_empty());
    }
}

/// Source: "Template body size in a request" of "CloudFormation quotas" in its user guide.
const TEMPLATE_MAX_BYTES: usize = 51_200;

#[test]
fn templates_can_be_given_as_they_are() {
    for (name, text) in cloudformation::files(&deployment(&LIBRARY).unwrap()) {
        assert!(text.len() <= TEMPLATE_MAX_BYTES, "{name} has {} bytes", text.len());
    }
}

#[test]
fn the_heartbeat_matches_its_own_tag_and_no_other() {
    let rules = rules(&[]).unwrap();
    let [heartbeat] = rules.as_slice() else { panic!("{rules:?}") };
    let pattern: Value =
        serde_json::from_str(&heartbeat.pattern.to_string().replace("{prefix}", "quell")).unwrap();
    let event = |name: &str, rule: &str| {
        json!({
            "source": "aws.events",
            "detail-type": "AWS API Call via CloudTrail",
            "detail": {
                "eventSource": "events.amazonaws.com",
                "eventName": name,
                "requestParameters": {
                    "resourceARN": format!("arn:aws:events:us-east-1:1:{rule}")
                },
            },
        })
    };
    assert!(matches(&pattern, &event("TagResource", "rule/quell-heartbeat")));
    assert!(!matches(&pattern, &event("UntagResource", "rule/quell-heartbeat")));
    assert!(!matches(&pattern, &event("TagResource", "rule/quell-s3")));
    // What is done to the rule that would tell of it.
    let done = |name: &str, field: &str, rule: &str| {
        let mut event = event(name, "");
        event["detail"]["requestParameters"] = json!({ field: rule });
        event
    };
    assert!(matches(&pattern, &done("DisableRule", "name", "quell-events")));
    assert!(matches(&pattern, &done("RemoveTargets", "rule", "quell-events")));
    assert!(!matches(&pattern, &done("DisableRule", "name", "somebodys")));
    assert!(!matches(&pattern, &done("EnableRule", "name", "quell-events")));
}

#[test]
fn events_of_global_services_come_by_global_rules() {
    for rule in rules(&all(&LIBRARY)).unwrap() {
        assert_eq!(rule.global, rule.name == "iam", "{}", rule.name);
    }
}

#[test]
fn a_trigger_that_is_too_long_is_split_and_loses_nothing() {
    let calls: Vec<String> = (0..200).map(|it| format!("AVeryLongNameOfACall{it}")).collect();
    let trigger = json!({ "source": ["aws.x"], "detail": { "eventName": calls } });
    let library = with_triggers(&[trigger]);
    let rules = rules(&all(&library)).unwrap();
    assert!(2 < rules.len());
    for call in &calls {
        let event = json!({ "source": "aws.x", "detail": { "eventName": call } });
        assert_exact(&all(&library), &rules, &event);
    }
    assert!(rules.iter().all(|it| it.pattern.to_string().len() <= PATTERN_MAX_CHARS));
}

#[test]
fn a_trigger_that_no_rule_can_hold_is_refused_by_name() {
    let prefix = "x".repeat(PATTERN_MAX_CHARS);
    let library = with_triggers(&[json!({ "source": [{ "prefix": prefix }] })]);
    let error = rules(&all(&library)).unwrap_err().to_string();
    assert!(error.contains("test.service.policy_0"), "{error}");
}

/// Triggers as people write them: lists, other matchers, several sources, `$or`.
fn trigger() -> impl Strategy<Value = Value> {
    let sources = subsequence(vec!["aws.a", "aws.b", "aws.c"], 1..=2);
    let calls = subsequence(vec!["One", "Two", "Three", "Four"], 1..=3);
    (sources, calls, 0..4_u8).prop_map(|(sources, calls, form)| match form {
        0 => json!({ "source": sources }),
        1 => json!({ "source": sources, "$or": [
            { "detail": { "eventName": calls } },
            { "detail": { "errorCode": [{ "exists": true }] } },
        ] }),
        2 => json!({ "source": sources, "detail": {
            "eventName": calls, "errorCode": [{ "exists": false }],
        } }),
        _ => json!({ "source": sources, "detail": { "eventName": calls } }),
    })
}

proptest! {
    #[test]
    fn any_union_of_triggers_is_exact(
        triggers in proptest::collection::vec(trigger(), 1..6),
        sources in proptest::collection::vec(any::<Index>(), 8),
        failed in any::<bool>(),
    ) {
        let library = with_triggers(&triggers);
        let rules = rules(&all(&library)).unwrap();
        for (at, source) in sources.iter().enumerate() {
            let call = ["One", "Two", "Three", "Four", "Five"][at % 5];
            let source = source.get(&["aws.a", "aws.b", "aws.c", "aws.d"]);
            let mut event = json!({ "source": source, "detail": { "eventName": call } });
            if failed {
                event["detail"]["errorCode"] = json!("AccessDenied");
            }
            assert_exact(&all(&library), &rules, &event);
        }
    }

    #[test]
    fn any_choice_of_policies_is_exact(
        chosen in subsequence(all(&LIBRARY), 1..=LIBRARY.policies().len()),
        event in any::<Index>(),
        call in any::<Index>(),
    ) {
        let rules = rules(&chosen).unwrap();
        let mut event = event.get(&EVENTS).clone();
        assert_exact(&chosen, &rules, &event);
        event["detail"]["eventName"] = call.get(&EVENTS)["detail"]["eventName"].clone();
        assert_exact(&chosen, &rules, &event);
    }
}

#[test]
fn roles_name_actions_and_keep_within_iams_limits() {
    let deployment = deployment(&LIBRARY).unwrap();
    for grant in Grant::SPOKE.into_iter().chain(Grant::HUB) {
        let documents = &deployment.grants[&grant];
        assert!(!documents.is_empty(), "{grant:?}");
        for document in documents {
            assert!(document.as_json().to_string().len() <= POLICY_MAX_CHARS);
            for statement in &document.statements {
                assert!(statement.actions.iter().all(|it| !it.contains('*')), "{statement:?}");
            }
        }
    }
}

/// What is rendered is what the library says, no action more and none less.
#[test]
fn roles_hold_exactly_what_the_policies_need() {
    let deployment = deployment(&LIBRARY).unwrap();
    let needed = needed(&LIBRARY, &all(&LIBRARY), |_| Mode::Enforce);
    let purposes = [
        (Grant::Read, [Purpose::Read, Purpose::List].as_slice()),
        (Grant::Write, &[Purpose::Write]),
        (Grant::Undo, &[Purpose::Undo]),
    ];
    for (grant, purposes) in purposes {
        let wanted: BTreeSet<(&str, String)> = needed
            .iter()
            .filter(|it| purposes.contains(&it.purpose))
            .map(|it| (it.action, it.resource.replace("{id}", "*").replace("{region}", "*")))
            .collect();
        let statements = deployment.grants[&grant].iter().flat_map(|it| &it.statements);
        let rendered: BTreeSet<(&str, String)> = statements
            .filter(|it| it.effect == Effect::Allow)
            .flat_map(|it| {
                it.actions.iter().flat_map(|action| {
                    it.resources.iter().map(|resource| (action.as_str(), resource.clone()))
                })
            })
            .collect();
        assert_eq!(rendered, wanted, "{grant:?}");
    }
}

/// Who has the function's role has no way to give it more, or to sign in the checkpointer's place.
#[test]
fn what_changes_roles_and_buckets_changes_none_of_ours() {
    let deployment = deployment(&LIBRARY).unwrap();
    for grant in [Grant::Write, Grant::Undo] {
        let statements = || deployment.grants[&grant].iter().flat_map(|it| &it.statements);
        let actions_on = |effect: Effect, resource: &str| -> BTreeSet<&String> {
            let with = statements().filter(|it| it.effect == effect);
            let on = with.filter(|it| it.resources.iter().any(|it| it == resource));
            on.flat_map(|it| &it.actions).collect()
        };
        for (any, ours) in [
            (
                "arn:{partition}:iam::{account}:role/*",
                "arn:{partition}:iam::{account}:role/{prefix}-*",
            ),
            (
                "arn:{partition}:iam::{account}:policy/*",
                "arn:{partition}:iam::{account}:policy/{prefix}-*",
            ),
            ("arn:{partition}:s3:::*", "arn:{partition}:s3:::{prefix}-*"),
        ] {
            let allowed = actions_on(Effect::Allow, any);
            assert!(!allowed.is_empty(), "{grant:?} {any}");
            assert!(allowed.is_subset(&actions_on(Effect::Deny, ours)), "{grant:?} {ours}");
        }
    }
}

#[test]
fn the_function_can_only_add_to_the_ledger_and_never_undo() {
    let deployment = deployment(&LIBRARY).unwrap();
    let statements = |grant| deployment.grants[&grant].iter().flat_map(|it| &it.statements);
    let mut may: BTreeSet<&str> = BTreeSet::new();
    for it in statements(Grant::Function) {
        if it.resources.iter().any(|resource| resource.ends_with("-ledger")) {
            may.extend(it.actions.iter().map(String::as_str));
        }
    }
    assert_eq!(may, BTreeSet::from(["dynamodb:PutItem", "dynamodb:Query"]));
    let hub = Grant::HUB.into_iter().flat_map(statements);
    assert!(hub.flat_map(|it| &it.actions).all(|it| !it.starts_with("sts:")));
}
