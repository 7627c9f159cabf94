//! Which part of a deployment a call weakens, and whose part and whose call it is.

use crate::bench::{LIBRARY, corpus, implied, parse, record};
use crate::{PART, TAMPER};
use quell_core::detect::{Detection, detect};
use quell_core::event::Event;
use quell_core::policy::PolicyLimits;
use quell_library::aws::events::rule;
use quell_library::{Library, folder};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const HERE: &str = "eu-central-1:111122223333";

fn call(service: &str, name: &str, request: Value) -> Event {
    record(service, name, request, Value::Null, json!({}))
}

/// The parts that a call weakens.
fn parts(event: &Event) -> Vec<String> {
    let kind = quell_library::resource(PART).unwrap();
    kind.targets(event).into_iter().map(|it| it.id).collect()
}

/// A service, a call, what it was asked, and the part that it weakens, after `arn:aws:`.
type Case = (&'static str, &'static str, Value, String);

fn calls_on_events() -> Vec<Case> {
    vec![
        ("events", "DeleteRule", json!({ "name": "r" }), format!("events:{HERE}:rule/r")),
        (
            "events",
            "PutRule",
            json!({ "name": "r", "eventBusName": "b" }),
            format!("events:{HERE}:rule/b/r"),
        ),
        (
            "events",
            "RemoveTargets",
            json!({ "rule": "r", "eventBusName": format!("arn:aws:events:{HERE}:event-bus/b") }),
            format!("events:{HERE}:rule/b/r"),
        ),
        ("events", "DeleteEventBus", json!({ "name": "b" }), format!("events:{HERE}:event-bus/b")),
    ]
}

fn calls_on_functions() -> Vec<Case> {
    vec![
        (
            "lambda",
            "DeleteFunction20150331",
            json!({ "functionName": "f" }),
            format!("lambda:{HERE}:function:f"),
        ),
        (
            "lambda",
            "UpdateFunctionCode20150331v2",
            json!({ "functionName": format!("arn:aws:lambda:{HERE}:function:f:live") }),
            format!("lambda:{HERE}:function:f"),
        ),
        (
            "lambda",
            "UpdateFunctionConfiguration20150331v2",
            json!({ "functionName": "111122223333:function:f" }),
            format!("lambda:{HERE}:function:f"),
        ),
        (
            "lambda",
            "PutFunctionConcurrency20171031",
            json!({ "functionName": "f", "reservedConcurrentExecutions": 0 }),
            format!("lambda:{HERE}:function:f"),
        ),
        (
            "lambda",
            "AddPermission20150331v2",
            json!({ "functionName": "f", "principal": "*" }),
            format!("lambda:{HERE}:function:f"),
        ),
        (
            "lambda",
            "RemovePermission20150331v2",
            json!({ "functionName": "f", "statementId": "s" }),
            format!("lambda:{HERE}:function:f"),
        ),
        (
            "lambda",
            "CreateFunctionUrlConfig",
            json!({ "functionName": "f", "authType": "NONE" }),
            format!("lambda:{HERE}:function:f"),
        ),
    ]
}

/// What would tell, and what would prove.
fn calls_on_alarms_and_evidence() -> Vec<Case> {
    let topic = format!("sns:{HERE}:t");
    let policy = "iam::111122223333:policy/p".to_owned();
    let named = json!({ "policyArn": format!("arn:aws:{policy}") });
    let off = json!({ "pointInTimeRecoveryEnabled": false });
    vec![
        ("monitoring", "PutMetricAlarm", json!({ "alarmName": "a" }), alarm("a")),
        ("monitoring", "SetAlarmState", json!({ "alarmName": "a" }), alarm("a")),
        (
            "sns",
            "Unsubscribe",
            json!({ "subscriptionArn": format!("arn:aws:{topic}:0f1e2d3c-4b5a") }),
            topic.clone(),
        ),
        (
            "sns",
            "SetTopicAttributes",
            json!({ "topicArn": format!("arn:aws:{topic}") }),
            topic.clone(),
        ),
        ("sns", "RemovePermission", json!({ "topicArn": format!("arn:aws:{topic}") }), topic),
        ("iam", "CreatePolicyVersion", named.clone(), policy.clone()),
        ("iam", "SetDefaultPolicyVersion", named, policy),
        (
            "dynamodb",
            "UpdateContinuousBackups",
            json!({ "tableName": "t", "pointInTimeRecoverySpecification": off }),
            format!("dynamodb:{HERE}:table/t"),
        ),
        (
            "s3",
            "PutBucketVersioning",
            json!({ "bucketName": "b", "VersioningConfiguration": { "Status": "Suspended" } }),
            "s3:::b".to_owned(),
        ),
        // What does not say that it turns something on is taken for turning it off.
        ("s3", "PutBucketVersioning", json!({ "bucketName": "b" }), "s3:::b".to_owned()),
        (
            "s3",
            "PutBucketObjectLockConfiguration",
            json!({ "bucketName": "b" }),
            "s3:::b".to_owned(),
        ),
    ]
}

