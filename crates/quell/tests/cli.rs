//! The command line as a whole: its manual is true, and it ends as it should.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::process::Stdio;
use testkit::Quell;

/// Every console block in `tests/cmd` is run.
#[test]
fn manual() {
    trycmd::TestCases::new()
        .case("tests/cmd/*.md")
        // A user's own settings must not change the manual.
        .env("QUELL_CONFIG", "")
        .env("QUELL_DATA_DIR", "")
        .env("NO_COLOR", "1");
}

/// `quell … | head` is no error, and no panic.
#[test]
fn a_closed_pipe_ends_a_command_quietly() {
    let mut command = Quell::new(env!("CARGO_BIN_EXE_quell")).command(&["docs", "cli"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn help_is_fine_and_a_wrong_word_is_usage() {
    let quell = Quell::new(env!("CARGO_BIN_EXE_quell"));
    for arguments in [&["--help"][..], &["--version"], &["policy", "list", "--help"]] {
        assert_eq!(quell.run(arguments).unwrap().code, Some(0), "{arguments:?}");
    }
    for arguments in [&["no-such-command"][..], &["replay"], &["policy", "list", "--format", "x"]] {
        let ran = quell.run(arguments).unwrap();
        assert_eq!(ran.code, Some(2), "{arguments:?}");
        assert!(ran.stderr.starts_with("error:"), "{}", ran.stderr);
    }
}

/// Every command that can be called shows how, by example.
#[test]
fn every_command_has_examples() {
    let quell = quell::cli::command();
    let visible = quell.get_subcommands().filter(|it| !it.is_hide_set());
    for command in visible.chain([&quell]) {
        let help = command.clone().render_long_help().to_string();
        assert!(help.contains("\nExamples:\n"), "`{}` has no examples", command.get_name());
    }
}

/// An archive holds what attackers chose: data keeps it, texts show it.
#[test]
fn data_keeps_its_bytes_and_texts_obey_none() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("events.json");
    let hostile = "e\u{1b}[31m\u{7}\u{202e}";
    let record = serde_json::json!({
        "eventVersion": "1.09", "eventID": hostile, "eventTime": "2026-01-01T00:00:00Z",
        "eventName": "DeleteBucketPublicAccessBlock", "eventSource": "s3.amazonaws.com",
        "awsRegion": "eu-central-1", "eventType": "AwsApiCall",
        "recipientAccountId": "111122223333",
        "userIdentity": { "type": "IAMUser", "accountId": "111122223333",
            "arn": format!("arn:aws:iam::111122223333:user/{hostile}") },
        "requestParameters": { "bucketName": "open" }, "responseElements": null
    });
    std::fs::write(&archive, record.to_string()).unwrap();
    let quell = Quell::new(env!("CARGO_BIN_EXE_quell"));
    let path = archive.to_str().unwrap();
    let replay = |format| quell.run(&["replay", path, "--color", "always", "--format", format]);
    let csv = replay("csv").unwrap().stdout;
    assert!(csv.contains(&format!("\n{hostile},")), "{csv:?}");
    let json = replay("json").unwrap().stdout;
    let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(first["event_id"], hostile);
    let text = replay("text").unwrap().stdout;
    assert!(text.contains("user/e\\u{1b}[31m\\u{7}\\u{202e}"), "{text:?}");
    assert!(!text.contains(['\u{7}', '\u{202e}']), "{text:?}");
}

/// A new policy passes its own checks, whatever type it is about.
#[test]
fn a_new_policy_is_complete_for_every_type() {
    let folder = tempfile::tempdir().unwrap();
    let quell = Quell::new(env!("CARGO_BIN_EXE_quell"));
    for (at, kind) in quell_library::resources().map(|it| it.meta().cloudformation).enumerate() {
        let folder = folder.path().join(at.to_string());
        let folder = folder.to_str().unwrap();
        let new = ["policy", "new", "acme.any.owner_tag", "--resource", kind, "--dir", folder];
        for arguments in [&new[..], &["policy", "lint", folder], &["policy", "test", folder]] {
            let ran = quell.run(arguments).unwrap();
            assert_eq!(ran.code, Some(0), "{kind} {arguments:?}: {}{}", ran.stdout, ran.stderr);
        }
    }
}

/// What the guide has its reader write passes the checks that it says it passes.
#[test]
fn the_guide_to_policies_is_true() {
    let guide = testkit::repository().unwrap().join("docs/guides/write-a-policy.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let block = |language: &str| {
        let (_, rest) = guide.split_once(&format!("\n```{language}\n")).unwrap();
        rest.split_once("```").unwrap().0
    };
    let folder = tempfile::tempdir().unwrap();
    let quell = Quell::new(env!("CARGO_BIN_EXE_quell"));
    let root = folder.path().join("policies");
    let policies = root.to_str().unwrap();
    let (id, kind) = ("acme.ec2.metrics_open", "AWS::EC2::SecurityGroup");
    let new = ["policy", "new", id, "--resource", kind, "--dir", policies];
    assert_eq!(quell.run(&new).unwrap().code, Some(0));
    let own = root.join("acme/ec2/metrics_open");
    std::fs::write(own.join("policy.yaml"), block("yaml")).unwrap();
    std::fs::write(own.join("policy.rego"), block("rego")).unwrap();
    let cases = own.join("cases");
    std::fs::rename(cases.join("bad_no_owner"), cases.join("bad_all_traffic")).unwrap();
    std::fs::rename(cases.join("good_owner"), cases.join("good_web_only")).unwrap();
    let state = cases.join("good_web_only/state.json");
    let text = std::fs::read_to_string(&state).unwrap();
    let mut good: serde_json::Value = serde_json::from_str(&text).unwrap();
    let rules = good.pointer_mut("/properties/SecurityGroupIngress").unwrap();
    rules.as_array_mut().unwrap().retain(|it| it.get("IpProtocol") != Some(&"-1".into()));
    std::fs::write(&state, good.to_string()).unwrap();
    let told = |arguments: &[&str]| {
        let ran = quell.run(arguments).unwrap();
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}{}", ran.stdout, ran.stderr);
        assert!(guide.contains(&format!("\n{}```", ran.stdout)), "{}", ran.stdout);
    };
    told(&["policy", "lint", policies]);
    told(&["policy", "test", policies, "--update"]);
}

/// Some editors begin a file with a byte order mark, which is no part of it.
#[test]
fn a_byte_order_mark_is_no_part_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let pattern = folder.path().join("pattern.json");
    std::fs::write(&pattern, "\u{feff}{\"source\": [\"aws.s3\"]}").unwrap();
    let cases = folder.path().join("cases.jsonl");
    let row = serde_json::json!({ "name": "n", "pattern": "{\"a\": [1]}", "event": "{\"a\": 1}" });
    std::fs::write(&cases, format!("\u{feff}{row}\n")).unwrap();
    let quell = Quell::new(env!("CARGO_BIN_EXE_quell"));
    let ran = quell.run(&["pattern", "test", pattern.to_str().unwrap()]).unwrap();
    assert_eq!(ran.stdout, "the pattern is valid\n");
    let cases = cases.to_str().unwrap();
    let ran = quell.run(&["pattern", "test", "--cases", cases, "--format", "json"]).unwrap();
    assert_eq!(ran.stdout, "{\"name\":\"n\",\"result\":\"match\",\"error\":null}\n");
}

