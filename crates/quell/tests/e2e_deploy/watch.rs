//! Ledger, checkpoints, alarms: what remains of a heal, and who is told.

use crate::e2e::text;
use crate::world::{ALERTS, PREFIX, World};
use serde_json::{Value, json};

/// The alarm that every run raises: violations of critical severity were made.
const ALARM: &str = "critical-violation";

/// The ledger verifies, from the outside.
pub fn ledger_verifies(world: &World) {
    world.quell(&["audit", "verify"]);
}

/// The checkpoint function signs the heads and puts them where nobody takes them away.
pub fn checkpoint_is_put(world: &World) {
    world.tick(&format!("{PREFIX}-checkpoint"), "checkpoint");
    let bucket = format!("{PREFIX}-checkpoints-{}-us-east-1", crate::e2e::MINISTACK_ACCOUNT);
    let found = world.admin.call("s3", "list_objects_v2", json!({ "Bucket": bucket }));
    let keys = found["Contents"].as_array().cloned().unwrap_or_default();
    assert!(!keys.is_empty(), "{}", world.log(&format!("{PREFIX}-checkpoint")));
}

/// An alarm goes off, and its message arrives where the deployment sends it.
pub fn alarm_arrives(world: &World) {
    adapter(world);
    let name = format!("{PREFIX}-{ALARM}");
    let wanted = json!({ "AlarmNames": [name] });
    world.wait("the alarm goes off", || {
        let found = world.admin.call("cloudwatch", "describe_alarms", wanted.clone());
        found["MetricAlarms"][0]["StateValue"] == "ALARM"
    });
    let queue = world.queue(ALERTS);
    world.wait("the alarm's message arrives", || {
        let wanted = json!({ "QueueUrl": queue, "MaxNumberOfMessages": 10 });
        let found = world.admin.call("sqs", "receive_message", wanted);
        let messages = found["Messages"].as_array().cloned().unwrap_or_default();
        messages.iter().any(|it| text(&it["Body"]).contains(&name))
    });
}

/// Test adapter: CloudWatch makes metrics of the Embedded Metric lines in the function's log;
/// ministack does not, so they are put here. What the lines hold is the function's own.
pub fn adapter(world: &World) {
    let mut put = 0;
    for line in world.log_lines(PREFIX) {
        let Ok(line) = serde_json::from_str::<Value>(&line) else { continue };
        for directive in line["_aws"]["CloudWatchMetrics"].as_array().into_iter().flatten() {
            for dimensions in directive["Dimensions"].as_array().unwrap() {
                let dimensions: Vec<Value> = dimensions
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|it| json!({ "Name": it, "Value": line[text(it)] }))
                    .collect();
                for metric in directive["Metrics"].as_array().unwrap() {
                    let value = &line[text(&metric["Name"])];
                    let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
                    let datum = json!({
                        "MetricName": metric["Name"],
                        "Dimensions": dimensions,
                        "Values": values,
                        "Unit": metric.get("Unit").cloned().unwrap_or(json!("None")),
                    });
                    let wanted = json!({
                        "Namespace": directive["Namespace"], "MetricData": [datum],
                    });
                    world.admin.call("cloudwatch", "put_metric_data", wanted);
                    put += 1;
                }
            }
        }
    }
    assert!(0 < put, "the function logged no metric\n{}", world.log(PREFIX));
}
