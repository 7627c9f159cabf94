//! Which calls weaken a part of a deployment, and how their records name it.
//!
//! Whose part it is, and who may change it, is the policy's question: here every queue is a queue.
//! Sources: each service's API reference and its page on CloudTrail; recorded events where there
//! are any. Lambda's event names end in a date and a version, such as
//! `UpdateFunctionCode20150331v2`.

use crate::aws::events::rule_event::named;
use quell_core::event::Event;
use quell_core::region::partition;
use serde_json::Value;

/// The API's name of the call: Lambda's without its date.
pub fn name(event: &Event) -> &str {
    let name = event.api.operation.as_str();
    match event.api.service.as_str() {
        "lambda.amazonaws.com" => name.split(|it: char| it.is_ascii_digit()).next().unwrap_or(name),
        _ => name,
    }
}

/// The ARNs of the parts that an event's call weakens.
pub fn weakened(event: &Event) -> Vec<String> {
    let service = event.api.service.split('.').next().unwrap_or_default();
    match (service, name(event)) {
        ("dynamodb", "DeleteTable" | "UpdateTable" | "UpdateTimeToLive") => table(event),
        ("dynamodb", "UpdateContinuousBackups") if !is_restorable(event) => table(event),
        ("dynamodb", "PutResourcePolicy") => one(event, "resourceArn", "dynamodb", "table/"),
        ("events", "DeleteRule" | "PutRule") => rule_arn(event, "name"),
        ("events", "PutTargets" | "RemoveTargets") => rule_arn(event, "rule"),
        ("events", "DeleteEventBus" | "UpdateEventBus") => {
            one(event, "name", "events", "event-bus/")
        }
        ("events", "PutPermission" | "RemovePermission") => {
            one(event, "eventBusName", "events", "event-bus/")
        }
        ("iam", "CreatePolicyVersion" | "SetDefaultPolicyVersion") => {
            global(event, "policyArn", "iam", "policy/")
        }
        ("iam", it) if changes_role(it) => global(event, "roleName", "iam", "role/"),
        ("kms", "DisableKey" | "PutKeyPolicy" | "ScheduleKeyDeletion") => key(event),
        ("lambda", "CreateFunction") => lent_role(event),
        ("lambda", "UpdateFunctionConfiguration") => [function(event), lent_role(event)].concat(),
        ("lambda", it) if changes_function(it) => function(event),
        ("lambda", "PutFunctionConcurrency") if is_stopped(event) => function(event),
        ("lambda", "CreateEventSourceMapping" | "DeleteEventSourceMapping") => mapping(event),
        ("lambda", "UpdateEventSourceMapping") if !only_enables(event) => mapping(event),
        ("logs", "DeleteLogGroup" | "PutRetentionPolicy") => {
            one(event, "logGroupName", "logs", "log-group:")
        }
        ("monitoring", "DeleteAlarms" | "DisableAlarmActions") => {
            many(event, "/alarmNames", "cloudwatch", "alarm:")
        }
        ("monitoring", "PutAlarmMuteRule") => {
            many(event, "/muteTargets/alarmNames", "cloudwatch", "alarm:")
        }
        ("monitoring", "PutMetricAlarm" | "SetAlarmState") => {
            one(event, "alarmName", "cloudwatch", "alarm:")
        }
        ("s3", it) if changes_bucket(it) => bucket(event),
        ("s3", "PutBucketVersioning") if !is_versioned(event) => bucket(event),
        ("sns", "AddPermission" | "DeleteTopic" | "RemovePermission" | "SetTopicAttributes") => {
            one(event, "topicArn", "sns", "")
        }
        ("sns", "SetSubscriptionAttributes" | "Unsubscribe") => topic_of_subscription(event),
        ("sqs", it) if changes_queue(it) => queue(event),
        ("ssm", "DeleteParameter" | "PutParameter") => one(event, "name", "ssm", "parameter/"),
        ("ssm", "DeleteParameters") => many(event, "/names", "ssm", "parameter/"),
        _ => Vec::new(),
    }
}

