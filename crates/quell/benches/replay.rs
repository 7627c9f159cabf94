//! `quell replay` beside inflating the same archive and doing nothing with it (PERF target 2).
//!
//! The archive is made of public CloudTrail records (`shared/corpora`) with ids, times and
//! addresses redrawn, in `.json.gz` log files of CloudTrail's size. At most one record in a
//! thousand is one that a policy looks at. Both jobs run on one thread, interleaved in one process,
//! in processor time, and only their ratio is quoted; then all cores, and the cost of a matching
//! event by itself.
//!
//! `cargo xtask bench replay -- --events 784493` is a gigabyte.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark, not the product"
)]

use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use quell::replay::inputs::{Inputs, Place};
use quell::replay::judge::Judge;
use quell::replay::report::Report;
use quell::replay::{Watcher, replay};
use quell_core::decide::guardrails::Guardrails;
use quell_core::resource::Trust;
use quell_library::Library;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Records of a log file: CloudTrail closes one every five minutes or so.
const RECORDS_PER_FILE: usize = 620;
/// One record in so many is one that a policy looks at.
const MATCH_ONE_IN: usize = 1_000;
/// How often both jobs are run.
const ROUNDS: usize = 5;
/// What PERF asks for, in percent of inflating alone.
const TARGET_PERCENT: f64 = 55.0;

struct Silent;

impl Watcher for Silent {
    fn bytes_read(&self, _: usize) {}
    fn input_done(&self) {}
}

fn main() {
    let events = argument("--events").unwrap_or(200_000);
    let library = Library::builtin().unwrap();
    let records = Records::read(&library);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("replay-bench");
    let _ = fs::remove_dir_all(&folder);
    let (mixed, hits) = (folder.join("mixed"), folder.join("hits"));
    let bytes = records.write(&mixed, events, MATCH_ONE_IN);
    println!("{events} records, {} MB of JSON in {mixed:?}", bytes / 1_000_000);

    let judge = Judge::new(&library, Trust::default());
    let run = |folder: &Path, jobs: usize| -> Report {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs).build().unwrap();
        let inputs = Inputs::of(vec![Place::Path(folder.to_owned())]);
        pool.install(|| replay(inputs, &judge, &Guardrails::default(), &Silent))
    };
    let mut inflates = Vec::new();
    let mut replays = Vec::new();
    for _ in 0..ROUNDS {
        inflates.push(cpu_seconds(|| assert_eq!(inflate(&mixed), bytes)));
        replays.push(cpu_seconds(|| assert_eq!(run(&mixed, 1).summary.records, events)));
    }
    let (inflate, one) = (median(inflates), median(replays));
    let percent = 100.0 * inflate / one;
    let report = run(&mixed, 1);
    let matched = report.summary.matched;
    println!("{matched} of {events} records match a policy");
    assert!(matched <= events.div_ceil(MATCH_ONE_IN), "the mix is not what the target is for");
    println!("inflate alone, one thread   {:8.0} MB/s", megabytes(bytes) / inflate);
    println!("quell replay, one thread    {:8.0} MB/s", megabytes(bytes) / one);
    let verdict = if TARGET_PERCENT <= percent { "met" } else { "missed" };
    println!("ratio                       {percent:8.1} %  (target {TARGET_PERCENT} %: {verdict})");

    let cores = std::thread::available_parallelism().unwrap().get();
    let wall = |jobs| median((0..ROUNDS).map(|_| seconds(|| drop(run(&mixed, jobs)))).collect());
    let (one, all) = (wall(1), wall(cores));
    let speed = megabytes(bytes) / all;
    println!(
        "quell replay, {cores} threads     {speed:8.0} MB/s of time passed ({:.2} times one)",
        one / all
    );

    if records.looked_at.is_empty() {
        println!("no record of the corpora is one that a policy looks at: nothing to time");
        return;
    }
    let matching = events.min(20_000);
    records.write(&hits, matching, 1);
    let each = median((0..ROUNDS).map(|_| cpu_seconds(|| drop(run(&hits, 1)))).collect());
    let micros = each * 1e6 / run(&hits, 1).summary.matched.max(1) as f64;
    println!("a matching event            {micros:8.1} µs  (target at most 100 µs)");
}

/// Public records, as templates.
struct Records {
    passed_by: Vec<Value>,
    looked_at: Vec<Value>,
}

