//! `quell run` over files and standard input.

use crate::{event, id};
use camino::Utf8PathBuf;
use flate2::Compression;
use flate2::write::GzEncoder;
use quell::simulation::SimulatedAccount;
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use testkit::{Background, Quell};

/// How long the binary may take for what takes it moments: many tests share few processors.
const TIME_MAX: Duration = Duration::from_secs(60);

/// A data folder with a simulated account in which there is nothing, and a folder of events.
struct Scene {
    folder: tempfile::TempDir,
    quell: Quell,
}

impl Scene {
    fn new() -> Scene {
        let scene = Scene {
            folder: tempfile::tempdir().unwrap(),
            quell: Quell::new(env!("CARGO_BIN_EXE_quell")),
        };
        fs::create_dir(scene.path("data")).unwrap();
        fs::create_dir(scene.path("events")).unwrap();
        SimulatedAccount::new(Vec::new(), Some(&scene.path("data"))).unwrap();
        scene
    }

    fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8PathBuf::from_path_buf(self.folder.path().join(name)).unwrap()
    }

    fn spawn(&self, arguments: &[&str]) -> Background {
        let data = self.path("data");
        self.quell.spawn(&[&["--data-dir", data.as_str()], arguments].concat()).unwrap()
    }

    fn must(&self, arguments: &[&str]) -> String {
        let ran = self.spawn(arguments).wait(TIME_MAX).unwrap();
        assert_eq!(ran.code, Some(0), "{arguments:?}\n{}\n{}", ran.stdout, ran.stderr);
        ran.stdout
    }

    /// The facts of one kind.
    fn facts(&self, kind: &str) -> Vec<Value> {
        let shown = self.must(&["audit", "show", "--format", "json"]);
        let facts = shown.lines().map(|it| serde_json::from_str::<Value>(it).unwrap());
        facts.map(|it| it["fact"].clone()).filter(|it| it["fact"] == kind).collect()
    }

    /// The ids of the events that were worked to their end, sorted. Two deliveries of one event
    /// that come at once may both say so.
    fn processed(&self) -> Vec<String> {
        let facts = self.facts("processed");
        let mut ids: Vec<_> =
            facts.iter().map(|it| it["event"].as_str().unwrap().to_owned()).collect();
        ids.sort();
        ids.dedup();
        ids
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    // Stored, so that what comes before a cut comes out.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn cut(mut bytes: Vec<u8>, by: usize) -> Vec<u8> {
    bytes.truncate(bytes.len() - by);
    bytes
}

fn log_file(records: &[&str]) -> Vec<u8> {
    format!("{{\"Records\":[{}]}}", records.join(",")).into_bytes()
}

fn record(event: &Value) -> String {
    event["detail"].to_string()
}

fn with(event: &Value, pointer: &str, value: Value) -> Value {
    let mut event = event.clone();
    *event.pointer_mut(pointer).unwrap() = value;
    event
}

/// A file, what must be said about it, and which events in it must be worked on all the same.
#[derive(Clone)]
struct Case {
    file: &'static str,
    bytes: Vec<u8>,
    letters: &'static [&'static str],
    good: &'static [u64],
}

fn case(
    file: &'static str,
    bytes: impl Into<Vec<u8>>,
    letters: &'static [&'static str],
    good: &'static [u64],
) -> Case {
    Case { file, bytes: bytes.into(), letters, good }
}

/// An event with another request, of which the text is given.
fn with_request(number: u64, request: &str) -> String {
    let event = with(&event(number), "/detail/requestParameters", json!("HERE"));
    event.to_string().replace("\"HERE\"", request)
}

