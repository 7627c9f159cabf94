//! How a scan goes through everything: several at once, as fast as services answer, on from where
//! it stopped, and by no more than what its policies look at. And how it is told.

use crate::{LIBRARY, Stage};
use futures::future::BoxFuture;
use quell::clock::Clock as _;
use quell::demo::account::{bucket_ref, trail_ref};
use quell::journal::Journal as _;
use quell::scan::report::ScanReport;
use quell::scan::{Step, What, scan, told};
use quell::simulation::SimulatedAccount;
use quell_core::change::Change;
use quell_core::decide::authorized::Authorized;
use quell_core::detect::{Finding, detect};
use quell_core::event::CloudScope;
use quell_core::policy::{Mode, PolicyLimits, Severity};
use quell_core::report::{github, gitlab, json, junit, sarif};
use quell_core::resource::{ResourceRef, State};
use quell_library::cloud::{Applied, CloudError, CloudErrorKind, World};
use quell_library::{Library, folder};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The account behind a network: it takes its time, counts, and perhaps throttles.
struct Distant {
    account: Arc<SimulatedAccount>,
    /// How often each resource is throttled before it is answered.
    throttled: usize,
    /// How often each resource was asked for.
    asked: Mutex<BTreeMap<ResourceRef, usize>>,
    read_whole: Mutex<BTreeSet<ResourceRef>>,
    at_once: AtomicUsize,
    most: AtomicUsize,
}

impl Distant {
    fn behind(stage: &mut Stage, throttled: usize) -> Arc<Distant> {
        let distant = Arc::new(Distant {
            account: Arc::clone(&stage.account),
            throttled,
            asked: Mutex::default(),
            read_whole: Mutex::default(),
            at_once: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        });
        stage.pipeline.world = Arc::clone(&distant) as Arc<dyn World>;
        distant
    }

    /// The resources that were asked for since this was asked last.
    fn asked(&self) -> BTreeSet<ResourceRef> {
        std::mem::take(&mut *self.asked.lock().unwrap()).into_keys().collect()
    }

    async fn ask(&self, resource: &ResourceRef) -> Result<(), CloudError> {
        let before = {
            let mut asked = self.asked.lock().unwrap();
            let count = asked.entry(resource.clone()).or_default();
            *count += 1;
            *count - 1
        };
        let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        // Each in another time, so that they end in another order than they began in.
        let wait_ms = u64::from(resource.id.bytes().fold(0_u8, u8::wrapping_add) % 7);
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        if before < self.throttled {
            return Err(CloudError {
                kind: CloudErrorKind::Throttled,
                operation: "distant:Read".to_owned(),
                message: "SlowDown".to_owned(),
                request_id: None,
            });
        }
        Ok(())
    }
}

impl World for Distant {
    fn read<'a>(
        &'a self,
        resource: &'a ResourceRef,
    ) -> BoxFuture<'a, Result<Option<State>, CloudError>> {
        Box::pin(async move {
            self.ask(resource).await?;
            self.read_whole.lock().unwrap().insert(resource.clone());
            self.account.read(resource).await
        })
    }

    fn glance<'a>(
        &'a self,
        resource: &'a ResourceRef,
        properties: &'a BTreeSet<String>,
    ) -> BoxFuture<'a, Result<Option<State>, CloudError>> {
        Box::pin(async move {
            self.ask(resource).await?;
            self.account.glance(resource, properties).await
        })
    }

    fn apply<'a>(
        &'a self,
        change: &'a Authorized<Change>,
        session: &'a str,
    ) -> BoxFuture<'a, Result<Applied, CloudError>> {
        self.account.apply(change, session)
    }

    fn places(&self) -> Vec<CloudScope> {
        self.account.places()
    }

    fn list<'a>(
        &'a self,
        kind: &'a str,
        place: &'a CloudScope,
    ) -> BoxFuture<'a, Result<Vec<ResourceRef>, CloudError>> {
        self.account.list(kind, place)
    }
}

/// Seven buckets and a trail.
fn violate(stage: &Stage) -> usize {
    let buckets = ["website", "uploads", "invoices", "partners", "payroll", "backups", "press-kit"];
    for name in buckets {
        let unblocked = |it: &mut State| {
            it.properties.as_object_mut().unwrap().remove("PublicAccessBlockConfiguration");
        };
        stage.account.edit(&bucket_ref(&format!("acme-{name}")), unblocked).unwrap();
    }
    let stopped = |it: &mut State| it.properties["IsLogging"] = json!(false);
    stage.account.edit(&trail_ref("audit"), stopped).unwrap();
    buckets.len() + 1
}

