//! Real cases that nobody here wrote, through the command line that other tools rely on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use quell_core::facts::iam_policy::{Allow, analyze_text};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use testkit::Quell;

fn corpus(set: &str) -> PathBuf {
    let path = testkit::corpus_path(&format!("{set}.jsonl")).unwrap();
    assert!(path.is_file(), "the corpus `{path}` is needed by this test");
    path.into_std_path_buf()
}

fn rows(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    let rows: Vec<Value> = text.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert!(!rows.is_empty(), "`{}` is empty", path.display());
    rows
}

/// What `quell` prints, line by line.
fn quell(arguments: &[&str]) -> Vec<Value> {
    let output = Quell::new(env!("CARGO_BIN_EXE_quell")).command(arguments).output().unwrap();
    let (stdout, stderr) = (output.stdout, String::from_utf8_lossy(&output.stderr).into_owned());
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    let stdout = String::from_utf8(stdout).unwrap();
    stdout.lines().map(|it| serde_json::from_str(it).unwrap()).collect()
}

/// Judges a set as it is, and compares each row's result with what is expected of it.
fn check_patterns(set: &str, options: &[&str]) {
    let path = corpus(&format!("eventpattern/{set}"));
    let cases = path.to_str().unwrap();
    let arguments = ["pattern", "test", "--cases", cases, "--format", "json"];
    let answers = quell(&[&arguments, options].concat());
    let rows = rows(&path);
    assert_eq!(answers.len(), rows.len());
    let mut wrong = Vec::new();
    for (row, answer) in rows.iter().zip(&answers) {
        assert_eq!(row["name"], answer["name"], "the order is that of the rows");
        if row["expect"] != answer["result"] {
            wrong.push(format!("{} expected {}: {answer}", row["name"], row["expect"]));
        }
    }
    assert!(wrong.is_empty(), "{set}: {}", wrong.join("\n"));
}

/// A: the verdicts of AWS. The two checks of the service are options.
#[test]
fn patterns_as_aws_judges_them() {
    let service = ["--reject-complex-wildcards", "--require-event-fields"];
    check_patterns("localstack_aws_validated", &service);
}

/// B and D: the language alone is the default.
#[test]
fn patterns_as_the_engine_judges_them() {
    for set in [
        "event_ruler_tests",
        "event_ruler_validity",
        "event_ruler_correctness_cases",
        "moto_cases",
        "derived_pairs",
        "real_patterns_x_events",
    ] {
        check_patterns(set, &[]);
    }
}

/// The rows of an IAM set as cases, with who is inside.
fn iam_cases(set: &str, allow: impl Fn(&Value) -> Option<Value>) -> (Vec<Value>, Vec<Value>) {
    let mut cases = Vec::new();
    for row in rows(&corpus(&format!("iam/{set}"))) {
        let Some(allow) = allow(&row) else { continue };
        let text = match &row["policy"] {
            Value::String(text) => text.clone(),
            document => document.to_string(),
        };
        cases.push((json!({ "name": row["case"], "policy": text, "allow": allow }), row));
    }
    cases.into_iter().unzip()
}

fn analyze(cases: &[Value]) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cases.jsonl");
    let text: String = cases.iter().map(|it| format!("{it}\n")).collect();
    fs::write(&path, text).unwrap();
    let answers = quell(&["iam", "analyze", "--cases", path.to_str().unwrap(), "--format", "json"]);
    assert_eq!(answers.len(), cases.len());
    for (case, answer) in cases.iter().zip(&answers) {
        assert_eq!(case["name"], answer["name"], "the order is that of the rows");
        // Each row is what core says of it; core's own tests explain where it differs from labels.
        let mut lists = case["allow"].clone();
        lists.as_object_mut().unwrap().retain(|_, list| !list.is_null());
        let allow: Allow = serde_json::from_value(lists).unwrap();
        let analysis = analyze_text(case["policy"].as_str().unwrap(), None, &allow);
        let mut expected = serde_json::to_value(analysis).unwrap();
        expected["name"] = case["name"].clone();
        assert_eq!(expected, *answer);
    }
    answers
}

#[test]
fn cross_account_as_custodian_judges_it() {
    let (cases, rows) = iam_cases("c7n_cross_account", |row| {
        let config = &row["allow_config"];
        let off = |key: &str| {
            let value = &config[key];
            value != true && value.as_array().is_none_or(Vec::is_empty)
        };
        let conditions = &config["whitelist_conditions"];
        let plain = conditions.is_null() || *conditions == json!(["aws:userid", "aws:username"]);
        let expressible =
            plain && ["check_actions", "everyone_only", "return_allowed"].into_iter().all(off);
        let list = |key: &str| config[key].as_array().cloned();
        expressible.then(|| {
            json!({
                "accounts": list("allowed_accounts"),
                "org_ids": list("allowed_orgid"),
                "org_paths": list("allowed_org_units"),
                "vpcs": list("allowed_vpc"),
                "vpc_endpoints": list("allowed_vpce"),
                "principals": list("whitelist_patterns"),
            })
        })
    });
    let mut differs = Vec::new();
    for (row, answer) in rows.iter().zip(analyze(&cases)) {
        let violates = answer["public"] == true || answer["cross_account"] == true;
        if row["cross_account_or_public_violation"] != violates {
            let name = row["case"].as_str().unwrap();
            differs.push(name.rsplit('/').next().unwrap().to_owned());
        }
    }
    assert!(40 <= cases.len(), "only {} rows can be expressed", cases.len());
    assert_eq!(
        differs,
        [
            "test_resource_org_id_with_wildcard_principal#53",
            "test_unknown_condition_with_org_id#121"
        ],
        "explained from AWS' documentation in core's tests"
    );
}

#[test]
fn documented_policies_and_malformed_ones() {
    let everything = |_: &Value| Some(json!({}));
    let (cases, rows) = iam_cases("aws_docs_policies_labelled", everything);
    for (row, answer) in rows.iter().zip(analyze(&cases)) {
        let narrowed = row["policy"].to_string().contains("s3:DataAccessPoint");
        if row["public"].is_boolean() && !narrowed {
            assert_eq!(row["public"], answer["public"], "{}", row["policy"]);
        }
        if row["full_admin"].is_boolean() {
            assert_eq!(row["full_admin"], answer["admin"], "{}", row["policy"]);
        }
    }
    let (cases, rows) = iam_cases("parliament", everything);
    for (row, answer) in rows.iter().zip(analyze(&cases)) {
        let findings = row["finding_ids"].to_string();
        if findings.contains("MALFORMED") || findings == "[]" {
            assert_eq!(answer["valid"], findings == "[]", "{row}");
        }
    }
}
