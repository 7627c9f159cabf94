//! Whether what a policy waits for ever happens, and leads to what it judges.
//!
//! Proven against the dictionary of calls: each value that the trigger names must let some event
//! through, each of its paths must be one that a record has, and each call must name a resource of
//! the policy's types. What stands in `$or` is not proven.

use super::near;
use event_pattern::Pattern;
use quell_core::event::Event;
use quell_core::policy::Policy;
use quell_library::aws::dictionary::{Call, DICTIONARY, NOT_DELIVERED};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// Where a trigger names which events it wants.
const FIELDS: [&str; 4] = ["/source", "/detail-type", "/detail/eventSource", CALL];
const CALL: &str = "/detail/eventName";

/// What EventBridge puts around an event. Source: "AWS service event metadata" in the EventBridge
/// user guide.
const ENVELOPE: &[&str] = &[
    "account",
    "detail",
    "detail-type",
    "id",
    "region",
    "replay-name",
    "resources",
    "source",
    "time",
    "version",
];

/// What a record of CloudTrail holds. Source: "CloudTrail record contents for management, data, and
/// network activity events" in the CloudTrail user guide.
const RECORD: &[&str] = &[
    "addendum",
    "additionalEventData",
    "apiVersion",
    "awsRegion",
    "edgeDeviceDetails",
    "errorCode",
    "errorMessage",
    "eventCategory",
    "eventContext",
    "eventID",
    "eventName",
    "eventSource",
    "eventTime",
    "eventType",
    "eventVersion",
    "managementEvent",
    "readOnly",
    "recipientAccountId",
    "requestID",
    "requestParameters",
    "resources",
    "responseElements",
    "serviceEventDetails",
    "sessionCredentialFromConsole",
    "sharedEventID",
    "sourceIPAddress",
    "tlsDetails",
    "userAgent",
    "userIdentity",
    "vpcEndpointAccountId",
    "vpcEndpointId",
];

/// An event of the dictionary.
struct Known {
    call: Call<'static>,
    event: Event,
}

static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let of_call =
        |call: Call<'static>| call.events().into_iter().map(move |event| Known { call, event });
    DICTIONARY.calls().flat_map(of_call).collect()
});

/// Everything that is wrong with a policy's trigger.
pub fn problems(policy: &Policy) -> Vec<String> {
    let trigger = &policy.meta().trigger;
    let mut problems = unknown_fields(trigger);
    let fields: Vec<(&str, &[Value])> = FIELDS
        .iter()
        .filter_map(|it| Some((*it, trigger.pointer(it)?.as_array()?.as_slice())))
        .collect();
    let wanted: Vec<&Known> = through(&fields, KNOWN.iter());
    for (field, values) in &fields {
        let others = but(&fields, field);
        for value in *values {
            let one = [(*field, std::slice::from_ref(value))];
            let through = through(&one, others.iter().copied());
            if through.is_empty() {
                problems.push(never(&fields, field, value));
            } else if *field == CALL && through.iter().all(|it| leads_nowhere(policy, &it.event)) {
                problems.push(nowhere(policy, value));
            }
        }
    }
    problems.extend(unknown_parameters(trigger, &wanted));
    problems
}

/// The events that the other fields let through; all, where one of these is to blame already.
fn but(fields: &[(&str, &[Value])], field: &str) -> Vec<&'static Known> {
    let others: Vec<(&str, &[Value])> =
        fields.iter().copied().filter(|(it, _)| *it != field).collect();
    let through = through(&others, KNOWN.iter());
    if through.is_empty() { KNOWN.iter().collect() } else { through }
}

/// The events that fit in all of these fields; all of them where the fields are no pattern.
fn through<'a>(
    fields: &[(&str, &[Value])],
    events: impl Iterator<Item = &'a Known>,
) -> Vec<&'a Known> {
    let Some(pattern) = pattern(fields) else { return events.collect() };
    let fits = |it: &&Known| pattern.matches(it.event.envelope.text().as_bytes()).unwrap_or(false);
    events.filter(fits).collect()
}