/// Several resource types may need the same, and heartbeats are written only where they are wanted.
#[test]
fn what_is_needed_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("quell.yaml");
    std::fs::write(&config, "heartbeat: { heartbeat_period_s: 300 }\n").unwrap();
    let quell = Quell::new(env!("CARGO_BIN_EXE_quell"));
    let rows = |arguments: &[&str]| {
        let ran = quell.run(arguments).unwrap();
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        ran.stdout.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let is_heartbeat = |it: &&String| it.starts_with("heartbeat");
    let needed = rows(&["iam", "--mode", "enforce"]);
    let once: std::collections::BTreeSet<&String> = needed.iter().collect();
    assert_eq!(once.len(), needed.len(), "{needed:#?}");
    assert_eq!(needed.iter().filter(is_heartbeat).count(), 0, "{needed:#?}");
    let needed = rows(&["iam", "--config", config.to_str().unwrap()]);
    assert_eq!(needed.iter().filter(is_heartbeat).count(), 1, "{needed:#?}");
}

/// Who asks an organization for its accounts is no role of these accounts.
#[test]
fn what_an_organization_takes_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("quell.yaml");
    std::fs::write(&config, "aws: { organization: { read_role: quell-read } }\n").unwrap();
    let quell = Quell::new(env!("CARGO_BIN_EXE_quell"));
    let needed = |arguments: &[&str]| {
        let ran = quell.run(&[&["iam", "--format", "json"][..], arguments].concat()).unwrap();
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        serde_json::from_str::<serde_json::Value>(&ran.stdout).unwrap()
    };
    let without = needed(&[]);
    assert!(without["organization"].is_null(), "{without:#}");
    let with = needed(&["--config", config.to_str().unwrap()]);
    let asks = with["organization"].to_string();
    for action in ["ListAccounts", "ListAccountsForParent", "ListOrganizationalUnitsForParent"] {
        assert!(asks.contains(&format!("\"organizations:{action}\"")), "{asks}");
    }
    for role in ["read", "list", "write", "undo"] {
        assert_eq!(with[role], without[role], "{role}");
    }
}
