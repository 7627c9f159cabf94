//! The CloudFormation templates, as a stranger makes stacks of them.
//!
//! ministack leaves pseudo parameters alone in `Conditions`, so the region is written there
//! ([`with_region`]); it hands the queue's concurrency on as text, which its own poller cannot
//! compare, so the number is written there ([`hub_template`]); it makes buckets without Object
//! Lock, which our rules on the template demand and the test puts on, and takes the text `false`
//! for a protected table.

use crate::e2e::{MINISTACK_ACCOUNT, text};
use crate::life::{self, Settings, Tool};
use crate::statements;
use crate::world::{ALERTS, EXTERNAL_ID, PREFIX, UNDOER, World, checkpoints, role_arn};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;

/// Where the zip and the templates are put for CloudFormation.
const ARTIFACTS: &str = "e2e-artifacts";

/// What the deletion of the stacks leaves, since it is evidence or what evidence is encrypted with.
const KEPT: [&str; 5] = [
    "dynamodb: quell-ledger",
    "dynamodb: quell-state",
    "kms: Quell: queues, tables, logs, topic, checkpoints",
    "kms: Quell: signs checkpoints",
    "s3: quell-checkpoints-000000000000-us-east-1",
];

/// What stands behind the roles in an account's settings.
const EXTERNAL_ID_LINE: &str = "\n      external_id:";

/// Makes both stacks; the deployment works, could not do with less, and both are deleted.
pub fn deploy_heal_and_leave_nothing(zip: &str) {
    let world = World::new("CloudFormation");
    world.admin.call("s3", "create_bucket", json!({ "Bucket": ARTIFACTS }));
    let body = json!({ "file": zip });
    let zip = json!({ "Bucket": ARTIFACTS, "Key": "quell-lambda.zip", "Body": body });
    world.admin.call("s3", "put_object", zip);
    let mut stacks = Stacks::new(&world);
    let healed = life::works(&world, &mut stacks);
    statements::each_is_needed(&world, &healed);
    world.tell("could not do with less");
    life::ends(&world, &mut stacks);
    world.tell("left nothing");
}

/// Parameters of a stack.
type Parameters = BTreeMap<&'static str, String>;

/// Both stacks, made.
struct Stacks {
    hub: Parameters,
    /// As the template writes it, with the undo role.
    configuration: String,
}

impl Stacks {
    fn new(world: &World) -> Stacks {
        let alerts = format!("arn:aws:sqs:us-east-1:{MINISTACK_ACCOUNT}:{ALERTS}");
        let hub = BTreeMap::from([
            ("Accounts", MINISTACK_ACCOUNT.to_owned()),
            ("ExternalId", EXTERNAL_ID.to_owned()),
            ("Mode", "enforce".to_owned()),
            ("CodeBucket", ARTIFACTS.to_owned()),
            ("CodeKey", "quell-lambda.zip".to_owned()),
            ("CheckpointLockMode", "GOVERNANCE".to_owned()),
            ("DeletionProtection", "false".to_owned()),
            ("AlertQueueArn", alerts),
            ("EndpointUrl", world.ministack.endpoint()),
        ]);
        let outputs = put(world, "create_stack", "hub", &hub_template(), &hub);
        let spoke = BTreeMap::from([
            ("BusArn", outputs["BusArn"].clone()),
            ("FunctionRoleArn", outputs["FunctionRoleArn"].clone()),
            ("ExternalId", EXTERNAL_ID.to_owned()),
            ("UndoPrincipal", role_arn(UNDOER)),
        ]);
        put(world, "create_stack", "spoke", &with_region(&template("spoke")), &spoke);
        let lock = json!({ "ObjectLockEnabled": "Enabled" });
        let wanted = json!({ "Bucket": checkpoints(), "ObjectLockConfiguration": lock });
        world.admin.call("s3", "put_object_lock_configuration", wanted);
        Stacks { hub, configuration: with_undo_role(&world.configuration()) }
    }
}

impl Tool for Stacks {
    /// As the guide says: the whole configuration as a parameter, with a version of it.
    fn set_guardrails(&mut self, world: &World, settings: &Settings) {
        let (start, end) = self.configuration.split_once("\nguardrails:\n").unwrap();
        let lines: String = settings.iter().map(|(name, it)| format!("  {name}: {it}\n")).collect();
        self.hub.insert("Configuration", format!("{start}\nguardrails:\n{lines}{end}"));
        self.hub.insert("ConfigurationVersion", format!("{settings:?}"));
        put(world, "update_stack", "hub", &hub_template(), &self.hub);
    }

