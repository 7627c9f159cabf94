//! Event rules: the union of the policies' triggers, in as few rules as EventBridge takes.
//!
//! A rule matches exactly what the triggers that it stands for match, no event more: what is
//! forwarded costs money, and what is not is never seen. There is one rule per source of events, so
//! that an event that several policies want is forwarded once: triggers that differ only in the
//! calls that they name become one, others stand beside each other in a `$or`. A rule that grows
//! too long is split.
//!
//! One more rule is ours: the heartbeat's.

use super::RenderError;
use quell_core::policy::Policy;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Longest event pattern, in characters. Source: "Event pattern size" of "Amazon EventBridge
/// quotas" in the EventBridge user guide.
pub const PATTERN_MAX_CHARS: usize = 2048;
/// Most rules of a bus; two regions (af-south-1, eu-south-1) have room for 100. Source: as above.
pub const RULES_PER_BUS_MAX: usize = 300;
/// Longest description of a rule, in characters. Source: `PutRule` in the EventBridge API
/// reference.
const DESCRIPTION_MAX_CHARS: usize = 512;
/// Room that is left in a pattern for the prefix of the deployment, in characters.
const PREFIX_ROOM_CHARS: usize = 32;
/// Services whose events come in one region of the partition. Source: "Global service events" in
/// the CloudTrail user guide.
const GLOBAL_SOURCES: [&str; 4] = ["aws.cloudfront", "aws.iam", "aws.organizations", "aws.route53"];
/// The rule of triggers that name no source, or not by its name.
const ANY_SOURCE: &str = "any";
/// The name of the heartbeat's rule, which is also what the heartbeat tags.
pub const HEARTBEAT: &str = "heartbeat";

/// A rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The end of its name, after the prefix.
    pub name: String,
    /// Ids of the policies whose triggers it stands for; none for the heartbeat's.
    pub policies: BTreeSet<String>,
    /// Whether its events come in one region of the partition only.
    pub global: bool,
    /// The event pattern; `{prefix}` stands for the deployment's.
    pub pattern: Value,
}

impl Rule {
    /// What people read in EventBridge's console.
    pub fn description(&self) -> String {
        if self.policies.is_empty() {
            return "Quell's heartbeat: the tag that it writes on this rule".to_owned();
        }
        let ids: Vec<&str> = self.policies.iter().map(String::as_str).collect();
        let text = ids.join(", ");
        if text.chars().count() <= DESCRIPTION_MAX_CHARS {
            return text;
        }
        let start: String = text.chars().take(DESCRIPTION_MAX_CHARS - 4).collect();
        format!("{start} ...")
    }

    /// As data.
    pub fn as_json(&self) -> Value {
        json!({
            "name": self.name,
            "description": self.description(),
            "global": self.global,
            "pattern": self.pattern,
        })
    }
}

/// A trigger, or several that became one.
#[derive(Debug, Clone)]
struct Trigger {
    policies: BTreeSet<String>,
    pattern: Value,
}

/// The rules for these policies, the heartbeat's last.
pub fn rules(policies: &[&Policy]) -> Result<Vec<Rule>, RenderError> {
    let mut rules = Vec::new();
    for (source, triggers) in by_source(policies) {
        let packs = packed(united(triggers))?;
        let several = 1 < packs.len();
        for (at, pack) in packs.into_iter().enumerate() {
            let service = source.strip_prefix("aws.").unwrap_or(&source);
            let name = if several { format!("{service}-{}", at + 1) } else { service.to_owned() };
            rules.push(Rule {
                name,
                policies: pack.iter().flat_map(|it| it.policies.clone()).collect(),
                global: GLOBAL_SOURCES.contains(&source.as_str()),
                pattern: either(&pack),
            });
        }
    }
    rules.push(heartbeat());
    if RULES_PER_BUS_MAX < rules.len() {
        return Err(RenderError::TooManyRules { rules: rules.len() });
    }
    Ok(rules)
}

/// The triggers by the source of their events. An event has one source, so a trigger of several
/// is the union of as many triggers. One that names its sources otherwise stands under
/// [`ANY_SOURCE`], and what it wants may be forwarded twice.
fn by_source(policies: &[&Policy]) -> BTreeMap<String, Vec<Trigger>> {
    let mut by_source: BTreeMap<String, Vec<Trigger>> = BTreeMap::new();
    for policy in policies {
        let trigger = Trigger {
            policies: BTreeSet::from([policy.id().to_owned()]),
            pattern: policy.meta().trigger.clone(),
        };
        let Some(sources) = sources(&trigger.pattern) else {
            by_source.entry(ANY_SOURCE.to_owned()).or_default().push(trigger);
            continue;
        };
        for source in sources {
            let mut of_source = trigger.clone();
            if let Some(fields) = of_source.pattern.as_object_mut() {
                fields.insert("source".to_owned(), json!([source]));
            }
            by_source.entry(source).or_default().push(of_source);
        }
    }
    by_source
}

/// The sources that a trigger names as texts; `None` where it says it otherwise.
fn sources(pattern: &Value) -> Option<BTreeSet<String>> {
    let listed = pattern.get("source")?.as_array()?;
    listed.iter().map(|it| it.as_str().map(str::to_owned)).collect()
}

