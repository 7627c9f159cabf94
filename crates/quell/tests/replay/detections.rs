//! Attacks and detections that nobody here wrote: Stratus Red Team's CloudTrail, Panther's cases.

use crate::{replay, text};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

fn rows(set: &str) -> Vec<Value> {
    let text = testkit::corpus(&format!("detections/{set}.jsonl")).unwrap();
    text.lines().map(|it| serde_json::from_str(it).unwrap()).collect()
}

/// The findings on some records, by the place of the record. Ids are made unique: anonymized and
/// made-up records share them.
fn findings(records: &[&Value]) -> BTreeMap<usize, BTreeSet<String>> {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("records.jsonl");
    let lines: String = records
        .iter()
        .enumerate()
        .map(|(at, record)| {
            let mut record = (*record).clone();
            record["eventID"] = Value::from(at.to_string());
            format!("{record}\n")
        })
        .collect();
    fs::write(&archive, lines).unwrap();
    let mut found: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for finding in replay(&[text(&archive)]).findings {
        let at: usize = finding["event_id"].as_str().unwrap().parse().unwrap();
        found.entry(at).or_default().insert(finding["policy"].as_str().unwrap().to_owned());
    }
    found
}

/// Stratus' anonymizer wrote this for `0.0.0.0/0`.
const ANONYMIZED_WORLD: &str = "208.236.235.254/0";

fn as_it_happened(event: &Value) -> Value {
    serde_json::from_str(&event.to_string().replace(ANONYMIZED_WORLD, "0.0.0.0/0")).unwrap()
}

/// Techniques that the ten policies cover, and the policies that fire on them.
const COVERED: [(&str, &str); 2] = [
    ("aws.defense-evasion.cloudtrail-event-selectors", "aws.cloudtrail.trail_weakened"),
    ("aws.persistence.iam-create-admin-user", "aws.iam.admin_policy_attached"),
];

#[test]
fn stratus_techniques_fire() {
    let rows = rows("stratus_cloudtrail");
    let events: Vec<Value> = rows.iter().map(|it| as_it_happened(&it["event"])).collect();
    let found = findings(&events.iter().collect::<Vec<_>>());
    let mut fired: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (at, policies) in &found {
        assert!(events[*at]["errorCode"].is_null(), "a failed call: {}", events[*at]);
        let technique = rows[*at]["technique"].as_str().unwrap();
        fired.entry(technique).or_default().extend(policies.iter().map(String::as_str));
    }
    let expected: BTreeMap<&str, BTreeSet<&str>> =
        COVERED.iter().map(|(technique, policy)| (*technique, BTreeSet::from([*policy]))).collect();
    assert_eq!(fired, expected);
}

#[test]
fn no_policy_fires_on_a_failed_call() {
    let (stratus, panther) = (rows("stratus_cloudtrail"), rows("panther_aws_cloudtrail_cases"));
    let failed: Vec<Value> = stratus
        .iter()
        .chain(&panther)
        .filter(|it| it["event"]["eventName"].is_string())
        .map(|it| {
            let mut event = as_it_happened(&it["event"]);
            if event["errorCode"].is_null() {
                event["errorCode"] = Value::from("AccessDenied");
            }
            event
        })
        .collect();
    assert!(200 < failed.len());
    assert_eq!(findings(&failed.iter().collect::<Vec<_>>()), BTreeMap::new());
}

/// Panther's rules that mean what a policy of ours means, judged by one event alone.
const SAME_MEANING: [(&str, &str); 6] = [
    ("AWS.CloudTrail.ResourceMadePublic", "aws.s3.public_policy_statement"),
    ("AWS.CloudTrail.Stopped", "aws.cloudtrail.trail_stopped"),
    ("AWS.IAM.AttachAdminRolePolicy", "aws.iam.admin_policy_attached"),
    ("AWS.IAM.AttachAdminUserPolicy", "aws.iam.admin_policy_attached"),
    ("AWS.S3.DeletePublicAccessBlock", "aws.s3.bucket_public_block"),
    ("AWS.EC2.SecurityGroupModified", "aws.ec2.admin_port_open"),
];

#[test]
fn panther_cases_with_the_same_meaning_agree() {
    let rows = rows("panther_aws_cloudtrail_cases");
    let policy_of: BTreeMap<&str, &str> = SAME_MEANING.into_iter().collect();
    let rows: Vec<&Value> = rows
        .iter()
        .filter(|it| it["mocks"].is_null())
        .filter(|it| policy_of.contains_key(it["rule"].as_str().unwrap()))
        .collect();
    let found = findings(&rows.iter().map(|it| &it["event"]).collect::<Vec<_>>());
    let mut differs = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let policy = policy_of[row["rule"].as_str().unwrap()];
        let fires = found.get(&at).is_some_and(|it| it.contains(policy));
        if row["expect"] != fires {
            differs.push(format!("{} / {}: {fires}", row["rule"], row["case"]));
        }
    }
    println!("{} of {} rows agree", rows.len() - differs.len(), rows.len());
    assert!(8 <= rows.len(), "only {} rows", rows.len());
    assert!(differs.len() * 100 <= rows.len() * 2, "{}", differs.join("\n"));
}
