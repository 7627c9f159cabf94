//! Archives of all forms, whole and broken.

use crate::{gzip, harmless, log_file, quell, read, replay, stop_logging, text};
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::process::Stdio;

/// Findings' event ids.
fn ids(findings: &[Value]) -> Vec<&str> {
    findings.iter().map(|it| it["event_id"].as_str().unwrap()).collect()
}

#[test]
fn every_form_of_an_archive_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let nested = folder.path().join("AWSLogs/eu-central-1/2026");
    fs::create_dir_all(&nested).unwrap();
    let (a, b, c, d) = (
        stop_logging("a", 1, "a"),
        stop_logging("b", 2, "b"),
        stop_logging("c", 3, "c"),
        stop_logging("d", 4, "d"),
    );
    let envelope = json!({
        "version": "0", "id": "d", "source": "aws.cloudtrail", "account": crate::ACCOUNT,
        "detail-type": "AWS API Call via CloudTrail", "region": "eu-central-1",
        "time": d["eventTime"], "resources": [], "detail": d,
    });
    fs::write(nested.join("1.json.gz"), log_file(&[harmless("x", 0), a])).unwrap();
    fs::write(nested.join("2.json"), format!("{:#}", json!({ "Records": [b] }))).unwrap();
    fs::write(nested.join("3.jsonl"), format!("{}\n{c}\n", harmless("y", 0))).unwrap();
    fs::write(nested.join("4.jsonl.gz"), gzip(format!("{envelope}\n").as_bytes())).unwrap();
    fs::write(nested.join("notes.txt"), "not an archive").unwrap();
    let digests = folder.path().join("CloudTrail-Digest");
    fs::create_dir_all(&digests).unwrap();
    fs::write(digests.join("1.json"), r#"{"digestS3Bucket":"x"}"#).unwrap();
    let replayed = replay(&[text(folder.path())]);
    assert_eq!(ids(&replayed.findings), ["a", "b", "c", "d"], "{replayed:?}");
    assert_eq!(replayed.exit, Some(1));
    assert_eq!(replayed.summary["files"], 4);
    assert_eq!(replayed.summary["records"], 6);
    assert_eq!(replayed.summary["matched"], 4);
    assert_eq!(replayed.summary["error_count"], 0);
}

#[test]
fn a_line_has_the_fields_of_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("1.json.gz"), log_file(&[stop_logging("a", 1, "main")])).unwrap();
    let replayed = replay(&[text(folder.path())]);
    let [finding] = &replayed.findings[..] else { panic!("{replayed:?}") };
    let keys: Vec<&str> = finding.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = [
        "event_id",
        "event_name",
        "time",
        "account",
        "region",
        "actor",
        "policy",
        "resource",
        "severity",
        "decision",
        "change",
    ];
    expected.sort_unstable();
    let mut keys = keys;
    keys.sort_unstable();
    assert_eq!(keys, expected);
    assert_eq!(finding["event_name"], "StopLogging");
    assert_eq!(finding["time"], "2026-03-01T12:01:00Z");
    assert_eq!(finding["account"], crate::ACCOUNT);
    assert_eq!(finding["actor"], format!("arn:aws:iam::{}:user/mallory", crate::ACCOUNT));
    assert!(finding["resource"].as_str().unwrap().ends_with("trail/main"), "{finding}");
}