async fn run(stage: &Stage, what: &What) -> ScanReport {
    scan(&stage.pipeline, what, &|_, _| {}).await.unwrap()
}

#[tokio::test]
async fn several_at_once_see_and_do_what_one_after_the_other_does() {
    for mode in [Mode::Notify, Mode::Enforce] {
        let mut reports = Vec::new();
        for at_once_max in [1, 2, 16, 500] {
            let mut stage = Stage::new(mode);
            let violations = violate(&stage);
            let distant = Distant::behind(&mut stage, 0);
            let what = What { at_once_max, looks_per_s_max: 10_000, ..What::default() };
            let report = run(&stage, &what).await;
            assert_eq!((report.violations, report.errors), (violations, 0), "{report:?}");
            let most = distant.most.load(Ordering::SeqCst);
            assert!(most <= at_once_max, "{most} of {at_once_max} at once");
            assert!(at_once_max == 1 || 1 < most, "{most} of {at_once_max} at once");
            reports.push(report);
        }
        let first = reports[0].clone();
        assert!(reports.iter().all(|it| *it == first), "{reports:#?}");
    }
}

#[tokio::test]
async fn what_stops_goes_on_and_looks_at_everything_once() {
    let mut stage = Stage::new(Mode::Notify);
    let violations = violate(&stage);
    let distant = Distant::behind(&mut stage, 0);
    let everything = stage.account.len();
    let (mut seen, mut found, mut scans) = (BTreeSet::new(), BTreeSet::new(), 0);
    loop {
        let what = What { resume: true, at_once_max: 4, ..What::default() };
        let stop = |_: &Step, so_far: &ScanReport| {
            if 5 <= so_far.resources {
                what.stop.store(true, Ordering::Relaxed);
            }
        };
        let report = scan(&stage.pipeline, &what, &stop).await.unwrap();
        assert_eq!(report.begun_anew.is_some(), scans == 0, "{report:?}");
        assert_eq!(report.resumed_after.is_some(), scans != 0, "{report:?}");
        scans += 1;
        let asked: BTreeSet<ResourceRef> =
            distant.asked().into_iter().filter(|it| stage.account.get(it).is_some()).collect();
        assert!(asked.is_disjoint(&seen), "some are looked at twice");
        assert_eq!(asked.len(), report.resources);
        seen.extend(asked);
        found.extend(report.found.into_iter().map(|it| it.key));
        if report.stopped.is_none() {
            assert_eq!(report.steps, report.steps_in_all);
            break;
        }
        assert!(scans < everything, "it comes to an end");
    }
    assert_eq!((seen.len(), found.len()), (everything, violations));
    assert!(3 < scans, "it was stopped more than once: {scans}");
    // An end is an end: nothing is left to go on with.
    assert_eq!(stage.journal.kept_scan().await, Ok(None));
}

#[tokio::test]
async fn what_can_not_be_gone_on_with_begins_anew_and_says_why() {
    let stage = Stage::new(Mode::Notify);
    let what = What { resume: true, ..What::default() };
    let stop = |_: &Step, so_far: &ScanReport| {
        if 5 <= so_far.resources {
            what.stop.store(true, Ordering::Relaxed);
        }
    };
    scan(&stage.pipeline, &what, &stop).await.unwrap();
    let kept = stage.journal.kept_scan().await.unwrap().unwrap();
    let mut other_plan: Value = serde_json::from_str(&kept).unwrap();
    other_plan["plan"] = json!("another");
    for (kept, why) in [
        (Some("nonsense".to_owned()), "can't be read"),
        (Some(other_plan.to_string()), "by other policies"),
        (None, "no scan was stopped"),
    ] {
        stage.journal.keep_scan(kept).await.unwrap();
        let what = What { resume: true, ..What::default() };
        let report = run(&stage, &what).await;
        assert!(report.begun_anew.as_ref().unwrap().contains(why), "{report:?}");
        assert_eq!((report.resources, report.stopped), (stage.account.len(), None));
    }
    stage.journal.keep_scan(Some(kept.clone())).await.unwrap();
    stage.clock.advance(Duration::from_secs(25 * 3600));
    let what = What { resume: true, ..What::default() };
    let report = run(&stage, &what).await;
    assert!(report.begun_anew.unwrap().contains("too long ago"));
    // Who does not ask to go on begins at the beginning.
    stage.journal.keep_scan(Some(kept)).await.unwrap();
    let report = run(&stage, &What::default()).await;
    assert_eq!((report.begun_anew, report.resumed_after), (None, None));
    assert_eq!(report.resources, stage.account.len());
}