/// Whether a call of such a name weakens nothing: a function may still run, a mapping is enabled
/// and nothing else, a table can be restored, a bucket keeps versions, a resource's policy is on no
/// table, or the bus is the default one, which is no deployment's own.
pub fn weakens_nothing(event: &Event) -> bool {
    let service = event.api.service.split('.').next().unwrap_or_default();
    match (service, name(event)) {
        ("dynamodb", "UpdateContinuousBackups") => is_restorable(event),
        // What goes is a limit or a door.
        ("lambda", "DeleteFunctionConcurrency" | "DeleteFunctionUrlConfig") => true,
        ("lambda", "PutFunctionConcurrency") => !is_stopped(event),
        ("lambda", "UpdateEventSourceMapping") => only_enables(event),
        ("s3", "PutBucketVersioning") => is_versioned(event),
        ("events", "PutPermission" | "RemovePermission") => {
            event.request().is_object() && event.request().get("eventBusName").is_none()
        }
        ("events", "UpdateEventBus") => {
            event.request().is_object() && event.request().get("name").is_none()
        }
        (it, "PutResourcePolicy") => it != "dynamodb",
        _ => false,
    }
}

fn changes_role(call: &str) -> bool {
    matches!(
        call,
        "AttachRolePolicy"
            | "DeleteRole"
            | "DeleteRolePermissionsBoundary"
            | "DeleteRolePolicy"
            | "DetachRolePolicy"
            | "PutRolePermissionsBoundary"
            | "PutRolePolicy"
            | "UpdateAssumeRolePolicy"
    )
}

/// Who may call a function, and by which door, is part of what it is: a caller can give it events
/// that never happened, or take its schedules away. What it does with a call that it could not
/// answer is another part: a schedule's call may be given up after a minute.
fn changes_function(call: &str) -> bool {
    matches!(
        call,
        "AddPermission"
            | "CreateFunctionUrlConfig"
            | "DeleteFunction"
            | "DeleteFunctionCodeSigningConfig"
            | "DeleteFunctionEventInvokeConfig"
            | "PutFunctionEventInvokeConfig"
            | "RemovePermission"
            | "UpdateFunctionCode"
            | "UpdateFunctionEventInvokeConfig"
            | "UpdateFunctionUrlConfig"
    )
}

/// CloudTrail calls Object Lock's call by S3's permission; the API has a name without `Bucket`.
fn changes_bucket(call: &str) -> bool {
    matches!(
        call,
        "DeleteBucket"
            | "DeleteBucketPolicy"
            | "PutBucketLifecycle"
            | "PutBucketObjectLockConfiguration"
            | "PutBucketPolicy"
            | "PutObjectLockConfiguration"
    )
}

fn changes_queue(call: &str) -> bool {
    matches!(
        call,
        "AddPermission" | "DeleteQueue" | "PurgeQueue" | "RemovePermission" | "SetQueueAttributes"
    )
}

/// A function that may run zero times at once never runs.
fn is_stopped(event: &Event) -> bool {
    event.request().get("reservedConcurrentExecutions").and_then(Value::as_i64) == Some(0)
}

/// The call enables a mapping and changes nothing else. A filter that lets nothing through, or
/// another function, makes it as silent as disabling it does.
fn only_enables(event: &Event) -> bool {
    let Some(request) = event.request().as_object() else { return false };
    let enables = request.get("enabled").and_then(Value::as_bool) == Some(true);
    enables && request.keys().all(|it| matches!(it.as_str(), "enabled" | "uUID" | "uuid"))
}

/// The call turns point-in-time recovery on; one that does not say so counts as turning it off.
fn is_restorable(event: &Event) -> bool {
    let setting = "/pointInTimeRecoverySpecification/pointInTimeRecoveryEnabled";
    event.request().pointer(setting).and_then(Value::as_bool) == Some(true)
}

/// The call turns versions on; one that does not say so counts as suspending them.
fn is_versioned(event: &Event) -> bool {
    let setting = "/VersioningConfiguration/Status";
    event.request().pointer(setting).and_then(Value::as_str) == Some("Enabled")
}

fn table(event: &Event) -> Vec<String> {
    one(event, "tableName", "dynamodb", "table/")
}

