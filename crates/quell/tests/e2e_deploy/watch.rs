//! Ledger, checkpoints, alarms: what remains of a heal, and who is told.

use crate::e2e::text;
use crate::world::{ALERTS, PREFIX, World};
use quell::telemetry::metric::Metric;
use serde_json::{Value, json};
use std::fs;
use testkit::Ran;

/// The alarm that every run raises: violations of critical severity were made.
const ALARM: &str = "critical-violation";

/// The ledger verifies, from the outside.
pub fn ledger_verifies(world: &World) {
    world.quell(&["audit", "verify"]);
}

/// The function tries its own path. What ministack refuses is told as a heartbeat that could not be
/// written, and no reason to fail.
pub fn heartbeat_is_tried(world: &World) {
    let before = world.ministack.refusals().len();
    world.tick(PREFIX, "heartbeat");
    let refusals = world.ministack.refusals();
    let refused = refusals[before..].iter().any(|it| it.contains("events:TagResource"));
    assert!(refused, "{refusals:#?}\n{}", world.log(PREFIX));
    let facts = world.facts();
    let mut steps = facts.iter().filter(|it| it["fact"] == "heartbeat").map(|it| &it["step"]);
    assert!(steps.any(|it| it["beat"] == "failed"), "{}", world.log(PREFIX));
}

/// The checkpoint function signs the heads and puts them where the deployed configuration says. As
/// the guide does it, `audit verify` takes that configuration and the key's public half; by another
/// key the same checkpoint does not hold.
pub fn checkpoint_verifies(world: &World) {
    let function = format!("{PREFIX}-checkpoint");
    let before = world.ministack.refusals().len();
    world.tick(&function, "checkpoint");
    let refusals = world.ministack.refusals().split_off(before);
    assert!(refusals.is_empty(), "calls outside the role: {refusals:#?}");
    let config = world.configuration();
    let (_, signer) = config.split_once("kms://").unwrap();
    let signer = signer.split(|it: char| it == '"' || it.is_whitespace()).next().unwrap();
    let ran = verified(world, &config, signer);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    let told = " checkpoints and anchors compared (signatures checked)";
    let compared = ran.stdout.lines().find_map(|it| it.strip_suffix(told));
    let compared: usize = compared.unwrap_or_else(|| panic!("{}", ran.stdout)).parse().unwrap();
    assert!(0 < compared, "{}\n{}", ran.stdout, world.log(&function));
    let wanted = json!({ "KeyUsage": "SIGN_VERIFY", "KeySpec": "ECC_NIST_P256" });
    let other = world.admin.call("kms", "create_key", wanted);
    let ran = verified(world, &config, &text(&other["KeyMetadata"]["KeyId"]));
    assert_eq!(ran.code, Some(1), "{}\n{}", ran.stdout, ran.stderr);
}

/// `audit verify` by a configuration and the public half of a key in KMS.
fn verified(world: &World, config: &str, key: &str) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let [configured, public] =
        ["quell.yaml", "checkpoints.pem"].map(|it| folder.path().join(it).display().to_string());
    fs::write(&configured, config).unwrap();
    fs::write(&public, world.public_key(key)).unwrap();
    world.run_quell(&["--config", &configured, "audit", "verify", "--public-key", &public])
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