/// What mutes a part without touching it, and what lends it to others.
fn calls_beside_the_part() -> Vec<Case> {
    let role = "iam::111122223333:role/service-role/r".to_owned();
    let given = json!({ "functionName": "other", "role": format!("arn:aws:{role}") });
    let stream = format!("dynamodb:{HERE}:table/t/stream/2026-03-04T10:12:31.000");
    vec![
        (
            "sns",
            "SetSubscriptionAttributes",
            json!({
                "subscriptionArn": format!("arn:aws:sns:{HERE}:t:0f1e2d3c-4b5a"),
                "attributeName": "FilterPolicy",
            }),
            format!("sns:{HERE}:t"),
        ),
        (
            "monitoring",
            "PutAlarmMuteRule",
            json!({ "name": "m", "muteTargets": { "alarmNames": ["a"] } }),
            alarm("a"),
        ),
        ("events", "UpdateEventBus", json!({ "name": "b" }), format!("events:{HERE}:event-bus/b")),
        (
            "lambda",
            "PutFunctionEventInvokeConfig",
            json!({ "functionName": "f", "maximumRetryAttempts": 0 }),
            format!("lambda:{HERE}:function:f"),
        ),
        (
            "lambda",
            "DeleteFunctionCodeSigningConfig20200630",
            json!({ "functionName": "f" }),
            format!("lambda:{HERE}:function:f"),
        ),
        ("lambda", "CreateFunction20150331", given, role),
        (
            "dynamodb",
            "PutResourcePolicy",
            json!({ "resourceArn": format!("arn:aws:{stream}") }),
            stream,
        ),
    ]
}

fn alarm(name: &str) -> String {
    format!("cloudwatch:{HERE}:alarm:{name}")
}

fn calls_on_the_rest() -> Vec<Case> {
    let url = "https://sqs.eu-central-1.amazonaws.com/111122223333/quell-events";
    vec![
        ("sqs", "PurgeQueue", json!({ "queueUrl": url }), format!("sqs:{HERE}:quell-events")),
        (
            "dynamodb",
            "DeleteTable",
            json!({ "tableName": "t" }),
            format!("dynamodb:{HERE}:table/t"),
        ),
        ("iam", "PutRolePolicy", json!({ "roleName": "r" }), "iam::111122223333:role/r".to_owned()),
        ("kms", "DisableKey", json!({ "keyId": "k" }), format!("kms:{HERE}:key/k")),
        (
            "logs",
            "DeleteLogGroup",
            json!({ "logGroupName": "/aws/lambda/f" }),
            format!("logs:{HERE}:log-group:/aws/lambda/f"),
        ),
        ("s3", "DeleteBucket", json!({ "bucketName": "b" }), "s3:::b".to_owned()),
        (
            "sns",
            "DeleteTopic",
            json!({ "topicArn": format!("arn:aws:sns:{HERE}:t") }),
            format!("sns:{HERE}:t"),
        ),
        ("ssm", "PutParameter", json!({ "name": "/q/c" }), format!("ssm:{HERE}:parameter/q/c")),
    ]
}

#[test]
fn every_call_names_its_part() {
    let cases = [
        calls_on_events(),
        calls_on_functions(),
        calls_on_alarms_and_evidence(),
        calls_beside_the_part(),
        calls_on_the_rest(),
    ];
    for (service, name, request, part) in cases.into_iter().flatten() {
        let event = call(service, name, request);
        assert_eq!(parts(&event), [format!("arn:aws:{part}")], "{service} {name}");
        let state = implied(PART, &event).unwrap();
        assert_eq!(state.properties["Call"], name.split("20").next().unwrap(), "{name}");
    }
    let alarms = call("monitoring", "DeleteAlarms", json!({ "alarmNames": ["a", "b"] }));
    assert_eq!(
        parts(&alarms),
        [
            format!("arn:aws:cloudwatch:{HERE}:alarm:a"),
            format!("arn:aws:cloudwatch:{HERE}:alarm:b")
        ]
    );
    // A function that is given a role of ours by its configuration is no better than a new one.
    let role = "arn:aws:iam::111122223333:role/r";
    let request = json!({ "functionName": "f", "role": role });
    let given = call("lambda", "UpdateFunctionConfiguration20150331v2", request);
    assert_eq!(parts(&given), [format!("arn:aws:lambda:{HERE}:function:f"), role.to_owned()]);
}

