//! Alarms and dashboard in CloudWatch (ministack): both are accepted, what Quell measures sets an
//! alarm off, and its message arrives.
//!
//! Two things here are ours because the emulator lacks them. It makes no metrics of Embedded Metric
//! Format lines: [`put_metrics`] is an adapter that does, by `PutMetricData`. And it evaluates an
//! alarm over all dimensions of its metric and knows no missing data, so that this proves neither;
//! `telemetry.rs` checks that each alarm watches dimensions that are written.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::string_slice, reason = "tests")]

mod e2e;

use e2e::{Person, policy, text};
use jiff::Timestamp;
use quell::telemetry::alarms::{self, ALARMS, Names};
use quell::telemetry::metric::Metric;
use quell::telemetry::{Point, Telemetry, dashboard};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use testkit::{Ministack, Venv};

const NAMES: Names<'_> = Names {
    prefix: "alarms",
    queue: "alarms-events",
    dead_letter_queue: "alarms-events-dlq",
    function: "alarms-function",
    checkpoint_function: "alarms-checkpoint",
};

/// A topic, and a queue that its messages arrive in.
fn topic(person: &Person) -> (String, String) {
    let topic = person.call("sns", "create_topic", json!({ "Name": "alarms" }));
    let topic = text(&topic["TopicArn"]);
    let queue = person.call("sqs", "create_queue", json!({ "QueueName": "alarms-told" }));
    let queue = text(&queue["QueueUrl"]);
    let wanted = json!({ "QueueUrl": queue, "AttributeNames": ["QueueArn"] });
    let found = person.call("sqs", "get_queue_attributes", wanted);
    let arn = text(&found["Attributes"]["QueueArn"]);
    let may = policy(&[json!({
        "Effect": "Allow",
        "Principal": { "Service": "sns.amazonaws.com" },
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": { "ArnEquals": { "aws:SourceArn": topic } },
    })]);
    let attributes = json!({ "Policy": may.to_string() });
    let wanted = json!({ "QueueUrl": queue, "Attributes": attributes });
    person.call("sqs", "set_queue_attributes", wanted);
    let wanted = json!({ "TopicArn": topic, "Protocol": "sqs", "Endpoint": arn });
    person.call("sns", "subscribe", wanted);
    (topic, queue)
}

/// The adapter: what CloudWatch Logs makes of a line.
fn put_metrics(person: &Person, line: &Value) {
    for directive in line["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
        let mut data = Vec::new();
        for metric in directive["Metrics"].as_array().unwrap() {
            for set in directive["Dimensions"].as_array().unwrap() {
                let names = set.as_array().unwrap();
                let dimension = |it: &Value| json!({ "Name": it, "Value": line[text(it)] });
                let values = match &line[text(&metric["Name"])] {
                    Value::Array(values) => values.clone(),
                    value => vec![value.clone()],
                };
                data.push(json!({
                    "MetricName": metric["Name"],
                    "Unit": metric["Unit"],
                    "Dimensions": names.iter().map(dimension).collect::<Value>(),
                    "Values": values,
                }));
            }
        }
        let wanted = json!({ "Namespace": directive["Namespace"], "MetricData": data });
        person.call("cloudwatch", "put_metric_data", wanted);
    }
}

fn in_alarm(person: &Person) -> BTreeSet<String> {
    let wanted = json!({ "AlarmNamePrefix": "alarms-", "StateValue": "ALARM" });
    let found = person.call("cloudwatch", "describe_alarms", wanted);
    let alarms = found["MetricAlarms"].as_array().unwrap();
    alarms.iter().map(|it| text(&it["AlarmName"])).collect()
}

#[test]
fn what_is_measured_sets_an_alarm_off_and_people_are_told() {
    let ministack = Ministack::start(true).unwrap();
    let person = Person::at(&ministack.endpoint(), &Venv::SERVICES);
    let (topic, queue) = topic(&person);
    for mut alarm in alarms::properties(&NAMES) {
        alarm["AlarmActions"] = json!([topic]);
        // boto3 knows every name and type that `PutMetricAlarm` takes, and refuses others.
        person.call("cloudwatch", "put_metric_alarm", alarm);
    }
    let all = person.call("cloudwatch", "describe_alarms", json!({}));
    assert_eq!(all["MetricAlarms"].as_array().unwrap().len(), ALARMS.len());
    let body = dashboard::body(&NAMES, "us-east-1").to_string();
    let wanted = json!({ "DashboardName": "alarms", "DashboardBody": body });
    person.call("cloudwatch", "put_dashboard", wanted);

    let telemetry = Telemetry::default();
    let now = Timestamp::now();
    let tell = || {
        let mut lines = Vec::new();
        telemetry.write_emf(now, &mut lines).unwrap();
        let lines = String::from_utf8(lines).unwrap();
        lines.lines().for_each(|it| put_metrics(&person, &serde_json::from_str(it).unwrap()));
    };
    telemetry.add(Point::new(Metric::Events, &[], 1.0));
    telemetry.add(Point::new(Metric::EventLag, &[], 12.0));
    telemetry.add(Point::new(Metric::HeartbeatAge, &["111122223333", "eu-central-1"], 60.0));
    tell();
    assert_eq!(in_alarm(&person), BTreeSet::new());

    telemetry.add(Point::new(Metric::CriticalViolations, &[], 1.0));
    telemetry.add(Point::new(Metric::HeartbeatAge, &["111122223333", "eu-west-1"], 7200.0));
    (0..200).for_each(|_| telemetry.add(Point::new(Metric::EventLag, &[], 5000.0)));
    tell();
    let wanted = ["alarms-critical-violation", "alarms-event-lag", "alarms-no-heartbeat"];
    let wanted = BTreeSet::from(wanted.map(str::to_owned));
    assert_eq!(in_alarm(&person), wanted);

    let mut told = BTreeSet::new();
    for _ in 0..20 {
        let ask = json!({ "QueueUrl": queue, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 1 });
        let found = person.call("sqs", "receive_message", ask);
        for message in found["Messages"].as_array().into_iter().flatten() {
            let envelope: Value = serde_json::from_str(&text(&message["Body"])).unwrap();
            let alarm: Value = serde_json::from_str(&text(&envelope["Message"])).unwrap();
            if alarm["NewStateValue"] == "ALARM" {
                assert!(text(&alarm["AlarmDescription"]).contains("docs/guides/runbook.md#"));
                told.insert(text(&alarm["AlarmName"]));
            }
        }
        if told == wanted {
            return;
        }
    }
    panic!("told only {told:?}");
}