fn broken_files() -> Vec<Case> {
    let text = |number| event(number).to_string();
    let record = |number| record(&event(number));
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let fields = [
        with(&event(18), "/account", json!("999988887777")),
        with(&event(19), "/detail/eventTime", json!("yesterday")),
        json!({ "a": 1 }),
        event(20),
    ];
    vec![
        case("empty.json", "", &[], &[]),
        case("number.json", "7", &["an object or a list of objects is expected"], &[]),
        case(
            "cut-off.json.gz",
            cut(gzip(&log_file(&[&record(0), &record(1)])), 200),
            &["the compressed stream is cut off"],
            &[0],
        ),
        case(
            "no-text.jsonl",
            [&b"{\"detail\":\"\xFF\xFE\"}\n"[..], text(3).as_bytes()].concat(),
            &["not readable as JSON: invalid unicode code point"],
            &[3],
        ),
        case(
            "deep.json",
            format!("{}\n{}", with_request(4, &deep), text(5)),
            &["recursion limit exceeded"],
            &[5],
        ),
        case(
            "deep-in-a-log.json",
            log_file(&[&record(6), &format!("{{\"a\":{deep}}}"), &record(7)]),
            &["deeper than 1000 levels"],
            &[6, 7],
        ),
        case(
            "broken-line.jsonl",
            format!("{{\"not\": \"closed\"\n{}", text(17)),
            &["EOF while parsing"],
            &[17],
        ),
        case(
            "fields.jsonl",
            fields.map(|it| it.to_string()).join("\n"),
            &[
                "the envelope's account `999988887777` is not the record's",
                "`yesterday` is not an RFC 3339 time",
                "an object with the keys",
            ],
            &[20],
        ),
    ]
}

fn large_and_odd_files() -> Vec<Case> {
    let text = |number| event(number).to_string();
    let padding = |bytes| format!("{{\"padding\":\"{}\"}}", "x".repeat(bytes));
    // Six records of 1.5 MB: more than any limit on a single delivery.
    let long_log = [10, 11, 12, 13, 14, 15].map(|number| {
        let request = json!({ "name": "gone", "padding": "x".repeat(1_500_000) });
        record(&with(&event(number), "/detail/requestParameters", request))
    });
    vec![
        case("gzip-by-its-bytes.json", gzip(text(2).as_bytes()), &[], &[2]),
        case("byte-order-mark.json", format!("\u{FEFF}{}", text(21)), &[], &[21]),
        case(
            "64-megabytes.json",
            format!("{}{}", padding(64 << 20), text(8)),
            &["longer than 2097152 bytes"],
            &[8],
        ),
        case(
            "long-line.jsonl",
            format!("{}\n{}\n", padding(3 << 20), text(9)),
            &["longer than 2097152 bytes"],
            &[9],
        ),
        case(
            "long-log.json",
            log_file(&long_log.each_ref().map(String::as_str)),
            &[],
            &[10, 11, 12, 13, 14, 15],
        ),
        case(
            "half-a-pair.json",
            with_request(22, r#"{"name":"gone","note":"\ud83d"}"#),
            &[],
            &[22],
        ),
        case("twice.jsonl", format!("{0}\n{0}\n", text(16)), &[], &[16]),
    ]
}

#[test]
fn whatever_a_file_holds_its_good_records_are_worked_on_and_the_rest_is_named() {
    let cases = [broken_files(), large_and_odd_files()].concat();
    let scene = Scene::new();
    for case in &cases {
        fs::write(scene.path("events").join(case.file), &case.bytes).unwrap();
    }
    let ran = scene.spawn(&["run", scene.path("events").as_str()]).wait(TIME_MAX).unwrap();
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("deliveries were put aside"), "{}", ran.stderr);

    let good = cases.iter().flat_map(|it| it.good);
    let mut expected: Vec<String> = good.map(|it| id(&event(*it))).collect();
    expected.sort();
    assert_eq!(scene.processed(), expected);
    let letters = scene.facts("dead_lettered");
    for case in &cases {
        let file = scene.path("events").join(case.file);
        let source = |it: &Value| it["source"].as_str().unwrap().to_owned();
        let mut of_file: Vec<&Value> =
            letters.iter().filter(|it| source(it).starts_with(file.as_str())).collect();
        of_file.sort_by_key(|it| source(it));
        let reasons: Vec<&str> = of_file.iter().map(|it| it["reason"].as_str().unwrap()).collect();
        assert_eq!(reasons.len(), case.letters.len(), "{}: {reasons:?}", case.file);
        for (reason, wanted) in reasons.iter().zip(case.letters) {
            assert!(reason.contains(wanted), "{}: {reason}", case.file);
        }
    }
    let kept = letters.iter().filter_map(|it| it["file"].as_str());
    let kept: Vec<_> = kept.map(|it| fs::read(scene.path("data/dead-letters").join(it))).collect();
    assert!(kept.iter().any(|it| it.as_deref().unwrap() == b"{\"not\": \"closed\""));
    scene.must(&["audit", "verify"]);
}