#[tokio::test]
async fn what_is_throttled_is_asked_again_and_less_often() {
    let mut stage = Stage::new(Mode::Notify);
    let violations = violate(&stage);
    Distant::behind(&mut stage, 1);
    let began = stage.clock.now();
    let report = run(&stage, &What::default()).await;
    assert_eq!((report.violations, report.errors), (violations, 0), "{report:?}");
    assert_eq!(report.resources, stage.account.len());
    assert!(stage.account.len() <= report.throttled, "{report:?}");
    assert_eq!(stage.count("failed"), 0, "nothing remained unseen");
    assert!(began < stage.clock.now(), "it waited");

    // Who is throttled on and on gives up, and says so.
    let mut stage = Stage::new(Mode::Notify);
    violate(&stage);
    Distant::behind(&mut stage, usize::MAX);
    let report = run(&stage, &What::default()).await;
    assert_eq!((report.resources, report.errors), (0, stage.account.len()), "{report:?}");
    assert_eq!(stage.count("failed"), report.errors);
}

/// A look that is throttled when the time is over did not fail, and is not passed over.
#[tokio::test]
async fn what_is_throttled_at_the_end_is_looked_at_by_the_next_scan() {
    let mut cut_short = 0;
    for time_s in 6..16 {
        let mut stage = Stage::new(Mode::Notify);
        let violations = violate(&stage);
        let distant = Distant::behind(&mut stage, 1);
        let everything = stage.account.len();
        let (mut looks, mut found) = (0, BTreeSet::new());
        for scans in 1.. {
            let until = stage.clock.now().checked_add(Duration::from_secs(time_s)).unwrap();
            let what = What {
                until: Some(until),
                resume: true,
                at_once_max: 1,
                looks_per_s_max: 8,
                ..What::default()
            };
            let report = run(&stage, &what).await;
            assert_eq!((report.errors, stage.count("failed")), (0, 0), "{report:?}");
            looks += report.resources;
            found.extend(report.found.into_iter().map(|it| it.key));
            let asked = distant.asked();
            let Some(stopped) = report.stopped else { break };
            let was_asked = |id: &String| asked.iter().any(|it| it.id == *id);
            cut_short += usize::from(stopped.before.as_ref().is_some_and(was_asked));
            assert!(scans < 4 * everything, "it comes to an end");
        }
        assert_eq!((looks, found.len()), (everything, violations), "{time_s} s");
    }
    assert!(0 < cut_short, "none was throttled at the end");
}

#[tokio::test]
async fn what_is_plainly_compliant_is_not_read_whole() {
    let mut stage = Stage::new(Mode::Notify);
    let violations = violate(&stage);
    let distant = Distant::behind(&mut stage, 0);
    assert_eq!(run(&stage, &What::default()).await.violations, violations);
    let whole = distant.read_whole.lock().unwrap().clone();
    let buckets = whole.iter().filter(|it| it.kind == "AWS::S3::Bucket").count();
    assert_eq!(buckets, violations - 1, "only those that violate: {whole:?}");
}

/// Every policy with every bucket of all cases: what only a part of the properties shows is what
/// all of them show.
#[tokio::test]
async fn a_glance_tells_what_a_whole_read_tells() {
    let texts = LIBRARY.folders().iter().flat_map(|it| it.cases.values());
    let states = texts.filter_map(|it| serde_json::from_str::<State>(&it.state).ok());
    let states: Vec<State> = states.filter(|it| it.resource.kind == "AWS::S3::Bucket").collect();
    let told = |it: Finding| (it.key, it.reason, it.severity, it.latent, it.indeterminate);
    let (mut judged, mut violations) = (0, 0);
    for policy in LIBRARY.policies().iter().filter(|it| it.meta().judges("AWS::S3::Bucket")) {
        let properties = LIBRARY.properties_of(policy);
        let properties = properties.unwrap_or_else(|| panic!("`{}` tells nothing", policy.id()));
        for state in &states {
            let resource = &state.resource;
            let account = SimulatedAccount::new(vec![state.clone()], None).unwrap();
            let whole = account.read(resource).await.unwrap().unwrap();
            let part = account.glance(resource, &properties).await.unwrap().unwrap();
            assert!(part.tags.is_empty(), "{part:?}");
            let [whole, part] = [whole, part].map(|it| detect(&[policy], None, &it));
            assert_eq!(whole.indeterminate, part.indeterminate, "{} {resource}", policy.id());
            assert_eq!((whole.errors.len(), part.errors.len()), (0, 0));
            judged += 1;
            violations += whole.findings.len();
            let whole: Vec<_> = whole.findings.into_iter().map(told).collect();
            let part: Vec<_> = part.findings.into_iter().map(told).collect();
            assert_eq!(whole, part, "{} {resource}", policy.id());
        }
    }
    assert!(30 < judged && 10 < violations, "{judged}: {violations}");
}