fn pattern(fields: &[(&str, &[Value])]) -> Option<Pattern> {
    let (mut around, mut detail) = (Map::new(), Map::new());
    for (field, values) in fields {
        match field.strip_prefix("/detail/") {
            Some(name) => detail.insert(name.to_owned(), json!(values)),
            None => around.insert(field.trim_start_matches('/').to_owned(), json!(values)),
        };
    }
    if !detail.is_empty() {
        around.insert("detail".to_owned(), Value::Object(detail));
    }
    Pattern::parse(&Value::Object(around).to_string()).ok()
}

/// A value that lets no event through, and what may have been meant: a value with which the other
/// fields let some through.
fn never(fields: &[(&str, &[Value])], field: &str, value: &Value) -> String {
    let place = field.replace('/', ".");
    let shown = shown(value);
    let is_read = |it: &&&str| field == CALL && shown.starts_with(**it);
    if let Some(it) = NOT_DELIVERED.iter().find(is_read) {
        return format!(
            "policy.yaml: `trigger{place}`: `{shown}` never comes: EventBridge delivers no event \
             whose name begins with `{it}`"
        );
    }
    let possible = but(fields, field);
    let possible =
        possible.iter().filter_map(|it| it.event.envelope.value().pointer(field)?.as_str());
    let instead = near::instead(&shown, possible);
    let (dated, made_from) = (&DICTIONARY.dated, &DICTIONARY.made_from);
    format!(
        "policy.yaml: `trigger{place}`: `{shown}` never happens, by the dictionary of {dated} \
         ({made_from}){instead}"
    )
}

/// A call that names nothing which the policy could judge.
fn nowhere(policy: &Policy, value: &Value) -> String {
    let kinds: Vec<&str> = policy.meta().resources().map(|(kind, _)| kind).collect();
    let (kinds, shown) = (kinds.join(" or "), shown(value));
    format!("policy.yaml: `trigger{}`: `{shown}` names no {kinds}", CALL.replace('/', "."))
}

/// Whether an event names no resource that the policy judges, and is not right to.
fn leads_nowhere(policy: &Policy, event: &Event) -> bool {
    let kinds = policy.meta().resources().filter_map(|(kind, _)| quell_library::resource(kind));
    let kinds: Vec<_> = kinds.collect();
    // What an event proves of a resource may hang on the values in it.
    let is_told = !kinds.is_empty() && !kinds.iter().any(|it| it.meta().is_proven_by_events());
    is_told && kinds.iter().all(|it| it.targets(event).is_empty() && !it.is_elsewhere(event))
}

fn unknown_fields(trigger: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    for (place, known) in [("", ENVELOPE), ("/detail", RECORD)] {
        let fields = trigger.pointer(place).and_then(Value::as_object);
        for name in fields.into_iter().flat_map(Map::keys).filter(|it| !it.starts_with('$')) {
            if !known.contains(&name.as_str()) {
                let instead = near::instead(name, known.iter().copied());
                let place = place.replace('/', ".");
                problems.push(format!(
                    "policy.yaml: `trigger{place}.{name}` is empty in every event{instead}"
                ));
            }
        }
    }
    problems
}

