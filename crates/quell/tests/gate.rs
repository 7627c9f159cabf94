//! The gate: its command line, and its verdicts beside those of others on real plans.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use jiff::Timestamp;
use quell::config::Config;
use quell::gate::inputs::{self, Context};
use quell::gate::judge::{Entry, Judge, Verdict};
use quell::runtime::library;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use testkit::{Quell, Ran};

fn rows(set: &str) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora/iac");
    let path = folder.join(format!("{set}.jsonl"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!("the corpus `{}` is needed for this test: {error}", path.display())
    });
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

/// The addresses that violate a policy.
fn violating(entries: &[Entry], policy: &str) -> BTreeSet<String> {
    let found = entries.iter().filter(|it| it.policy == policy && it.verdict == Verdict::Violation);
    found.map(|it| it.address.clone()).collect()
}

const ADMIN_PORT: &str = "aws.ec2.admin_port_open";

/// Checks of checkov that a policy of ours covers, and the configuration under which it asks for
/// the same.
const CHECKS: [(&str, &str, &str); 3] = [
    (
        "CKV_AWS_25",
        ADMIN_PORT,
        "policies: { params: { aws.ec2.admin_port_open: { ports: [3389] } } }",
    ),
    (
        "CKV_AWS_260",
        ADMIN_PORT,
        "policies: { params: { aws.ec2.admin_port_open: { ports: [80] } } }",
    ),
    ("CKV_AWS_274", "aws.iam.admin_policy_attached", ""),
];

/// Where we differ, and who is right: check, address, why. Nowhere at the moment.
const EXPLAINED: &[(&str, &str, &str)] = &[];

/// Per address: what checkov says, and what we say.
#[test]
fn verdicts_agree_with_checkov() {
    let (mut labels, mut agreed, mut differing) = (0, 0, Vec::new());
    let mut checks = BTreeSet::new();
    for row in rows("checkov_tf_aws_plans") {
        let check = row["check"].as_str().unwrap();
        let Some((_, policy, config)) = CHECKS.iter().find(|it| it.0 == check) else { continue };
        checks.insert(check.to_owned());
        let found = violating(&judged(&row["plan"], config), policy);
        let changes = row["plan"]["resource_changes"].as_array().unwrap();
        let planned: BTreeSet<&str> =
            changes.iter().map(|it| it["address"].as_str().unwrap()).collect();
        for (key, violates) in [("expected_pass", false), ("expected_violations", true)] {
            for address in row[key].as_array().unwrap().iter().map(|it| it.as_str().unwrap()) {
                if !planned.contains(address) {
                    continue;
                }
                labels += 1;
                if found.contains(address) == violates {
                    agreed += 1;
                } else {
                    differing.push(format!("{check} {address}: checkov says {violates}"));
                }
            }
        }
    }
    println!(
        "{agreed} of {labels} labels agree; {} differ:\n{}",
        differing.len(),
        differing.join("\n")
    );
    assert_eq!(checks.len(), CHECKS.len(), "{checks:?}");
    assert!(15 <= labels, "{labels} labels");
    let is_explained = |it: &&String| {
        EXPLAINED.iter().any(|(check, address, _)| it.starts_with(&format!("{check} {address}:")))
    };
    let unexplained: Vec<&String> = differing.iter().filter(|it| !is_explained(it)).collect();
    assert!(unexplained.is_empty(), "{unexplained:?}");
    assert!(labels * 97 <= (agreed + differing.len()) * 100);
}

