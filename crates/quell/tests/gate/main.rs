//! The gate: its command line, each language, each format, and its verdicts beside those of others.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod verdicts;
mod corpora;
mod languages;
mod outcome;
mod excuses;
mod formats;
mod faulty;
mod bad_input;
mod rego;
mod own;
mod fixes;
mod ci;
mod handoff;

use jiff::Timestamp;
use quell::config::Config;
use quell::gate::inputs::{self, Context};
use quell::gate::judge::Judge;
use quell::runtime::library;
use quell_core::report::Entry;
use serde_json::{Value, json};
use std::fs;
use tempfile::TempDir;
use testkit::{Quell, Ran};

const ADMIN_PORT: &str = "aws.ec2.admin_port_open";
const BLOCK: &str = "aws.s3.bucket_public_block";

/// The source of an open bucket.
const OPEN_TF: &str = r#"resource "aws_s3_bucket" "open" {
  bucket = "open"
}

resource "aws_s3_bucket_public_access_block" "open" {
  bucket                  = aws_s3_bucket.open.id
  block_public_acls       = true
  ignore_public_acls      = true
  block_public_policy     = false
  restrict_public_buckets = false
}
"#;

/// The template of an open bucket.
const OPEN_YAML: &str = "Resources:
  Open:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: open
      PublicAccessBlockConfiguration:
        BlockPublicAcls: true
        IgnorePublicAcls: true
        BlockPublicPolicy: false
        RestrictPublicBuckets: false
";

/// The same as JSON.
fn open_json() -> Value {
    json!({ "Resources": { "Open": { "Type": "AWS::S3::Bucket", "Properties": {
        "BucketName": "open", "PublicAccessBlockConfiguration": { "BlockPublicAcls": true,
            "IgnorePublicAcls": true, "BlockPublicPolicy": false,
            "RestrictPublicBuckets": false } } } } })
}

/// A folder for one test.
struct Folder(TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    /// Writes a file; its path.
    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path.display().to_string()
    }
}

/// The JSON report of a run.
fn report(arguments: &[&str]) -> Value {
    let ran = quell(&[&["gate", "--format", "json"], arguments].concat());
    serde_json::from_str(&ran.stdout).unwrap_or_else(|it| panic!("{it}: {}", ran.stderr))
}

fn rows(set: &str) -> Vec<Value> {
    let text = testkit::corpus(&format!("iac/{set}.jsonl")).unwrap();
    text.lines().map(|it| serde_json::from_str(it).unwrap()).collect()
}

fn quell(arguments: &[&str]) -> Ran {
    Quell::new(env!("CARGO_BIN_EXE_quell")).run(arguments).unwrap()
}

/// Judges one plan, under a configuration.
fn judged(plan: &Value, config: &str) -> Vec<Entry> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.json");
    fs::write(&path, plan.to_string()).unwrap();
    let mut config = Config::parse(config).unwrap();
    // A judgment may take long where the machine is busy.
    config.policies.policy_time_max_ms = 60_000;
    let library = library(&config).unwrap();
    let inputs = inputs::load(&[path.display().to_string()], &Context::default()).unwrap();
    let (trust, guardrails) = (config.trust(), &config.guardrails);
    let judge =
        Judge { library: &library, trust: &trust, guardrails, all: true, now: Timestamp::now() };
    judge.judge(&inputs).entries
}

/// A plan that opens a bucket, and one value that is not known.
fn open_bucket(action: &str) -> Value {
    let change = |address: &str, action: &str, after: Value, unknown: Value| {
        let kind = address.split('.').next().unwrap();
        json!({ "address": address, "mode": "managed", "type": kind, "change": {
            "actions": [action], "before": null, "after": after, "after_unknown": unknown } })
    };
    json!({ "format_version": "1.2", "planned_values": {}, "resource_changes": [
        change("aws_s3_bucket.open", "create", json!({ "bucket": "open" }), json!({ "arn": true })),
        change("aws_s3_bucket_public_access_block.open", "create",
            json!({ "bucket": "open", "block_public_acls": true, "ignore_public_acls": true,
                "block_public_policy": false, "restrict_public_buckets": false }), json!({})),
        change("aws_security_group.web", action, json!({ "name": "web", "ingress": [
            { "from_port": 22, "to_port": 22, "protocol": "tcp" }] }),
            json!({ "ingress": [{ "cidr_blocks": true }] })),
    ] })
}