#[test]
fn what_is_broken_is_told_and_the_rest_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut records = vec![stop_logging("a", 1, "a")];
    records.extend((0..500).map(|it| harmless(&it.to_string(), 2)));
    let whole = log_file(&records);
    fs::write(path("cut.json.gz"), &whole[..whole.len() / 2]).unwrap();
    let long = format!(r#"{{"eventName":"{}"}}"#, "x".repeat(64 * 1024 * 1024));
    let deep = format!(r#"{{"eventName":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    let among = |bad: &[u8]| {
        let text = format!("{{\"Records\":[{},", harmless("h", 0));
        let after = format!(",{}]}}", stop_logging("after", 9, "after"));
        [text.as_bytes(), bad, after.as_bytes()].concat()
    };
    fs::write(path("deep.json.gz"), gzip(&among(deep.as_bytes()))).unwrap();
    fs::write(path("long.json.gz"), gzip(&among(long.as_bytes()))).unwrap();
    let bad_text = stop_logging("u", 3, "BAD").to_string().into_bytes();
    let bad_text: Vec<u8> = bad_text
        .split_inclusive(|it| *it == b'B')
        .flat_map(|it| [it, if it.ends_with(b"B") { b"\xFF" } else { b"" }].concat())
        .collect();
    fs::write(path("utf8.json"), among(&bad_text)).unwrap();
    fs::write(path("lines.jsonl"), format!("{{\"eventName\n{}\n", stop_logging("c", 4, "c")))
        .unwrap();
    fs::write(path("other.json"), "[1, 2]").unwrap();
    fs::write(
        path("fields.jsonl"),
        r#"{"eventSource":"cloudtrail.amazonaws.com","eventName":"StopLogging"}"#,
    )
    .unwrap();
    let replayed = replay(&[text(folder.path())]);
    assert_eq!(replayed.exit, Some(3), "not all was read");
    assert_eq!(ids(&replayed.findings), ["a", "c", "after"], "{:#}", replayed.summary);
    assert_eq!(replayed.summary["error_count"], 7);
    assert_eq!(replayed.summary["duplicates"], 2, "`after` lies in three files");
    let errors = replayed.summary["errors"].as_array().unwrap();
    let told: Vec<String> = errors
        .iter()
        .map(|it| {
            let file = it["file"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
            format!("{file} {} {}", it["record"], it["error"].as_str().unwrap())
        })
        .collect();
    let all = told.join("\n");
    for expected in [
        "cut.json.gz null the compressed stream is cut off",
        "deep.json.gz 2 the event is nested deeper than 1000 levels",
        "long.json.gz 2 longer than 2097152 bytes",
        "utf8.json 2 the event is not UTF-8",
        "lines.jsonl 1 ",
        "other.json null ",
        "fields.jsonl 1 field `eventTime` is missing",
    ] {
        assert!(told.iter().any(|it| it.starts_with(expected)), "{expected} is not in\n{all}");
    }
}

#[test]
fn the_report_is_the_same_however_many_threads_make_it() {
    let folder = tempfile::tempdir().unwrap();
    for file in 0..40 {
        let records: Vec<Value> = (0..50)
            .map(|it| {
                let id = format!("{}", (file * 50 + it) % 700);
                stop_logging(&id, (file * 7 + it) % 300, &format!("trail-{}", it % 9))
            })
            .collect();
        fs::write(folder.path().join(format!("{file}.json.gz")), log_file(&records)).unwrap();
    }
    fs::write(folder.path().join("broken.json"), "{\"Records\":[{},x]}").unwrap();
    for format in ["json", "csv", "text"] {
        let run = |jobs: &str| {
            let arguments = ["replay", "--format", format, "--jobs", jobs, text(folder.path())];
            let output = quell(&arguments).args(["--assume-mode", "enforce"]).output().unwrap();
            assert!(1_000 < output.stdout.len());
            output.stdout
        };
        let first = run("1");
        assert!(first == run("8") && first == run("3"), "{format} differs");
    }
}

/// Memory may grow with findings, never with the archive.
#[test]
#[cfg(target_os = "linux")]
fn memory_is_bounded() {
    let mut child = quell(&["replay", "--format", "json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let one = format!("{},", harmless("h", 0)).repeat(1_000);
    stdin.write_all(b"{\"Records\":[").unwrap();
    for _ in 0..400 {
        stdin.write_all(one.as_bytes()).unwrap();
    }
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let peak = status.lines().find(|it| it.starts_with("VmHWM")).unwrap();
    let peak_kib: usize = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
    stdin.write_all(stop_logging("a", 1, "a").to_string().as_bytes()).unwrap();
    stdin.write_all(b"]}").unwrap();
    drop(stdin);
    let replayed = read(child.wait_with_output().unwrap());
    assert_eq!(ids(&replayed.findings), ["a"]);
    assert_eq!(replayed.summary["records"], 400_001);
    let fed_kib = 400 * one.len() / 1024;
    assert!(200_000 < fed_kib, "{fed_kib} KiB are too few to tell");
    assert!(peak_kib < 100_000, "{peak_kib} KiB for an archive of {fed_kib} KiB");
}

#[test]
fn nothing_to_read_is_told_apart_from_nothing_found() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("1.json.gz"), log_file(&[harmless("h", 0)])).unwrap();
    assert_eq!(replay(&[text(folder.path())]).exit, Some(0));
    let missing = folder.path().join("missing");
    let output = quell(&["replay", text(&missing)]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.contains("there is no file or folder"), "{stderr}");
}
