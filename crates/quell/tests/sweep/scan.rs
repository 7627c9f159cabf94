//! Scans: everything that violates is found, on the path of events, once; nothing unseen is called
//! compliant; what is over is closed; and time that is over is told.

use crate::{ACCOUNT, Stage, event};
use futures::FutureExt as _;
use quell::clock::Clock as _;
use quell::demo::account::{REGION, bucket_ref, trail_ref};
use quell::pipeline::Ack;
use quell::scan::report::ScanReport;
use quell::scan::{Step, What, scan};
use quell::simulation::dice::Dice;
use quell::simulation::faults::Faults;
use quell_core::history::Status;
use quell_core::policy::Mode;
use quell_core::resource::ResourceRef;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

async fn all(stage: &Stage) -> ScanReport {
    scan(&stage.pipeline, &What::default(), &|_, _| {}).await.unwrap()
}

fn violate(stage: &Stage) -> (ResourceRef, ResourceRef) {
    let (bucket, trail) = (bucket_ref("acme-website"), trail_ref("audit"));
    let unblocked = |it: &mut quell_core::resource::State| {
        it.properties.as_object_mut().unwrap().remove("PublicAccessBlockConfiguration");
    };
    stage.account.edit(&bucket, unblocked).unwrap();
    stage.account.edit(&trail, |it| it.properties["IsLogging"] = json!(false)).unwrap();
    (bucket, trail)
}

#[tokio::test]
async fn a_sound_account_has_no_violation() {
    let stage = Stage::new(Mode::Enforce);
    let report = all(&stage).await;
    assert_eq!((report.violations, report.errors, report.stopped), (0, 0, None));
    assert_eq!(report.resources, stage.account.len());
    assert!(stage.facts().is_empty(), "nothing is worth a record: {:?}", stage.facts());
}

#[tokio::test]
async fn what_violates_is_found_and_fixed_without_an_event() {
    let stage = Stage::new(Mode::Enforce);
    let (bucket, trail) = violate(&stage);
    let told = Mutex::new(BTreeSet::new());
    let tell = |step: &Step, _: &ScanReport| {
        told.lock().unwrap().insert(format!("{} {}", step.place.region, step.kind));
    };
    let report = scan(&stage.pipeline, &What::default(), &tell).await.unwrap();
    assert_eq!((report.violations, report.corrected, report.errors), (2, 2, 0), "{report:?}");
    assert_eq!(stage.account.get(&trail).unwrap().properties["IsLogging"], true);
    assert_eq!(stage.status(&bucket), [Status::Corrected]);
    let found: Vec<&str> = report.found.iter().map(|it| it.policy.as_str()).collect();
    assert_eq!(found, ["aws.s3.bucket_public_block", "aws.cloudtrail.trail_stopped"]);
    let told = told.into_inner().unwrap();
    // Global types once, in their home; regional ones in each region.
    assert_eq!(told.iter().filter(|it| it.contains("IAM::Role")).count(), 1, "{told:?}");
    assert_eq!(told.iter().filter(|it| it.contains("S3::Bucket")).count(), 2, "{told:?}");
    let again = all(&stage).await;
    assert_eq!((again.violations, again.errors), (0, 0), "{again:?}");
    assert_eq!(stage.count("attempted"), 2);
}

#[tokio::test]
async fn a_scan_and_an_event_on_one_resource_act_once() {
    let stage = Stage::new(Mode::Enforce);
    let (bucket, _) = violate(&stage);
    let request = json!({ "bucketName": bucket.id });
    let body = event("s3", "DeleteBucketPublicAccessBlock", request, "arn:aws:iam::1:role/x", "r");
    let (ack, report) = tokio::join!(stage.pipeline.handle(&body), all(&stage));
    assert_eq!(ack.unwrap(), Ack::Done);
    assert_eq!(report.errors, 0);
    let attempts = stage.facts().into_iter().filter(
        |it| matches!(it, quell_core::record::Fact::Attempted(it) if it.change.resource == bucket),
    );
    assert_eq!(attempts.count(), 1);
    assert_eq!(stage.findings(&bucket).len(), 1, "one key, however it is found");
}

#[tokio::test]
async fn what_is_over_is_closed() {
    let stage = Stage::new(Mode::Notify);
    let (bucket, trail) = violate(&stage);
    assert_eq!(all(&stage).await.violations, 2);
    assert_eq!(stage.status(&bucket), [Status::Open]);
    // Mended by somebody, and deleted by somebody; no event told of either.
    stage.account.edit(&trail, |it| it.properties["IsLogging"] = json!(true)).unwrap();
    stage.account.set(&bucket, None).unwrap();
    let report = all(&stage).await;
    assert_eq!((report.violations, report.resolved, report.errors), (0, 2, 0), "{report:?}");
    assert_eq!(stage.status(&bucket), [Status::Resolved]);
    assert_eq!(stage.status(&trail), [Status::Resolved]);
}

