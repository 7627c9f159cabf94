//! The CloudFormation templates, as a stranger makes stacks of them.
//!
//! ministack leaves pseudo parameters alone in `Conditions`, so the region is written there
//! ([`with_region`]); it makes buckets without Object Lock, which our rules on the template demand.

use crate::e2e::{MINISTACK_ACCOUNT, text};
use crate::world::{ALERTS, EXTERNAL_ID, PREFIX, World};
use crate::{heal, rules, watch};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;

/// Where the zip and the templates are put for CloudFormation.
const ARTIFACTS: &str = "e2e-artifacts";

/// Both stacks, heal, look at everything, delete.
pub fn deploy_heal_and_leave_nothing(zip: &str) {
    let world = World::new();
    world.admin.call("s3", "create_bucket", json!({ "Bucket": ARTIFACTS }));
    let body = json!({ "file": zip });
    let zip = json!({ "Bucket": ARTIFACTS, "Key": "quell-lambda.zip", "Body": body });
    world.admin.call("s3", "put_object", zip);
    let outputs = create(
        &world,
        "hub",
        &template("hub"),
        &[
            ("Accounts", MINISTACK_ACCOUNT),
            ("ExternalId", EXTERNAL_ID),
            ("Mode", "enforce"),
            ("CodeBucket", ARTIFACTS),
            ("CodeKey", "quell-lambda.zip"),
            ("CheckpointLockMode", "GOVERNANCE"),
            ("DeletionProtection", "false"),
            ("AlertQueueArn", &format!("arn:aws:sqs:us-east-1:{MINISTACK_ACCOUNT}:{ALERTS}")),
            ("EndpointUrl", &world.ministack.endpoint()),
        ],
    );
    create(
        &world,
        "spoke",
        &with_region(&template("spoke")),
        &[
            ("BusArn", &outputs["BusArn"]),
            ("FunctionRoleArn", &outputs["FunctionRoleArn"]),
            ("ExternalId", EXTERNAL_ID),
        ],
    );
    world.allow_list_tags();
    rules::match_what_they_must(&world);
    heal::everything(&world);
    watch::ledger_verifies(&world);
    watch::checkpoint_is_put(&world);
    watch::alarm_arrives(&world);
    world.forbid_list_tags();
    empty_checkpoints(&world);
    for stack in ["spoke", "hub"] {
        world.admin.call("cloudformation", "delete_stack", json!({ "StackName": name(stack) }));
        world.wait("the stack is deleted", || {
            let wanted = json!({ "StackName": name(stack) });
            let found = world.admin.try_call(None, "cloudformation", "describe_stacks", wanted);
            found.map_or(true, |it| it["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE")
        });
    }
    assert_eq!(world.left_behind(), Vec::<String>::new());
    println!("cloudformation: created, healed, audited, alarmed, deleted");
}

/// A template as the repository has it.
fn template(name: &str) -> String {
    let file = format!("deploy/cloudformation/{name}.yaml");
    fs::read_to_string(testkit::repository().unwrap().join(file)).unwrap()
}

/// The template with the region in its conditions.
fn with_region(template: &str) -> String {
    let (start, end) = template.split_once("\nResources:").unwrap();
    let start = start.replace("!Ref AWS::Region", "us-east-1");
    format!("{start}\nResources:{end}")
}

fn name(stack: &str) -> String {
    format!("{PREFIX}-{stack}")
}

/// Makes a stack; its outputs.
fn create(
    world: &World,
    stack: &str,
    template: &str,
    parameters: &[(&str, &str)],
) -> BTreeMap<String, String> {
    let parameters: Vec<Value> = parameters
        .iter()
        .map(|(name, value)| json!({ "ParameterKey": name, "ParameterValue": value }))
        .collect();
    let wanted = json!({
        "StackName": name(stack),
        "TemplateBody": template,
        "Parameters": parameters,
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
    });
    world.admin.call("cloudformation", "create_stack", wanted);
    let mut outputs = BTreeMap::new();
    world.wait("the stack is made", || {
        let wanted = json!({ "StackName": name(stack) });
        let found = world.admin.call("cloudformation", "describe_stacks", wanted.clone());
        let found = &found["Stacks"][0];
        let status = text(&found["StackStatus"]);
        if status.contains("FAILED") || status.contains("ROLLBACK") {
            let events = world.admin.call("cloudformation", "describe_stack_events", wanted);
            panic!("{status}: {events:#}");
        }
        for it in found["Outputs"].as_array().into_iter().flatten() {
            outputs.insert(text(&it["OutputKey"]), text(&it["OutputValue"]));
        }
        status == "CREATE_COMPLETE"
    });
    outputs
}

/// CloudFormation deletes no bucket that holds something; an administrator passes the retention.
fn empty_checkpoints(world: &World) {
    let bucket = format!("{PREFIX}-checkpoints-{MINISTACK_ACCOUNT}-us-east-1");
    world.admin.call("s3", "delete_bucket_policy", json!({ "Bucket": bucket }));
    let found = world.admin.call("s3", "list_object_versions", json!({ "Bucket": bucket }));
    for it in found["Versions"].as_array().into_iter().flatten() {
        let wanted = json!({
            "Bucket": bucket,
            "Key": it["Key"],
            "VersionId": it["VersionId"],
            "BypassGovernanceRetention": true,
        });
        world.admin.call("s3", "delete_object", wanted);
    }
}