/// The heartbeat writes a tag on this very rule, in each account and region; CloudTrail tells of
/// it, and the rule forwards what CloudTrail told. It forwards, too, what is done to our other
/// rules here, the one among them that would tell: who turns that off is seen by this one, and who
/// turns this one off, by the other and by the heartbeat that stays away.
fn heartbeat() -> Rule {
    let ours = json!([{ "prefix": "{prefix}-" }]);
    let pattern = json!({
        "source": ["aws.events"],
        "detail-type": ["AWS API Call via CloudTrail"],
        "detail": {
            "eventSource": ["events.amazonaws.com"],
            "$or": [
                {
                    "eventName": ["TagResource"],
                    "requestParameters": {
                        "resourceARN": [{ "suffix": format!(":rule/{{prefix}}-{HEARTBEAT}") }],
                    },
                },
                {
                    "eventName": ["DeleteRule", "DisableRule", "PutRule"],
                    "requestParameters": { "name": ours },
                },
                {
                    "eventName": ["PutTargets", "RemoveTargets"],
                    "requestParameters": { "rule": ours },
                },
            ],
        },
    });
    Rule { name: HEARTBEAT.to_owned(), policies: BTreeSet::new(), global: false, pattern }
}

/// Unites triggers that are the same but for the calls that they name. Values of a field are
/// alternatives, so the union of the lists is the union of the patterns.
fn united(triggers: Vec<Trigger>) -> Vec<Trigger> {
    let mut united: BTreeMap<String, Trigger> = BTreeMap::new();
    for trigger in triggers {
        let mut rest = trigger.pattern.clone();
        let calls = calls_mut(&mut rest).map(std::mem::take);
        // Without a list of calls only an equal trigger is the same.
        let key = format!("{} {rest}", calls.is_some());
        match united.get_mut(&key) {
            None => {
                united.insert(key, trigger);
            }
            Some(same) => {
                same.policies.extend(trigger.policies);
                if let (Some(all), Some(calls)) = (calls_mut(&mut same.pattern), calls) {
                    let new: Vec<Value> =
                        calls.into_iter().filter(|it| !all.contains(it)).collect();
                    all.extend(new);
                    all.sort_by_key(Value::to_string);
                }
            }
        }
    }
    united.into_values().collect()
}

/// `detail.eventName`, the field in which triggers differ.
fn calls_mut(pattern: &mut Value) -> Option<&mut Vec<Value>> {
    pattern.get_mut("detail")?.get_mut("eventName")?.as_array_mut()
}

/// Fills rules with triggers, in their order, as far as each has room.
fn packed(triggers: Vec<Trigger>) -> Result<Vec<Vec<Trigger>>, RenderError> {
    let mut packs: Vec<Vec<Trigger>> = Vec::new();
    for trigger in triggers {
        for piece in pieces(trigger)? {
            let mut fuller = packs.last().cloned().unwrap_or_default();
            fuller.push(piece.clone());
            match packs.last_mut() {
                Some(last) if fits(&either(&fuller)) => *last = fuller,
                _ => packs.push(vec![piece]),
            }
        }
    }
    Ok(packs)
}

/// Halves a trigger's list of calls until each part fits into a rule.
fn pieces(trigger: Trigger) -> Result<Vec<Trigger>, RenderError> {
    if fits(&trigger.pattern) {
        return Ok(vec![trigger]);
    }
    let (mut first, mut second) = (trigger.clone(), trigger.clone());
    match (calls_mut(&mut first.pattern), calls_mut(&mut second.pattern)) {
        (Some(calls), Some(others)) if 1 < calls.len() => {
            *others = calls.split_off(calls.len() / 2);
            Ok([pieces(first)?, pieces(second)?].concat())
        }
        _ => Err(RenderError::PatternTooLong {
            policy: trigger.policies.into_iter().next().unwrap_or_default(),
            characters: trigger.pattern.to_string().chars().count(),
        }),
    }
}

fn fits(pattern: &Value) -> bool {
    pattern.to_string().chars().count() + PREFIX_ROOM_CHARS <= PATTERN_MAX_CHARS
}

/// The pattern that matches what any of the triggers matches. What all say stands before `$or`.
fn either(triggers: &[Trigger]) -> Value {
    let objects: Vec<&Map<String, Value>> =
        triggers.iter().filter_map(|it| it.pattern.as_object()).collect();
    let Some((first, others)) = objects.split_first() else { return json!({}) };
    let is_shared = |key: &str, value: &Value| others.iter().all(|it| it.get(key) == Some(value));
    // A `$or` of a trigger's own cannot stand beside ours.
    let mut shared: Map<String, Value> = (*first)
        .clone()
        .into_iter()
        .filter(|(key, value)| others.is_empty() || key != "$or" && is_shared(key, value))
        .collect();
    let alternatives: Vec<Map<String, Value>> = objects
        .iter()
        .map(|it| {
            let own = it.iter().filter(|(key, _)| !shared.contains_key(*key));
            own.map(|(key, value)| (key.clone(), value.clone())).collect()
        })
        .collect();
    // A trigger that says nothing of its own takes in all others.
    if alternatives.iter().all(|it| !it.is_empty()) {
        let alternatives = alternatives.into_iter().map(Value::Object).collect();
        shared.insert("$or".to_owned(), alternatives);
    }
    shared.into()
}