#[tokio::test]
async fn a_policy_that_comes_to_no_verdict_is_an_error() {
    let mut stage = Stage::new(Mode::Notify);
    violate(&stage);
    let limits = PolicyLimits { policy_instructions_max: 1, ..PolicyLimits::default() };
    let library = Library::load(folder::builtin().unwrap(), &BTreeMap::new(), limits).unwrap();
    stage.pipeline.library = Arc::new(library);
    let report = run(&stage, &What::default()).await;
    assert_eq!((report.violations, report.resolved), (0, 0));
    assert!(stage.account.len() <= report.errors, "{report:?}");
    assert!(report.failed.iter().all(|it| it.error.starts_with("`aws.")), "{report:?}");
}

#[tokio::test]
async fn what_stood_open_before_is_known_and_what_comes_back_is_new() {
    let stage = Stage::new(Mode::Notify);
    let violations = violate(&stage);
    let bucket = bucket_ref("acme-website");
    let sound = stage.account.get(&bucket_ref("acme-terraform-state")).unwrap().properties;
    let block = sound["PublicAccessBlockConfiguration"].clone();
    let set = |block: &Value| {
        let property = "PublicAccessBlockConfiguration";
        stage.account.edit(&bucket, |it| it.properties[property] = block.clone()).unwrap();
    };
    let later = |hours: u64| {
        stage.clock.advance(Duration::from_secs(hours * 3600));
        let since = stage.clock.now();
        stage.clock.advance(Duration::from_secs(3600));
        What { since: Some(since), ..What::default() }
    };
    assert_eq!(run(&stage, &later(1)).await.violations, violations, "all are new");
    let report = run(&stage, &later(1)).await;
    assert_eq!((report.violations, report.known, report.worst), (0, violations, None));
    set(&block);
    assert_eq!(run(&stage, &later(1)).await.resolved, 1);
    set(&json!({}));
    let report = run(&stage, &later(1)).await;
    assert_eq!((report.violations, report.known), (1, violations - 1), "it came back");
    assert_eq!(report.found[0].resource, bucket);
    assert_eq!(run(&stage, &What::default()).await.violations, violations);
}

#[tokio::test]
async fn a_scan_is_told_in_the_formats_of_the_gate() {
    let stage = Stage::new(Mode::Enforce);
    let violations = violate(&stage);
    let scanned = run(&stage, &What::default()).await;
    assert_eq!(scanned.worst, Some(Severity::Critical));
    let report = told::report(&stage.pipeline, &scanned);
    assert_eq!((report.resources, report.entries.len()), (stage.account.len(), violations));
    let trail = trail_ref("audit").id;
    let parsed = |text: String| serde_json::from_str::<Value>(&text).unwrap();

    let document = parsed(json::write(&report));
    assert_eq!(document["summary"]["violations"], json!(violations));
    assert!(document["entries"].as_array().unwrap().iter().any(|it| {
        it["resource"]["id"] == json!(trail)
            && it["reason"].as_str().unwrap().ends_with("; it is fixed by now")
    }));

    let log = parsed(sarif::write(&report));
    let results = log["runs"][0]["results"].as_array().unwrap();
    let location = |it: &Value| it["locations"][0]["logicalLocations"][0].clone();
    let here = json!({ "fullyQualifiedName": trail, "kind": "resource" });
    assert!(results.iter().any(|it| location(it) == here), "{log:#}");
    assert!(results.iter().all(|it| it["locations"][0]["physicalLocation"].is_null()));

    assert!(junit::write(&report).contains(&format!("{trail}: ")));
    assert!(github::write(&report).contains("::error title=aws.cloudtrail.trail_stopped"));
    let issues = parsed(gitlab::write(&report));
    let mut issues = issues.as_array().unwrap().iter();
    assert!(issues.any(|it| it["location"]["path"] == json!(trail)));

    // What was not seen is told, too.
    let mut stage = Stage::new(Mode::Notify);
    Distant::behind(&mut stage, usize::MAX);
    let scanned = run(&stage, &What::default()).await;
    let report = told::report(&stage.pipeline, &scanned);
    assert_eq!(report.summary().errors, scanned.errors);
    assert_eq!(
        parsed(sarif::write(&report))["runs"][0]["invocations"][0]["executionSuccessful"],
        false
    );
}
