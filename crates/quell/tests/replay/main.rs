//! `quell replay`, through the command line: what it finds, what it decides, and what it does with
//! archives that are broken.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod archives;
mod decisions;
mod detections;
mod s3;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};
use testkit::Quell;

/// The account of all made-up records.
pub const ACCOUNT: &str = "111122223333";

/// A backtest's report.
#[derive(Debug, PartialEq)]
pub struct Replayed {
    /// How the process ended.
    pub exit: Option<i32>,
    /// A line per finding.
    pub findings: Vec<Value>,
    /// The last line's `summary`.
    pub summary: Value,
}

/// The command, untouched by the settings of whoever runs the tests.
pub fn quell(arguments: &[&str]) -> Command {
    Quell::new(env!("CARGO_BIN_EXE_quell")).command(arguments)
}

/// Runs `quell replay --format json` on some places.
pub fn replay(arguments: &[&str]) -> Replayed {
    let arguments = [&["replay", "--format", "json"], arguments].concat();
    read(quell(&arguments).output().unwrap())
}

/// Reads a report.
pub fn read(output: Output) -> Replayed {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<Value> =
        stdout.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    let last = lines.pop().unwrap_or_else(|| panic!("no report: {stderr}"));
    Replayed { exit: output.status.code(), findings: lines, summary: last["summary"].clone() }
}

/// A record of a call by Mallory; `minute` counts from a fixed day's noon.
pub fn record(source: &str, name: &str, id: &str, minute: u32, request: &Value) -> Value {
    json!({
        "eventVersion": "1.08",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": "AIDAEXAMPLE",
            "arn": format!("arn:aws:iam::{ACCOUNT}:user/mallory"),
            "accountId": ACCOUNT,
            "userName": "mallory",
        },
        "eventTime": format!("2026-03-01T{:02}:{:02}:00Z", 12 + minute / 60, minute % 60),
        "eventSource": format!("{source}.amazonaws.com"),
        "eventName": name,
        "awsRegion": "eu-central-1",
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "aws-cli/2.15",
        "requestParameters": request,
        "responseElements": null,
        "requestID": format!("request-{id}"),
        "eventID": id,
        "readOnly": false,
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "recipientAccountId": ACCOUNT,
    })
}

/// A trail is stopped: the event alone proves it.
pub fn stop_logging(id: &str, minute: u32, trail: &str) -> Value {
    let arn = format!("arn:aws:cloudtrail:eu-central-1:{ACCOUNT}:trail/{trail}");
    record("cloudtrail", "StopLogging", id, minute, &json!({ "name": arn }))
}

/// A call that no policy looks at.
pub fn harmless(id: &str, minute: u32) -> Value {
    record("s3", "GetBucketLocation", id, minute, &json!({ "bucketName": "example" }))
}

/// A log file, as CloudTrail leaves it in a bucket.
pub fn log_file(records: &[Value]) -> Vec<u8> {
    gzip(json!({ "Records": records }).to_string().as_bytes())
}

/// Bytes, compressed.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A path as text.
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