    fn drift(&self, world: &World) -> Vec<String> {
        let mut drift = Vec::new();
        for stack in ["hub", "spoke"] {
            let wanted = json!({ "StackName": name(stack) });
            let begun = world.admin.call("cloudformation", "detect_stack_drift", wanted.clone());
            let detection = json!({ "StackDriftDetectionId": begun["StackDriftDetectionId"] });
            world.wait("the stack is compared", || {
                let call = "describe_stack_drift_detection_status";
                let found = world.admin.call("cloudformation", call, detection.clone());
                found["DetectionStatus"] == "DETECTION_COMPLETE"
            });
            let found =
                world.admin.call("cloudformation", "describe_stack_resource_drifts", wanted);
            let compared = found["StackResourceDrifts"].as_array().unwrap();
            assert!(!compared.is_empty(), "nothing of {stack} was compared");
            let drifted = compared.iter().filter(|it| it["StackResourceDriftStatus"] != "IN_SYNC");
            drift.extend(drifted.map(Value::to_string));
        }
        drift
    }

    /// Deletes the stacks, and then what they keep.
    fn remove(&mut self, world: &World) {
        for stack in ["spoke", "hub"] {
            let wanted = json!({ "StackName": name(stack) });
            world.admin.call("cloudformation", "delete_stack", wanted.clone());
            world.wait("the stack is deleted", || {
                let call = "describe_stacks";
                let found = world.admin.try_call(None, "cloudformation", call, wanted.clone());
                found.map_or(true, |it| it["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE")
            });
        }
        let mut kept = world.left_behind();
        kept.sort();
        assert_eq!(kept, KEPT);
        delete_checkpoints(world);
        for table in ["ledger", "state"].map(name) {
            let wanted = json!({ "TableName": table, "DeletionProtectionEnabled": false });
            world.admin.call("dynamodb", "update_table", wanted);
            world.admin.call("dynamodb", "delete_table", json!({ "TableName": table }));
        }
        for (key, _) in world.keys() {
            world.admin.call("kms", "schedule_key_deletion", json!({ "KeyId": key }));
        }
    }
}

/// A template as the repository has it.
fn template(name: &str) -> String {
    let file = format!("deploy/cloudformation/{name}.yaml");
    fs::read_to_string(testkit::repository().unwrap().join(file)).unwrap()
}

/// The hub's. What is delivered again comes back sooner than after twelve minutes.
fn hub_template() -> String {
    let changes = [
        ("VisibilityTimeout: 720\n", "VisibilityTimeout: 180\n"),
        ("MaximumConcurrency: !Ref QueueConcurrency ", "MaximumConcurrency: 9 "),
    ];
    changes.iter().fold(template("hub"), |template, (from, to)| {
        assert!(template.contains(from), "{from}");
        template.replace(from, to)
    })
}

/// The template with the region in its conditions.
fn with_region(template: &str) -> String {
    let (start, end) = template.split_once("\nResources:").unwrap();
    let start = start.replace("!Ref AWS::Region", "us-east-1");
    format!("{start}\nResources:{end}")
}

/// The configuration of an account in which people may undo, as the guide says it.
fn with_undo_role(configuration: &str) -> String {
    let (start, end) = configuration.split_once(EXTERNAL_ID_LINE).unwrap();
    let role = role_arn(&name("undo"));
    format!("{start}\n      undo_role: {role}{EXTERNAL_ID_LINE}{end}")
}

fn name(part: &str) -> String {
    format!("{PREFIX}-{part}")
}

/// Makes or updates a stack; its outputs.
fn put(
    world: &World,
    call: &str,
    stack: &str,
    template: &str,
    parameters: &Parameters,
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
    world.admin.call("cloudformation", call, wanted);
    let mut outputs = BTreeMap::new();
    world.wait("the stack is as wanted", || {
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
        status == "CREATE_COMPLETE" || status == "UPDATE_COMPLETE"
    });
    outputs
}

/// An administrator passes the retention.
fn delete_checkpoints(world: &World) {
    let bucket = checkpoints();
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
    world.admin.call("s3", "delete_bucket", json!({ "Bucket": bucket }));
}
