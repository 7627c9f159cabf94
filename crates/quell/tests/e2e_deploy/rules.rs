//! Every deployed rule, proven with TestEventPattern on an event of each of its policies and on the
//! same with another call, source or kind, which it must not match.

use crate::world::{PREFIX, World};
use quell::deploy::rules::{HEARTBEAT, Rule, rules};
use quell_library::Library;
use serde_json::{Value, json};

/// Fields that every rule narrows, and a value of each that no rule wants.
const ELSEWHERE: [(&str, &str); 3] = [
    ("/detail/eventName", "DescribeNothing"),
    ("/source", "aws.nobody"),
    ("/detail-type", "AWS Service Event via CloudTrail"),
];

/// Asks the emulator's own matcher about each rule on the default bus.
pub fn match_what_they_must(world: &World) {
    let library = Library::builtin().unwrap();
    let policies: Vec<_> = library.policies().iter().collect();
    let listed = world.admin.call("events", "list_rules", json!({}));
    let deployed = |name: &str| {
        let rules = listed["Rules"].as_array().unwrap();
        let found = rules.iter().find(|it| it["Name"] == format!("{PREFIX}-{name}"));
        found.unwrap_or_else(|| panic!("no rule {name} in {listed}"))["EventPattern"].clone()
    };
    let matches = |pattern: &Value, event: &Value| {
        let wanted = json!({ "EventPattern": pattern, "Event": event.to_string() });
        world.admin.call("events", "test_event_pattern", wanted)["Result"] == true
    };
    for rule in rules(&policies).unwrap() {
        let pattern = deployed(&rule.name);
        let events = events_of(&library, &rule);
        assert!(!events.is_empty(), "no event for {}", rule.name);
        for event in events {
            assert!(matches(&pattern, &event), "{} does not match {event}", rule.name);
            for (field, value) in ELSEWHERE {
                let mut other = event.clone();
                *other.pointer_mut(field).unwrap() = json!(value);
                assert!(!matches(&pattern, &other), "{} matches {other}", rule.name);
            }
        }
    }
}

/// The first matching event of each policy that the rule stands for, from the rule's source.
fn events_of(library: &Library, rule: &Rule) -> Vec<Value> {
    if rule.name == HEARTBEAT {
        let tagged = format!("arn:aws:events:us-east-1:000000000000:rule/{PREFIX}-{HEARTBEAT}");
        let parameters = json!({ "resourceARN": tagged });
        return vec![crate::e2e::event("000000000000", "events", "TagResource", parameters)];
    }
    let of_policy = |id: &String| {
        let folder = library.folders().iter().find(|it| it.id == *id)?;
        let trigger = library.policy(id)?.trigger();
        let mut texts = folder.cases.values().map(|it| &it.event);
        let text = texts.find(|it| trigger.matches(it.as_bytes()) == Ok(true))?;
        let mut event: Value = serde_json::from_str(text).unwrap();
        // A policy may want the same call from several sources, and each has a rule.
        event["source"] = rule.pattern["source"][0].clone();
        Some(event)
    };
    rule.policies.iter().filter_map(of_policy).collect()
}
