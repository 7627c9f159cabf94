//! What the pipeline costs besides the cloud: routing, deciding, and the way from an event to the
//! first cloud call with its durable record, beside a bare `fdatasync` on the same disk.
//!
//! `cargo xtask bench pipeline [-- --events N]`. Prints times and ratios of one run; asserts none.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a bench")]

use camino::Utf8Path;
use futures::future::BoxFuture;
use jiff::Timestamp;
use quell::clock::{Clock, SystemClock};
use quell::embedded::Embedded;
use quell::pipeline::{Pipeline, Scope};
use quell::simulation::SimulatedAccount;
use quell_core::change::Change;
use quell_core::decide::authorized::Authorized;
use quell_core::decide::guardrails::Guardrails;
use quell_core::decide::mode::Modes;
use quell_core::decide::{Case, decide};
use quell_core::detect::detect;
use quell_core::history::History;
use quell_core::normalize;
use quell_core::policy::{Mode, PolicyLimits};
use quell_core::resource::{ResourceRef, State, Trust};
use quell_library::Library;
use quell_library::cloud::{Applied, CloudError, World};
use quell_library::folder::{self, PolicyFolder};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Policies in the library of the routing and deciding benches.
const POLICIES: usize = 500;

fn main() {
    let given = std::env::args().skip_while(|it| it != "--events").nth(1);
    let events: usize = given.and_then(|it| it.parse().ok()).unwrap_or(500);
    let library = Arc::new(many_policies());
    routing(&library, events);
    deciding(&library, events);
    overhead(events.min(2_000));
}

/// The built-in policies under as many ids as it takes.
fn many_policies() -> Library {
    let builtin = folder::builtin().unwrap();
    let folders: Vec<PolicyFolder> = (0..POLICIES)
        .map(|n| {
            let it = &builtin[n % builtin.len()];
            let id = format!("{}_{n}", it.id);
            let package = format!("package quell.{}", it.id);
            PolicyFolder {
                yaml: it.yaml.replacen(&format!("id: {}", it.id), &format!("id: {id}"), 1),
                rego: it.rego.replacen(&package, &format!("package quell.{id}"), 1),
                cases: BTreeMap::new(),
                place: "bench".to_owned(),
                id,
            }
        })
        .collect();
    Library::load(folders, &BTreeMap::new(), PolicyLimits::default()).unwrap()
}

fn record(event: &str, service: &str, bucket: &str, n: usize) -> Value {
    json!({
        "eventVersion": "1.09", "eventID": format!("bench-{event}-{bucket}-{n}"),
        "eventTime": Timestamp::now().to_string(), "eventName": event,
        "eventSource": format!("{service}.amazonaws.com"), "awsRegion": "eu-central-1",
        "eventType": "AwsApiCall", "recipientAccountId": "111122223333",
        "requestID": format!("r{n}"),
        "userIdentity": { "type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/eve",
            "accountId": "111122223333" },
        "requestParameters": { "bucketName": bucket }, "responseElements": null
    })
}

fn bucket(name: &str) -> State {
    State {
        resource: ResourceRef {
            kind: "AWS::S3::Bucket".to_owned(),
            id: name.to_owned(),
            account: "111122223333".to_owned(),
            region: "eu-central-1".to_owned(),
        },
        tags: BTreeMap::new(),
        properties: json!({ "OwnershipControls": { "Rules": [
            { "ObjectOwnership": "BucketOwnerEnforced" } ] } }),
        facts: Value::Null,
        unknown: Default::default(),
        observed: Timestamp::now(),
    }
}

fn enforce() -> Guardrails {
    Guardrails {
        modes: Modes { default: Mode::Enforce, ..Modes::default() },
        fleet_changes_max: usize::MAX,
        ..Guardrails::default()
    }
}

fn percentiles(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort_unstable();
    (times[times.len() / 2], times[times.len() * 99 / 100])
}

fn pipeline(library: &Arc<Library>, world: Arc<dyn World>, store: Arc<Embedded>) -> Pipeline {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Pipeline::new(Arc::clone(library), world, store, clock, enforce(), Scope::default())
}

fn store(dir: &Utf8Path) -> Arc<Embedded> {
    Arc::new(Embedded::open(dir, Arc::new(SystemClock), None).unwrap())
}

