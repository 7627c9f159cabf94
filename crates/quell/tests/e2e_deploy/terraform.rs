//! `examples/single-account`, as a stranger applies it.

use crate::e2e::MINISTACK_ACCOUNT;
use crate::life::{self, Settings, Tool};
use crate::storm;
use crate::world::{ALERTS, EXTERNAL_ID, UNDOER, World, role_arn};
use camino::{Utf8Path, Utf8PathBuf};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};
use testkit::Terraform;

/// What ministack reads back incompletely, so that a second plan would change it again: alarms
/// (without actions and dimensions) and bus policies (it ignores `Policy` of PutPermission).
const QUIRKS: [&str; 2] = ["aws_cloudwatch_metric_alarm", "aws_cloudwatch_event_bus_policy"];

/// Poison would otherwise come back after twelve minutes, five times.
const OVERRIDE: &str = "module \"hub\" {\n  function_timeout_s = 30\n  receives_max       = 2\n}\n";

/// Applies; the deployment works, stands a big storm, and is destroyed.
pub fn deploys_heals_and_leaves_nothing(zip: &str) {
    let world = World::new("Terraform");
    let mut example = Example::new(zip, &world.ministack.endpoint());
    example.run(&["init", "-input=false"]);
    example.apply();
    life::works(&world, &mut example);
    storm::passes(&world);
    world.tell("stood a storm of a thousand");
    life::ends(&world, &mut example);
    world.tell("left nothing");
}

struct Example {
    terraform: Terraform,
    endpoint: String,
    variables: Value,
    // Removed last.
    folder: tempfile::TempDir,
}

impl Example {
    fn new(zip: &str, endpoint: &str) -> Example {
        let folder = tempfile::tempdir().unwrap();
        let ours = testkit::repository().unwrap().join("deploy/terraform/aws/.");
        let copied = Command::new("cp").args(["-r", ours.as_str()]).arg(folder.path()).status();
        assert!(copied.unwrap().success());
        fs::write(folder.path().join("examples/single-account/override.tf"), OVERRIDE).unwrap();
        let variables = json!({
            "function_zip": zip,
            "external_id": EXTERNAL_ID,
            "endpoint_url": endpoint,
            "mode": "enforce",
            "lock_mode": "GOVERNANCE",
            "deletion_protection": false,
            "undo_principals": [role_arn(UNDOER)],
            "notification_queue_arns":
                [format!("arn:aws:sqs:us-east-1:{MINISTACK_ACCOUNT}:{ALERTS}")],
        });
        let terraform = Terraform::find().unwrap();
        Example { terraform, endpoint: endpoint.to_owned(), variables, folder }
    }

    fn apply(&self) {
        self.run(&["apply", "-input=false", "-auto-approve"]);
    }

    fn folder(&self) -> Utf8PathBuf {
        Utf8Path::from_path(self.folder.path()).unwrap().join("examples/single-account")
    }

    /// Runs Terraform, which must succeed; what it printed.
    fn run(&self, arguments: &[&str]) -> String {
        let mut command = self.terraform.command(&self.folder(), Some(&self.endpoint), arguments);
        for (name, value) in self.variables.as_object().unwrap() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            command.env(format!("TF_VAR_{name}"), value);
        }
        let ran = command.arg("-no-color").stdin(Stdio::null()).output().unwrap();
        let (out, error) =
            (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert!(ran.status.success(), "terraform {arguments:?}\n{out}\n{error}");
        out.into_owned()
    }
}

impl Tool for Example {
    fn set_guardrails(&mut self, _world: &World, settings: &Settings) {
        let parsed = |it: &str| serde_json::from_str::<Value>(it).unwrap();
        let settings: BTreeMap<_, _> =
            settings.iter().map(|(name, it)| (*name, parsed(it))).collect();
        self.variables["guardrails"] = json!(settings);
        self.apply();
    }

    /// What a second plan would change, but for the emulator's quirks.
    fn drift(&self, _world: &World) -> Vec<String> {
        self.run(&["plan", "-input=false", "-out=again.tfplan"]);
        let plan: Value =
            serde_json::from_str(&self.run(&["show", "-json", "again.tfplan"])).unwrap();
        let changes = plan["resource_changes"].as_array().unwrap().iter();
        changes
            .filter(|it| it["change"]["actions"] != json!(["no-op"]))
            .filter(|it| !QUIRKS.iter().any(|quirk| it["type"] == *quirk))
            .map(|it| format!("{} {}", it["address"], it["change"]["actions"]))
            .collect()
    }

    fn remove(&mut self, _world: &World) {
        self.run(&["destroy", "-auto-approve"]);
    }
}