#[test]
fn what_weakens_nothing_names_nothing() {
    for (service, name, request) in [
        (
            "lambda",
            "PutFunctionConcurrency20171031",
            json!({ "functionName": "f", "reservedConcurrentExecutions": 5 }),
        ),
        ("lambda", "UpdateEventSourceMapping20150331", json!({ "uUID": "u", "enabled": true })),
        ("events", "EnableRule", json!({ "name": "r" })),
        ("events", "DisableRule", json!({ "name": "r" })),
        ("iam", "PutUserPolicy", json!({ "userName": "u" })),
        ("sqs", "PurgeQueue", json!({})),
        ("sns", "Unsubscribe", json!({})),
        (
            "dynamodb",
            "UpdateContinuousBackups",
            json!({
                "tableName": "t",
                "pointInTimeRecoverySpecification": { "pointInTimeRecoveryEnabled": true },
            }),
        ),
        (
            "s3",
            "PutBucketVersioning",
            json!({ "bucketName": "b", "VersioningConfiguration": { "Status": "Enabled" } }),
        ),
        ("elsewhere", "DeleteTable", json!({ "tableName": "t" })),
    ] {
        assert_eq!(parts(&call(service, name, request)), Vec::<String>::new(), "{service} {name}");
    }
}

/// What names nothing that could be weakened is no record that was not understood.
#[test]
fn what_is_known_to_weaken_nothing_is_no_miss() {
    let policy = LIBRARY.policy(TAMPER).unwrap();
    for (service, name, request, missed) in [
        ("lambda", "DeleteFunctionConcurrency20171031", json!({ "functionName": "f" }), false),
        ("lambda", "UpdateEventSourceMapping20150331", json!({ "enabled": true }), false),
        ("lambda", "UpdateEventSourceMapping20150331", Value::Null, true),
        ("events", "UpdateEventBus", json!({ "description": "d" }), false),
        ("events", "UpdateEventBus", Value::Null, true),
        ("logs", "PutResourcePolicy", json!({ "policyName": "p" }), false),
        ("dynamodb", "PutResourcePolicy", Value::Null, true),
        ("monitoring", "PutAlarmMuteRule", json!({ "name": "m" }), true),
    ] {
        let event = call(service, name, request);
        assert_eq!(LIBRARY.misses(policy, &event), missed, "{service} {name}");
    }
}

/// A filter that nothing passes, or a long wait, stops events no less than disabling does.
#[test]
fn a_mapping_is_weakened_by_whatever_does_more_than_enable_it() {
    let name = "UpdateEventSourceMapping20150331";
    let filter = json!({ "filters": [{ "pattern": "{\"body\":[\"never\"]}" }] });
    for request in [
        json!({ "uUID": "0f1e", "enabled": false }),
        json!({ "uUID": "0f1e", "filterCriteria": filter }),
        json!({ "uUID": "0f1e", "enabled": true, "filterCriteria": filter }),
        json!({ "uUID": "0f1e", "batchSize": 1 }),
    ] {
        let part = format!("arn:aws:lambda:{HERE}:event-source-mapping:0f1e");
        assert_eq!(parts(&call("lambda", name, request)), [part]);
    }
}

/// Who leads our queue to a function of their own is not hidden by that function's name.
#[test]
fn a_mapping_belongs_to_the_queue_too() {
    let queue = format!("arn:aws:sqs:{HERE}:quell-events");
    let other = format!("arn:aws:lambda:{HERE}:function:other");
    let wanted = [queue.clone(), other.clone()];
    let request = json!({ "uUID": "0f1e", "functionName": "other" });
    let response = json!({ "eventSourceArn": queue, "functionArn": other });
    let led = record("lambda", "UpdateEventSourceMapping20150331", request, response, json!({}));
    assert_eq!(parts(&led), wanted);
    let request = json!({ "eventSourceArn": queue, "functionName": "other" });
    assert_eq!(parts(&call("lambda", "CreateEventSourceMapping20150331", request)), wanted);
}

#[test]
fn a_mapping_belongs_to_the_function_that_the_response_names() {
    let function = format!("arn:aws:lambda:{HERE}:function:quell-function");
    let request = json!({ "uUID": "0f1e" });
    let response = json!({ "functionArn": function });
    let told =
        record("lambda", "DeleteEventSourceMapping20150331", request.clone(), response, json!({}));
    assert_eq!(parts(&told), [function]);
    let untold = call("lambda", "DeleteEventSourceMapping20150331", request);
    assert_eq!(parts(&untold), [format!("arn:aws:lambda:{HERE}:event-source-mapping:0f1e")]);
}