fn routing(library: &Arc<Library>, events: usize) {
    let dir = tempfile::tempdir().unwrap();
    let dir = Utf8Path::from_path(dir.path()).unwrap();
    let world = Arc::new(SimulatedAccount::new(Vec::new(), None).unwrap());
    let pipeline = pipeline(library, world, store(dir));
    let other = record("GetObject", "s3", "b", 0);
    let event = normalize::value_events(other).unwrap().remove(0).unwrap();
    let times = (0..events).map(|_| {
        let start = Instant::now();
        assert!(pipeline.route(&event).unwrap().is_empty());
        start.elapsed()
    });
    let (median, p99) = percentiles(times.collect());
    println!("route, no match, {POLICIES} policies:   median {median:?}, p99 {p99:?}");
}

fn deciding(library: &Arc<Library>, events: usize) {
    let kind = quell_library::resource("AWS::S3::Bucket").unwrap();
    let event = record("DeleteBucketPublicAccessBlock", "s3", "b", 0);
    let event = normalize::value_events(event).unwrap().remove(0).unwrap();
    let mut state = bucket("b");
    let (rails, history) = (enforce(), History::default());
    let judges: Vec<_> = library
        .policies()
        .iter()
        .filter(|it| it.meta().resource == "AWS::S3::Bucket")
        .take(POLICIES / 50)
        .collect();
    let times = (0..events).map(|_| {
        let start = Instant::now();
        state.facts = kind.facts(&state, &Trust::default());
        let detection = detect(&judges, Some(&event), &state);
        for finding in &detection.findings {
            let policy = library.policy(&finding.policy).unwrap();
            let action = library.action_of(policy, &finding.resource.kind).unwrap();
            let plan = action.plan(&state, &finding.element, &policy.params());
            let case = Case {
                finding,
                state: &state,
                event: Some(&event),
                policy: policy.meta(),
                action: Some(action.meta()),
                plan: &plan,
            };
            std::hint::black_box(decide(&rails, &history, &case, Timestamp::now()));
        }
        start.elapsed()
    });
    let (median, p99) = percentiles(times.collect());
    println!("facts, {} judgments, decisions: median {median:?}, p99 {p99:?}", judges.len());
}

/// Remembers when the first change was asked for.
struct Stopwatch(SimulatedAccount, Mutex<Option<Instant>>);

impl World for Stopwatch {
    fn read<'a>(
        &'a self,
        resource: &'a ResourceRef,
    ) -> BoxFuture<'a, Result<Option<State>, CloudError>> {
        self.0.read(resource)
    }

    fn apply<'a>(
        &'a self,
        change: &'a Authorized<Change>,
        session: &'a str,
    ) -> BoxFuture<'a, Result<Applied, CloudError>> {
        self.1.lock().unwrap().get_or_insert_with(Instant::now);
        self.0.apply(change, session)
    }
}

fn overhead(events: usize) {
    let library = Arc::new(Library::builtin().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let dir = Utf8Path::from_path(dir.path()).unwrap();
    let buckets = (0..events).map(|n| bucket(&format!("bucket-{n}"))).collect();
    let account = SimulatedAccount::new(buckets, None).unwrap();
    let world = Arc::new(Stopwatch(account, Mutex::new(None)));
    let pipeline = pipeline(&library, Arc::clone(&world) as Arc<dyn World>, store(dir));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut bare = File::create(dir.join("bare")).unwrap();
    let (mut ours, mut raw) = (Vec::new(), Vec::new());
    for n in 0..events {
        let record = record("DeleteBucketPublicAccessBlock", "s3", &format!("bucket-{n}"), n);
        let body = record.to_string();
        *world.1.lock().unwrap() = None;
        let start = Instant::now();
        runtime.block_on(pipeline.handle(body.as_bytes())).unwrap();
        let called = world.1.lock().unwrap().unwrap_or_else(|| panic!("event {n} was not fixed"));
        ours.push(called - start);
        let start = Instant::now();
        bare.write_all(&[b'x'; 1024]).unwrap();
        bare.sync_data().unwrap();
        raw.push(start.elapsed());
    }
    let ((median, p99), (raw_median, raw_p99)) = (percentiles(ours), percentiles(raw));
    println!("event to first cloud call, durable:  median {median:?}, p99 {p99:?}");
    println!("a bare 1 kB write and fdatasync:     median {raw_median:?}, p99 {raw_p99:?}");
    let ratio = median.as_secs_f64() / raw_median.as_secs_f64();
    println!("ratio of the medians:                {ratio:.2}");
}