impl Records {
    fn read(library: &Library) -> Records {
        let names: Vec<String> =
            library.policies().iter().flat_map(|it| it.trigger_event_names()).collect();
        let (mut passed_by, mut looked_at) = (Vec::new(), Vec::new());
        for set in ["stratus_cloudtrail", "panther_aws_cloudtrail_cases"] {
            let text = testkit::corpus(&format!("detections/{set}.jsonl")).unwrap();
            for line in text.lines() {
                let row: Value = serde_json::from_str(line).unwrap();
                let event = row["event"].clone();
                let Some(name) = event["eventName"].as_str() else { continue };
                let complete = event["eventTime"].is_string() && event["awsRegion"].is_string();
                if names.iter().any(|it| is_named(it, name)) && complete {
                    looked_at.push(event);
                } else {
                    passed_by.push(event);
                }
            }
        }
        Records { passed_by, looked_at }
    }

    /// Writes an archive of so many records; how many bytes of JSON it holds.
    fn write(&self, folder: &Path, events: usize, match_one_in: usize) -> u64 {
        fs::create_dir_all(folder).unwrap();
        let mut random = StdRng::seed_from_u64(2026);
        let mut bytes = 0;
        let mut written = 0;
        while written < events {
            let count = RECORDS_PER_FILE.min(events - written);
            let records: Vec<Value> = (written..written + count)
                .map(|it| {
                    let looked_at = it % match_one_in == match_one_in - 1;
                    let templates = match self.looked_at.is_empty() || !looked_at {
                        true => &self.passed_by,
                        false => &self.looked_at,
                    };
                    redrawn(templates.choose(&mut random).unwrap(), &mut random)
                })
                .collect();
            let text = json!({ "Records": records }).to_string();
            bytes += text.len() as u64;
            let path = folder.join(format!("{:06}.json.gz", written / RECORDS_PER_FILE));
            let mut encoder = GzEncoder::new(File::create(path).unwrap(), Compression::default());
            encoder.write_all(text.as_bytes()).unwrap();
            encoder.finish().unwrap();
            written += count;
        }
        bytes
    }
}

/// Whether a trigger's event name, of which a `*` at the end stands for anything, is this one.
fn is_named(trigger: &str, name: &str) -> bool {
    trigger.strip_suffix('*').map_or(trigger == name, |prefix| name.starts_with(prefix))
}

/// The same call, by somebody else, somewhere else, at another time.
fn redrawn(template: &Value, random: &mut StdRng) -> Value {
    let mut record = template.clone();
    let id = |random: &mut StdRng| uuid::Builder::from_random_bytes(random.random()).into_uuid();
    record["eventID"] = Value::from(id(random).to_string());
    record["requestID"] = Value::from(id(random).to_string());
    let (hour, minute, second) =
        (random.random_range(0..24), random.random_range(0..60), random.random_range(0..60));
    let time =
        format!("2026-03-{:02}T{hour:02}:{minute:02}:{second:02}Z", random.random_range(1..29));
    record["eventTime"] = Value::from(time);
    let address: [u8; 4] = random.random();
    record["sourceIPAddress"] = Value::from(std::net::Ipv4Addr::from(address).to_string());
    record
}

/// Reads and inflates an archive; how many bytes come out.
fn inflate(folder: &Path) -> u64 {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    files.sort();
    let mut buffer = vec![0; 256 * 1024];
    let mut bytes = 0;
    for path in files {
        let file = BufReader::with_capacity(128 * 1024, File::open(path).unwrap());
        let mut decoder = MultiGzDecoder::new(file);
        loop {
            match decoder.read(&mut buffer).unwrap() {
                0 => break,
                read => bytes += read as u64,
            }
        }
    }
    bytes
}

fn seconds(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

/// Processor time of the whole process: what others do on this machine does not count.
fn cpu_seconds(work: impl FnOnce()) -> f64 {
    let start = cpu_time();
    work();
    cpu_time() - start
}

/// User and system time so far, in seconds; `proc(5)` counts them in hundredths.
fn cpu_time() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn argument(name: &str) -> Option<usize> {
    let arguments: Vec<String> = std::env::args().collect();
    let at = arguments.iter().position(|it| it == name)?;
    Some(arguments.get(at + 1)?.parse().expect("a number"))
}