/// `quell run … 2>&1 | head`, or a log collector that died: the log is lost, no delivery is.
#[test]
fn what_nobody_reads_the_log_of_is_worked_on_all_the_same() {
    let scene = Scene::new();
    let events = scene.path("events");
    let lines = format!("{{\"not\": \"closed\"\n{}\n", event(1));
    fs::write(events.join("1.jsonl"), lines).unwrap();
    let data = scene.path("data");
    let arguments = ["--data-dir", data.as_str(), "-vvv", "run", events.as_str()];
    let mut command = scene.quell.command(&arguments);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(3), "one delivery is put aside");
    assert_eq!(scene.facts("dead_lettered").len(), 1);
    assert_eq!(scene.processed(), [id(&event(1))]);
}

/// An event on a pipe is worked on when it comes, and an open pipe does not hold up the end.
#[test]
fn standard_input_is_read_line_by_line_until_the_process_is_asked_to_stop() {
    let scene = Scene::new();
    let data = scene.path("data");
    let mut command = scene.quell.command(&["--data-dir", data.as_str(), "run", "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let started = Instant::now();
    for number in 0..2 {
        writeln!(pipe, "{}", event(number)).unwrap();
        pipe.flush().unwrap();
        while !scene.processed_so_far().contains(&id(&event(number))) {
            assert!(started.elapsed() < TIME_MAX, "event {number} was not worked on");
            thread::sleep(Duration::from_millis(50));
        }
    }
    let asked = Instant::now();
    let process = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &process]).status().unwrap().success());
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Duration::from_secs(20) < asked.elapsed() {
            child.kill().unwrap();
            panic!("an open pipe held it up");
        }
        thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(status.code(), Some(0));
    drop(pipe);
}

impl Scene {
    /// As [`Scene::processed`], while the ledger may not be there yet.
    fn processed_so_far(&self) -> Vec<String> {
        match self.path("data/ledger").is_dir() {
            true => self.processed(),
            false => Vec::new(),
        }
    }
}

/// Neither ends by itself.
#[test]
fn pipes_and_links_in_a_folder_are_passed_by() {
    let scene = Scene::new();
    let events = scene.path("events");
    fs::write(events.join("1.json"), event(1).to_string()).unwrap();
    std::os::unix::fs::symlink(&events, events.join("again")).unwrap();
    let pipe = events.join("pipe.json");
    assert!(Command::new("mkfifo").arg(pipe.as_str()).status().unwrap().success());
    scene.must(&["run", events.as_str()]);
    assert_eq!(scene.processed(), [id(&event(1))]);
    assert_eq!(scene.facts("dead_lettered"), Vec::<Value>::new());
}

#[test]
fn a_path_that_is_not_there_is_an_error() {
    let scene = Scene::new();
    let nowhere = scene.path("nowhere.json");
    let ran = scene.spawn(&["run", nowhere.as_str()]).wait(TIME_MAX).unwrap();
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("nowhere.json"), "{}", ran.stderr);
}

/// A service that runs for weeks signs its ledger meanwhile, not only at its end.
#[test]
fn a_running_service_signs_checkpoints() {
    let scene = Scene::new();
    let key = scene.path("audit.pem");
    scene.must(&["audit", "key", key.as_str()]);
    let config = scene.path("quell.yaml");
    let store = json!({ "signing_key": format!("file://{key}"), "checkpoint_period_s": 1 });
    fs::write(&config, json!({ "store": store }).to_string()).unwrap();
    let events = scene.path("events");
    fs::write(events.join("1.json"), event(1).to_string()).unwrap();
    let arguments = ["--config", config.as_str(), "run", "--follow", events.as_str()];
    let running = scene.spawn(&arguments);
    let started = Instant::now();
    let signed = || fs::read_dir(scene.path("data/checkpoints")).is_ok_and(|it| 0 < it.count());
    while !signed() {
        assert!(started.elapsed() < TIME_MAX, "no checkpoint after {TIME_MAX:?}");
        thread::sleep(Duration::from_millis(50));
    }
    running.terminate().unwrap();
    assert_eq!(running.wait(TIME_MAX).unwrap().code, Some(0));
}