fn rule_arn(event: &Event, key: &str) -> Vec<String> {
    let id = named(event, key);
    id.map(|it| regional(event, "events", "rule/", &it)).into_iter().collect()
}

fn function(event: &Event) -> Vec<String> {
    let Some(given) = text(event.request(), "functionName") else { return Vec::new() };
    // A name, `ACCOUNT:function:NAME`, or an ARN; each may be followed by a version or alias.
    let name = given.split_once("function:").map_or(given, |(_, it)| it);
    let name = name.split(':').next().unwrap_or(name);
    vec![regional(event, "lambda", "function:", name)]
}

/// The role that a function is given: whoever writes the function's code acts under it.
fn lent_role(event: &Event) -> Vec<String> {
    global(event, "role", "iam", "role/")
}

/// A mapping belongs to the queue that it takes from and to the function that it calls. The
/// response tells both, as does the request of a new one; else it is named by its UUID.
fn mapping(event: &Event) -> Vec<String> {
    let (request, response) = (event.request(), event.response());
    let source = text(response, "eventSourceArn").or_else(|| text(request, "eventSourceArn"));
    let mut parts: Vec<String> = source.map(str::to_owned).into_iter().collect();
    if let Some(arn) = text(response, "functionArn") {
        parts.push(arn.to_owned());
        return parts;
    }
    parts.extend(function(event));
    let uuid = text(request, "uUID").or_else(|| text(request, "uuid"));
    parts.extend(uuid.map(|it| regional(event, "lambda", "event-source-mapping:", it)));
    parts
}

/// A request may name a key by id, ARN or alias; the record's `resources` name it by ARN.
fn key(event: &Event) -> Vec<String> {
    let recorded =
        event.envelope.value().pointer("/detail/resources/0/ARN").and_then(Value::as_str);
    if let Some(arn) = recorded.or_else(|| text(event.response(), "keyId")) {
        return vec![arn.to_owned()];
    }
    one(event, "keyId", "kms", "key/")
}

fn bucket(event: &Event) -> Vec<String> {
    let name = text(event.request(), "bucketName");
    let partition = partition(&event.cloud.region);
    name.map(|it| format!("arn:{partition}:s3:::{it}")).into_iter().collect()
}

/// The last part of a queue's URL is its name.
fn queue(event: &Event) -> Vec<String> {
    let url = text(event.request(), "queueUrl");
    let name = url.and_then(|it| it.rsplit('/').next());
    name.map(|it| regional(event, "sqs", "", it)).into_iter().collect()
}

/// A subscription's ARN is its topic's and a UUID.
fn topic_of_subscription(event: &Event) -> Vec<String> {
    let subscription = text(event.request(), "subscriptionArn");
    let topic = subscription.and_then(|it| it.rsplit_once(':')).map(|(topic, _)| topic.to_owned());
    topic.into_iter().collect()
}

fn one(event: &Event, key: &str, service: &str, kind: &str) -> Vec<String> {
    let name = text(event.request(), key);
    name.map(|it| regional(event, service, kind, it)).into_iter().collect()
}

fn many(event: &Event, pointer: &str, service: &str, kind: &str) -> Vec<String> {
    let names = event.request().pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    names.filter_map(Value::as_str).map(|it| regional(event, service, kind, it)).collect()
}

/// As [`regional`], for a service that knows no regions.
fn global(event: &Event, key: &str, service: &str, kind: &str) -> Vec<String> {
    let (partition, account) = (partition(&event.cloud.region), &event.cloud.account);
    let Some(name) = text(event.request(), key) else { return Vec::new() };
    if name.starts_with("arn:") {
        return vec![name.to_owned()];
    }
    vec![format!("arn:{partition}:{service}::{account}:{kind}{name}")]
}

/// The ARN of a thing in the event's account and region; what is one already stays it.
fn regional(event: &Event, service: &str, kind: &str, name: &str) -> String {
    if name.starts_with("arn:") {
        return name.to_owned();
    }
    let (region, account) = (&event.cloud.region, &event.cloud.account);
    let name = if kind.ends_with('/') { name.trim_start_matches('/') } else { name };
    format!("arn:{}:{service}:{region}:{account}:{kind}{name}", partition(region))
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str).filter(|it| !it.is_empty())
}