/// Every plan of other people is judged, and no policy fails on any.
#[test]
fn every_plan_of_others_is_judged() {
    let mut sums: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows("terraform_plans") {
        for it in judged(&row["plan"], "") {
            assert_ne!(it.verdict, Verdict::Error, "{}: {}", row["path"], it.reason);
            assert!(!it.address.is_empty() && !it.address.contains('\0'), "{}", row["path"]);
            assert!(!it.resource.id.contains('\0'), "{}", row["path"]);
            let verdict = serde_json::to_value(&it.verdict).unwrap()["verdict"].clone();
            *sums.entry(format!("{} {verdict}", it.policy)).or_default() += 1;
        }
    }
    println!("{sums:#?}");
    assert!(8 <= sums.len(), "{sums:?}");
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

#[test]
fn exit_codes_and_formats_are_as_documented() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| -> String {
        let path: PathBuf = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let open = write("open.json", &open_bucket("create").to_string());
    let ran = quell(&["gate", &open]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
    let at = format!("--> {open} aws_s3_bucket_public_access_block.open");
    assert!(ran.stdout.contains(&at), "{}", ran.stdout);
    assert!(ran.stdout.contains("unknown: aws.ec2.admin_port_open"), "{}", ran.stdout);
    assert!(ran.stdout.contains("BlockPublicPolicy, RestrictPublicBuckets off"));
    assert_eq!(quell(&["gate", &open, "--fail-on", "critical"]).code, Some(0));
    let unknown = ["gate", &open, "--policies", ADMIN_PORT];
    assert_eq!(quell(&unknown).code, Some(0));
    assert_eq!(quell(&[&unknown[..], &["--unknown", "fail"]].concat()).code, Some(1));
    let ran = quell(&["gate", &open, "--format", "json"]);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["summary"]["resources"], 2);
    assert_eq!(report["summary"]["violations"], 1, "{report:#}");
    assert_eq!(report["entries"][0]["controls"]["security_hub"][0], "S3.8");

    // What stays as it is fails only where that is asked for.
    let mut kept = open_bucket("no-op");
    for it in kept["resource_changes"].as_array_mut().unwrap() {
        it["change"]["actions"] = json!(["no-op"]);
    }
    let kept = write("kept.json", &kept.to_string());
    assert_eq!(quell(&["gate", &kept]).code, Some(0));
    assert_eq!(quell(&["gate", &kept, "--all"]).code, Some(1));

    // A baseline: what was there passes, and what is new does not.
    let known = folder.path().join("known.json").display().to_string();
    assert_eq!(quell(&["gate", &kept, "--all", "--write-baseline", &known]).code, Some(0));
    assert_eq!(quell(&["gate", &open, "--baseline", &known]).code, Some(0));
    let empty = write("empty.json", r#"{ "schema": "quell.baseline/v1", "findings": [] }"#);
    assert_eq!(quell(&["gate", &open, "--baseline", &empty]).code, Some(1));
    assert_eq!(quell(&["gate", &open, "--baseline", &open]).code, Some(2));

    // An exemption of run time holds, until it ends.
    for (expires, code) in [("2999-01-01T00:00:00Z", 0), ("2001-01-01T00:00:00Z", 1)] {
        let exemption = format!(
            "guardrails: {{ exemptions: [{{ id: e, owner: o, reason: r, expires: {expires}, \
             scope: {{ resources: [open] }} }}] }}"
        );
        let config = write("quell.yaml", &exemption);
        let ran = quell(&["gate", &open, "--config", &config]);
        assert_eq!(ran.code, Some(code), "{}{}", ran.stdout, ran.stderr);
        assert_eq!(ran.stdout.contains("exempt by e"), code == 0);
    }
}

#[test]
fn faulty_files_are_told_apart_from_bad_ones() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| -> String {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let plan = serde_json::to_string_pretty(&open_bucket("create")).unwrap();
    let cut = write("cut.json", &plan.as_bytes()[..plan.len() / 2]);
    let large = folder.path().join("large.json");
    fs::File::create(&large).unwrap().set_len(200 * 1024 * 1024).unwrap();
    for (path, said) in [
        (cut.as_str(), "cut.json:"),
        (&write("new.json", b"{\"format_version\":\"2.0\",\"planned_values\":{}}"), "newer than"),
        (&write("plan.out", b"PK\x03\x04\x14"), "terraform show -json"),
        (&write("state.json", b"{\"format_version\":\"1.0\",\"values\":{}}"), "is a state"),
        (&write("package.json", b"{\"name\":\"x\"}"), "no infrastructure code"),
        (&write("empty.json", b""), "no infrastructure code"),
        (large.to_str().unwrap(), "is larger than"),
        ("no/such/file.json", "cannot read"),
    ] {
        let ran = quell(&["gate", path]);
        assert_eq!(ran.code, Some(2), "{path}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(said), "{path}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{path}");
    }
    let ran = quell(&["gate", folder.path().to_str().unwrap()]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    fs::create_dir(folder.path().join("plans")).unwrap();
    write("plans/a.json", plan.as_bytes());
    write("plans/package.json", b"{}");
    let plans = folder.path().join("plans");
    let ran = quell(&["gate", plans.to_str().unwrap(), "--format", "json"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
}

/// What a policy reads must be declared, where it says so.
#[test]
fn a_policy_may_take_no_default() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("acme/s3/block");
    fs::create_dir_all(&policy).unwrap();
    fs::write(
        policy.join("policy.yaml"),
        "id: acme.s3.block\ntitle: t\ndescription: d\nseverity: high\nresource: AWS::S3::Bucket\n\
         reads: [PublicAccessBlockConfiguration]\nrequire_explicit: true\n\
         trigger: { source: [aws.s3] }\n",
    )
    .unwrap();
    let rego = "package quell.acme.s3.block\n\n\
                deny contains {\"element\": \"x\", \"reason\": \"x\"} if false\n";
    fs::write(policy.join("policy.rego"), rego).unwrap();
    let mut plan = open_bucket("create");
    let changes = plan["resource_changes"].as_array_mut().unwrap();
    let declared = changes.clone();
    changes.retain(|it| it["type"] == "aws_s3_bucket");
    let path = folder.path().join("plan.json");
    let gate = |plan: &Value| {
        fs::write(&path, plan.to_string()).unwrap();
        let policies = folder.path().join("acme");
        let (policies, path) = (policies.to_str().unwrap(), path.to_str().unwrap());
        let ids = ["--policies", policies, "--policies", "acme.s3.block"];
        quell(&[&["gate", path][..], &ids].concat())
    };
    let ran = gate(&plan);
    assert_eq!(ran.code, Some(1), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("is not declared"), "{}", ran.stdout);
    plan["resource_changes"] = json!(declared);
    assert_eq!(gate(&plan).code, Some(0));
}
