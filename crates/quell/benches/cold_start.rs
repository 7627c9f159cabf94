//! What a cold start costs: from the start of the process to its answer to an event that no policy
//! wants, with every policy loaded, and the most memory that the process had by then.
//!
//! `cargo xtask bench cold_start [-- --runs N]`. A stand-in for Lambda's Runtime API on loopback
//! (`testkit::RuntimeApi`) starts the real binary and, turn by turn in the same run, what one would
//! write in Python: a bare handler, and one that imports boto3 and makes one client. Lambda itself
//! adds its own time to all of them, which no local bench can know. Prints medians, and whether
//! ours are within the targets; a busy machine misses them, so nothing fails.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a bench")]

use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use testkit::{RuntimeApi, Venv};

const RUNS: usize = 21;
const TIME: Duration = Duration::from_secs(60);
/// What a cold start may take on a quiet machine.
const START_TARGET: Duration = Duration::from_millis(15);
/// The most memory that it may take, in bytes.
const PEAK_TARGET_BYTES: u64 = 40_000_000;

/// The least that a Python bootstrap does: get an event, look at it, answer.
const PYTHON_LOOP: &str = r#"
import http.client, json, os
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    got = api.getresponse()
    event = json.loads(got.read())
    id = got.headers["Lambda-Runtime-Aws-Request-Id"]
    wanted = event.get("detail", {}).get("eventName") in ("PutBucketPolicy", "PutBucketAcl")
    answer = json.dumps({"wanted": wanted})
    api.request("POST", f"/2018-06-01/runtime/invocation/{id}/response", answer)
    api.getresponse().read()
"#;
const PYTHON_BOTO3: &str = "import boto3\nboto3.client('s3', region_name='us-east-1')\n";

struct Contestant {
    name: &'static str,
    command: Box<dyn Fn(&str) -> Command>,
    times: Vec<Duration>,
    peak_bytes: Vec<u64>,
}

fn main() {
    let given = std::env::args().skip_while(|it| it != "--runs").nth(1);
    let runs: usize = given.and_then(|it| it.parse().ok()).unwrap_or(RUNS);
    let folder = tempfile::tempdir().unwrap();
    let mut contestants = contestants(folder.path());
    for _ in 0..runs {
        for it in &mut contestants {
            let (time, peak) = start_once(&it.command);
            it.times.push(time);
            it.peak_bytes.push(peak);
        }
    }
    let quell = median(&mut contestants[0].times);
    println!("cold start: process start to the answer, median of {runs} (least to most), peak RSS");
    for it in &mut contestants {
        let (time, peak) = (median(&mut it.times), median(&mut it.peak_bytes));
        let (least, most) = (it.times[0], it.times[it.times.len() - 1]);
        println!(
            "{:<28} {:>8.1} ms ({:.1} to {:.1})  {:>6.1} MB  {:>6.1} x quell",
            it.name,
            ms(time),
            ms(least),
            ms(most),
            peak as f64 / 1e6,
            time.as_secs_f64() / quell.as_secs_f64(),
        );
    }
    let peak = median(&mut contestants[0].peak_bytes);
    let word = |is_met: bool| if is_met { "met" } else { "MISSED" };
    println!(
        "targets of quell: {} at most {} ms, {} at most {} MB",
        word(quell <= START_TARGET),
        START_TARGET.as_millis(),
        word(peak <= PEAK_TARGET_BYTES),
        PEAK_TARGET_BYTES / 1_000_000,
    );
}

fn contestants(folder: &Path) -> Vec<Contestant> {
    let config = folder.join("quell.yaml");
    let deployed =
        "aws: { accounts: { '111122223333': {} } }\nstore: { dynamodb: { name: quell } }";
    fs::write(&config, deployed).unwrap();
    let quell = move |api: &str| {
        let mut command = bare(env!("CARGO_BIN_EXE_quell"), api);
        command.env("QUELL_CONFIG", &config);
        command
    };
    let mut contestants = vec![contestant("quell, every policy", Box::new(quell))];
    let python = |python: String, text: String| -> Box<dyn Fn(&str) -> Command> {
        Box::new(move |api| {
            let mut command = bare(&python, api);
            command.args(["-c", &text]);
            command
        })
    };
    match Venv::SERVICES.python() {
        Ok(venv) => {
            let bare = python(venv.to_string(), PYTHON_LOOP.to_owned());
            contestants.push(contestant("python, bare", bare));
            let boto3 = python(venv.into_string(), format!("{PYTHON_BOTO3}{PYTHON_LOOP}"));
            contestants.push(contestant("python, boto3 and a client", boto3));
        }
        Err(error) => println!("python: not measured: {error}"),
    }
    contestants
}

fn contestant(name: &'static str, command: Box<dyn Fn(&str) -> Command>) -> Contestant {
    Contestant { name, command, times: Vec::new(), peak_bytes: Vec::new() }
}

/// A program in the environment that Lambda gives it, and nothing of this machine's.
fn bare(program: &str, api: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("AWS_LAMBDA_RUNTIME_API", api)
        .env("AWS_LAMBDA_FUNCTION_NAME", "quell")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

/// The time until the answer, and the most memory until then.
fn start_once(command: &dyn Fn(&str) -> Command) -> (Duration, u64) {
    let api = RuntimeApi::start().unwrap();
    let mut command = command(&api.address());
    let event = unwanted();
    let started = Instant::now();
    let mut child = command.spawn().unwrap();
    let answered = api.invoke(event.as_bytes(), TIME).unwrap();
    let time = answered.at.duration_since(started);
    let peak = peak_bytes(&child);
    stop(&mut child);
    assert!(answered.is_response, "{}", answered.body);
    (time, peak)
}

fn stop(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

fn peak_bytes(child: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:")).unwrap();
    let kib: u64 = line.split_whitespace().next().unwrap().parse().unwrap();
    kib * 1024
}

fn unwanted() -> String {
    json!({
        "version": "0", "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "detail-type": "AWS API Call via CloudTrail", "source": "aws.s3",
        "account": "111122223333", "time": "2026-11-23T04:50:00Z", "region": "us-east-1",
        "resources": [],
        "detail": {
            "eventVersion": "1.11", "eventID": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
            "eventTime": "2026-11-23T04:50:00Z", "eventName": "GetBucketLocation",
            "eventSource": "s3.amazonaws.com", "awsRegion": "us-east-1",
            "eventType": "AwsApiCall", "recipientAccountId": "111122223333",
            "requestID": "r1", "readOnly": true, "managementEvent": true,
            "userIdentity": { "type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/eve",
                "accountId": "111122223333" },
            "requestParameters": { "bucketName": "b" }, "responseElements": null
        }
    })
    .to_string()
}

/// The median; sorts.
fn median<T: Ord + Copy>(values: &mut [T]) -> T {
    values.sort_unstable();
    values[values.len() / 2]
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
