//! Ledger, checkpoints, alarms: what remains of a heal, and who is told.

use crate::e2e::text;
use crate::world::{ALERTS, PREFIX, World};
use quell::telemetry::metric::Metric;
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

/// A measurement that the function wrote: namespace, name, dimensions, values, unit.
struct Measured {
    namespace: Value,
    name: Value,
    dimensions: Vec<(String, Value)>,
    values: Vec<Value>,
    unit: Value,
}

/// Everything that the Embedded Metric lines in the function's log say.
fn measured(world: &World) -> Vec<Measured> {
    let mut measured = Vec::new();
    for line in world.log_lines(PREFIX) {
        let Ok(line) = serde_json::from_str::<Value>(&line) else { continue };
        for directive in line["_aws"]["CloudWatchMetrics"].as_array().into_iter().flatten() {
            for names in directive["Dimensions"].as_array().unwrap() {
                let names = names.as_array().unwrap().iter().map(text);
                let dimensions: Vec<(String, Value)> =
                    names.map(|it| (it.clone(), line[&it].clone())).collect();
                for metric in directive["Metrics"].as_array().unwrap() {
                    let value = &line[text(&metric["Name"])];
                    let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
                    measured.push(Measured {
                        namespace: directive["Namespace"].clone(),
                        name: metric["Name"].clone(),
                        dimensions: dimensions.clone(),
                        values,
                        unit: metric.get("Unit").cloned().unwrap_or(json!("None")),
                    });
                }
            }
        }
    }
    measured
}

/// Test adapter: CloudWatch makes metrics of the Embedded Metric lines in the function's log;
/// ministack does not, so they are put here. What the lines hold is the function's own.
fn adapter(world: &World) {
    let measured = measured(world);
    assert!(!measured.is_empty(), "the function logged no metric\n{}", world.log(PREFIX));
    for it in measured {
        let dimension = |(name, value): &(String, Value)| json!({ "Name": name, "Value": value });
        let datum = json!({
            "MetricName": it.name,
            "Dimensions": it.dimensions.iter().map(dimension).collect::<Vec<_>>(),
            "Values": it.values,
            "Unit": it.unit,
        });
        let wanted = json!({ "Namespace": it.namespace, "MetricData": [datum] });
        world.admin.call("cloudwatch", "put_metric_data", wanted);
    }
}

/// How many fixes the metrics say were made.
pub fn corrected(world: &World) -> f64 {
    let is_corrected = |it: &Measured| {
        it.name == Metric::Actions.name()
            && it.dimensions.iter().any(|(_, value)| value == "corrected")
    };
    let values = measured(world).into_iter().filter(is_corrected).flat_map(|it| it.values);
    values.map(|it| it.as_f64().unwrap()).sum()
}
