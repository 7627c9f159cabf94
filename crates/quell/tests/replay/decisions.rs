//! What would have been done: guardrails over the past.

use crate::{log_file, quell, record, replay, stop_logging, text};
use serde_json::{Value, json};
use std::fs;

fn decisions(findings: &[Value]) -> Vec<&str> {
    findings.iter().map(|it| it["decision"].as_str().unwrap()).collect()
}

#[test]
fn the_configured_mode_decides_unless_another_is_assumed() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("1.json.gz");
    fs::write(&archive, log_file(&[stop_logging("a", 1, "main")])).unwrap();
    assert_eq!(decisions(&replay(&[text(&archive)]).findings), ["observe"]);
    let config = folder.path().join("quell.yaml");
    fs::write(&config, "guardrails:\n  modes:\n    default: approve\n").unwrap();
    let configured = replay(&["--config", text(&config), text(&archive)]);
    assert_eq!(decisions(&configured.findings), ["await_approval"]);
    let assumed = replay(&["--assume-mode", "enforce", text(&archive)]);
    assert_eq!(decisions(&assumed.findings), ["remediate"]);
    assert_eq!(assumed.findings[0]["change"]["action"], "cloudtrail.start_logging");
}

/// A change that would have been made counts: the twenty-sixth within ten minutes opens the
/// breaker, which closes after a quarter of an hour.
#[test]
fn a_storm_opens_the_breaker() {
    let folder = tempfile::tempdir().unwrap();
    let storm = (0..30).map(|it| stop_logging(&format!("s{it:02}"), it / 5, &format!("t{it}")));
    let later = stop_logging("z", 60, "later");
    let records: Vec<Value> = storm.chain([later]).collect();
    let archive = folder.path().join("1.json.gz");
    fs::write(&archive, log_file(&records)).unwrap();
    let replayed = replay(&["--assume-mode", "enforce", text(&archive)]);
    let decisions = decisions(&replayed.findings);
    assert_eq!(decisions[..25], ["remediate"; 25]);
    assert_eq!(decisions[25..30], ["withhold"; 5]);
    assert_eq!(decisions[30], "remediate");
    assert_eq!(replayed.summary["by_decision"], json!({ "remediate": 26, "withhold": 5 }));
    let day = &replayed.summary["by_day"]["2026-03-01"];
    assert_eq!(*day, json!({ "remediate": 26, "withhold": 5 }));
}

/// An opened SSH port violates two policies, and one change closes it.
#[test]
fn one_change_serves_two_policies() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("1.json.gz");
    let rule = json!({
        "ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "groups": {},
        "ipRanges": { "items": [{ "cidrIp": "0.0.0.0/0" }] }, "ipv6Ranges": {}, "prefixListIds": {},
    });
    let request =
        json!({ "groupId": "sg-0123456789abcdef0", "ipPermissions": { "items": [rule] } });
    let open = record("ec2", "AuthorizeSecurityGroupIngress", "a", 1, &request);
    fs::write(&archive, log_file(&[open])).unwrap();
    let replayed = replay(&["--assume-mode", "enforce", text(&archive)]);
    assert_eq!(decisions(&replayed.findings), ["remediate", "observe"]);
    assert!(replayed.findings[0]["change"].is_object());
    assert!(replayed.findings[1]["change"].is_null(), "there is nothing left to change");
}

#[test]
fn the_same_event_counts_once_and_order_is_that_of_time() {
    let folder = tempfile::tempdir().unwrap();
    let (early, late) = (stop_logging("b", 1, "x"), stop_logging("a", 2, "x"));
    fs::write(folder.path().join("1.json.gz"), log_file(&[late.clone(), early.clone()])).unwrap();
    fs::write(folder.path().join("2.json.gz"), log_file(&[early, late])).unwrap();
    let replayed = replay(&[text(folder.path())]);
    let ids: Vec<_> = replayed.findings.iter().map(|it| it["event_id"].clone()).collect();
    assert_eq!(ids, ["b", "a"]);
    assert_eq!(replayed.summary["duplicates"], 2);
}

#[test]
fn a_failed_call_is_a_signal_and_no_finding() {
    let folder = tempfile::tempdir().unwrap();
    let mut failed = stop_logging("f", 1, "main");
    failed["errorCode"] = json!("AccessDenied");
    let archive = folder.path().join("1.json.gz");
    fs::write(&archive, log_file(&[failed.clone(), failed])).unwrap();
    let replayed = replay(&[text(&archive)]);
    assert_eq!(replayed.findings, [Value::Null; 0]);
    let failed: Vec<&Value> =
        replayed.summary["failed_calls"].as_object().unwrap().values().collect();
    assert_eq!(failed, [1], "the same event once: {}", replayed.summary);
    assert_eq!(replayed.exit, Some(0));
}

/// What only a read could tell is neither pass nor fail.
#[test]
fn what_the_event_does_not_prove_is_unproven() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("1.json.gz");
    let request = json!({
        "policyArn": format!("arn:aws:iam::{}:policy/unknown-content", crate::ACCOUNT),
        "userName": "alice",
    });
    let attach = record("iam", "AttachUserPolicy", "a", 1, &request);
    fs::write(&archive, log_file(&[attach])).unwrap();
    let replayed = replay(&["--assume-mode", "enforce", text(&archive)]);
    let acted = replayed.findings.iter().any(|it| it["decision"] != "indeterminate");
    assert!(!acted, "{replayed:?}");
    let told = replayed.findings.len()
        + replayed.summary["unproven"].as_object().map_or(0, serde_json::Map::len);
    assert!(0 < told, "{replayed:?}");
}

#[test]
fn csv_has_a_head_and_a_row_per_finding() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("1.json.gz");
    fs::write(&archive, log_file(&[stop_logging("a", 1, "main")])).unwrap();
    let output = quell(&["replay", "--format", "csv", text(&archive)]).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("event_id,event_name,time,"), "{stdout}");
    assert!(lines[1].starts_with("a,StopLogging,2026-03-01T12:01:00Z,"), "{stdout}");
}