/// The parameters that no call of the trigger has.
fn unknown_parameters(trigger: &Value, wanted: &[&Known]) -> Vec<String> {
    let asked = trigger.pointer("/detail/requestParameters").and_then(Value::as_object);
    let is_absent = |it: &Value| it.get("exists") == Some(&json!(false));
    let asked = asked.into_iter().flatten().filter(|(name, value)| {
        let is_unwanted = value.as_array().is_some_and(|it| it.iter().all(is_absent));
        !name.starts_with('$') && !is_unwanted
    });
    let may_hold = |name: &str| wanted.iter().any(|it| DICTIONARY.may_hold(it.call, name));
    let unknown = asked.filter(|(name, _)| !wanted.is_empty() && !may_hold(name));
    let problem = |(name, _): (&String, &Value)| {
        let known = wanted.iter().flat_map(|it| it.call.request).map(String::as_str);
        let instead = near::instead(name, known);
        format!(
            "policy.yaml: `trigger.detail.requestParameters.{name}` is empty in every event of \
             the trigger{instead}"
        )
    };
    unknown.map(problem).collect()
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use quell_core::policy::PolicyLimits;
    use std::collections::BTreeMap;

    /// What is wrong with this trigger of a policy on buckets.
    fn found(trigger: &Value) -> Vec<String> {
        let yaml = json!({
            "id": "acme.s3.x", "title": "t", "description": "d", "severity": "low",
            "resource": "AWS::S3::Bucket", "reads": [], "trigger": trigger
        });
        let rego = "package quell.acme.s3.x\ndeny contains 1 if false";
        let limits = PolicyLimits::default();
        let policy = Policy::compile(&yaml.to_string(), rego, &BTreeMap::new(), limits).unwrap();
        problems(&policy)
    }

    fn of_s3(names: Value) -> Value {
        json!({
            "source": ["aws.s3"],
            "detail-type": ["AWS API Call via CloudTrail"],
            "detail": { "eventSource": ["s3.amazonaws.com"], "eventName": names }
        })
    }

    #[track_caller]
    fn check(trigger: &Value, expected: &[&str]) {
        let found = found(trigger);
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "{found}");
        }
    }

    #[test]
    fn what_happens_is_fine() {
        check(&of_s3(json!(["PutBucketAcl", { "prefix": "PutBucket" }])), &[]);
        check(&of_s3(json!([{ "anything-but": ["PutBucketAcl", "CreateSession"] }])), &[]);
    }

    #[test]
    fn what_never_happens_is_told_with_the_nearest_name() {
        check(
            &of_s3(json!(["PutBucketAcl", "PutBucketAcls"])),
            &["`PutBucketAcls` never happens, by the dictionary of "],
        );
        let told = found(&of_s3(json!(["PutBucketAcls"])));
        assert!(told[0].ends_with("did you mean `PutBucketAcl`?"), "{told:?}");
        check(
            &of_s3(json!([{ "prefix": "PutBuckets" }])),
            &["`{\"prefix\":\"PutBuckets\"}` never"],
        );
        check(&of_s3(json!(["ListBuckets"])), &["no event whose name begins with `List`"]);
        let mut elsewhere = of_s3(json!(["PutBucketAcl"]));
        elsewhere["source"] = json!(["aws.s3", "aws.iam"]);
        check(&elsewhere, &["`trigger.source`: `aws.iam` never happens"]);
    }

    #[test]
    fn a_call_that_names_no_resource_is_told() {
        check(
            &of_s3(json!(["PutBucketAcl", "CreateJob"])),
            &["`CreateJob` names no AWS::S3::Bucket"],
        );
    }

    #[test]
    fn an_empty_path_is_told() {
        let mut trigger = of_s3(json!(["PutBucketAcl"]));
        trigger["detail"]["requestParameters"] = json!({
            "bucketName": ["x"], "bucket": ["x"], "x-amz-acl": [{ "exists": true }],
            "gone": [{ "exists": false }]
        });
        trigger["detail"]["errorcode"] = json!([{ "exists": false }]);
        trigger["regions"] = json!(["eu-west-1"]);
        check(
            &trigger,
            &[
                "`trigger.regions` is empty in every event; did you mean `region`?",
                "`trigger.detail.errorcode` is empty in every event; did you mean `errorCode`?",
                "`trigger.detail.requestParameters.bucket` is empty in every event of the trigger",
            ],
        );
    }

    #[test]
    fn the_dictionary_knows_the_triggers_of_the_library() {
        let library = quell_library::Library::builtin().unwrap();
        for policy in library.policies() {
            assert_eq!(problems(policy), Vec::<String>::new(), "{}", policy.id());
        }
    }
}