#[tokio::test]
async fn what_cannot_be_seen_is_an_error_and_closes_nothing() {
    let stage = Stage::new(Mode::Notify);
    let (bucket, trail) = violate(&stage);
    all(&stage).await;
    let blind = Faults { dice: Dice::seeded(1), read_throttled_percent: 100, ..Faults::default() };
    let blind = Stage::with(Mode::Notify, |it| it.failing(faults(&blind)));
    let report = all(&blind).await;
    assert_eq!((report.resources, report.violations), (0, 0));
    assert!(0 < report.errors && report.errors == report.failed.len(), "{report:?}");
    assert!(report.failed.iter().all(|it| it.resource.is_none()), "nothing could be listed");
    assert_eq!(blind.count("failed"), report.errors, "each is in the ledger");
    assert_eq!(
        (stage.status(&bucket), stage.status(&trail)),
        (vec![Status::Open], vec![Status::Open])
    );

    // Half of the calls fail: what could be listed is read, and what could not be read is told.
    let half = Faults { dice: Dice::seeded(3), read_throttled_percent: 40, ..Faults::default() };
    let dim = Stage::with(Mode::Notify, |it| it.failing(faults(&half)));
    let (bucket, _) = violate(&dim);
    let mut seen = false;
    for _ in 0..20 {
        let report = all(&dim).await;
        assert_eq!(report.resolved, 0, "{report:?}");
        seen |= dim.status(&bucket) == [Status::Open];
        let status = dim.status(&bucket);
        assert!(status.is_empty() || status == [Status::Open], "{status:?}");
    }
    assert!(seen, "it was read at least once");
    let unread = dim.facts().into_iter().map(|it| serde_json::to_value(it).unwrap());
    let mut unread = unread.filter(|it| it["fact"] == "failed" && !it["resource"].is_null());
    assert!(unread.next().is_some(), "a resource was listed and could not be read");
}

fn faults(like: &Faults) -> Faults {
    Faults {
        dice: Dice::seeded(1),
        read_throttled_percent: like.read_throttled_percent,
        ..Faults::default()
    }
}

#[tokio::test]
async fn a_scan_stops_when_its_time_is_over_and_says_where() {
    let stage = Stage::new(Mode::Enforce);
    violate(&stage);
    let now = stage.clock.now();
    let what = What { until: Some(now), ..What::default() };
    let report = scan(&stage.pipeline, &what, &|_, _| {}).await.unwrap();
    assert_eq!((report.steps, report.resources), (0, 0));
    assert_eq!(report.stopped.unwrap().before, None);

    // Time runs out while the buckets are looked at.
    let later = now.checked_add(jiff::SignedDuration::from_secs(5)).unwrap();
    let what = What { until: Some(later), regions: vec![REGION.to_owned()], ..What::default() };
    let tick = |step: &Step, _: &ScanReport| {
        let s = if step.kind == "AWS::S3::Bucket" { 5 } else { 0 };
        stage.clock.advance(Duration::from_secs(s));
    };
    let report = scan(&stage.pipeline, &what, &tick).await.unwrap();
    let stopped = report.stopped.unwrap();
    assert_eq!(stopped.step.kind, "AWS::S3::Bucket");
    assert_eq!(stopped.step.place.region, REGION);
    assert!(0 < report.steps, "what came before is done");
}

#[tokio::test]
async fn a_scan_goes_where_it_is_told() {
    let stage = Stage::new(Mode::Observe);
    violate(&stage);
    let regions = vec![REGION.to_owned()];
    let what = What { regions, ..What::default() };
    let report = scan(&stage.pipeline, &what, &|_, _| {}).await.unwrap();
    assert_eq!(report.violations, 1, "the trail's home is another region");
    let what = What { accounts: vec!["999988887777".to_owned()], ..What::default() };
    let report = scan(&stage.pipeline, &what, &|_, _| {}).await.unwrap();
    assert_eq!((report.steps, report.resources), (0, 0));
    let what = What { accounts: vec![ACCOUNT.to_owned()], ..What::default() };
    let report = scan(&stage.pipeline, &what, &|_, _| {}).now_or_never().unwrap().unwrap();
    assert_eq!(report.violations, 2);
}