/// Events that nobody here wrote.
#[test]
fn recorded_calls_name_their_part() {
    let mut seen = BTreeMap::new();
    let lines = ["detections/stratus_cloudtrail.jsonl", "events/aws_docs_samples.jsonl"];
    for (event, _) in lines.into_iter().flat_map(corpus) {
        let name = event["eventName"].as_str().unwrap_or_default().to_owned();
        if name.starts_with("UpdateFunction") || name == "PutRule" {
            *seen.entry(name).or_insert(0) += parts(&parse(event)).len();
        }
    }
    let names: Vec<&str> = seen.keys().map(String::as_str).collect();
    let wanted =
        ["PutRule", "UpdateFunctionCode20150331v2", "UpdateFunctionConfiguration20150331v2"];
    assert_eq!(names, wanted);
    assert!(seen.values().all(|it| 0 < *it), "{seen:?}");
}

/// The policy with parameters of one's own, judging what an event alone proves.
fn judged(params: Value, event: &Event) -> Detection {
    let params = params.as_object().unwrap().clone().into_iter().collect();
    let params = BTreeMap::from([(TAMPER.to_owned(), params)]);
    let folders = folder::builtin().unwrap();
    let library = Library::load(folders, &params, PolicyLimits::default()).unwrap();
    let state = implied(PART, event).unwrap();
    detect(&[library.policy(TAMPER).unwrap()], Some(event), &state)
}

fn found(params: Value, event: &Event) -> usize {
    let detection = judged(params, event);
    assert!(detection.errors.is_empty(), "{:?}", detection.errors);
    assert!(detection.indeterminate.is_empty(), "{:?}", detection.indeterminate);
    detection.findings.len()
}

#[test]
fn parameters_tell_what_is_ours_and_who_deploys_it() {
    let role = |name: &str| {
        json!({ "userIdentity": {
            "type": "AssumedRole",
            "accountId": "111122223333",
            "arn": format!("arn:aws:sts::111122223333:assumed-role/{name}/x"),
            "sessionContext": { "sessionIssuer": {
                "type": "Role", "arn": format!("arn:aws:iam::111122223333:role/{name}"),
            } },
        } })
    };
    let request = json!({ "functionName": "quell-function" });
    let by = |name: &str| {
        record("lambda", "UpdateFunctionCode20150331v2", request.clone(), Value::Null, role(name))
    };
    let deployers = json!({ "deployers": ["arn:aws:iam::111122223333:role/deploy-*"] });
    assert_eq!(found(json!({}), &by("deploy-main")), 1);
    assert_eq!(found(deployers.clone(), &by("deploy-main")), 0);
    assert_eq!(found(deployers, &by("not-deploy-main")), 1);

    let other = call("dynamodb", "DeleteTable", json!({ "tableName": "audit-ledger" }));
    assert_eq!(found(json!({}), &other), 0);
    assert_eq!(found(json!({ "name_prefixes": ["audit"] }), &other), 1);
    let key = format!("arn:aws:kms:{HERE}:key/k");
    let key_event = call("kms", "ScheduleKeyDeletion", json!({ "keyId": "k" }));
    assert_eq!(found(json!({}), &key_event), 0);
    assert_eq!(found(json!({ "arns": [key] }), &key_event), 1);
}

#[test]
fn a_rule_is_named_with_its_bus_unless_that_is_the_default_one() {
    let kind = quell_library::resource(rule::TYPE).unwrap();
    let named = |request: Value| {
        let event = call("events", "DisableRule", request);
        kind.targets(&event).into_iter().map(|it| it.id).collect::<Vec<_>>()
    };
    assert_eq!(named(json!({ "name": "r" })), ["r"]);
    assert_eq!(named(json!({ "name": "r", "eventBusName": "default" })), ["r"]);
    let default = format!("arn:aws:events:{HERE}:event-bus/default");
    assert_eq!(named(json!({ "name": "r", "eventBusName": default })), ["r"]);
    assert_eq!(named(json!({ "name": "r", "eventBusName": "b" })), ["b/r"]);
    let partner = format!("arn:aws:events:{HERE}:event-bus/aws.partner/a/b");
    assert_eq!(named(json!({ "name": "r", "eventBusName": partner })), ["aws.partner/a/b/r"]);
    assert_eq!(rule::bus_and_name("aws.partner/a/b/r"), ("aws.partner/a/b", "r"));
    assert_eq!(rule::bus_and_name("r"), ("default", "r"));
    let disabled = call("events", "DisableRule", json!({ "name": "quell-forward" }));
    let state = implied(rule::TYPE, &disabled).unwrap();
    assert_eq!(state.properties, json!({ "State": "DISABLED" }));
    let detection = detect(&[LIBRARY.policy(TAMPER).unwrap()], Some(&disabled), &state);
    assert_eq!(detection.findings.len(), 1, "{detection:?}");
}
