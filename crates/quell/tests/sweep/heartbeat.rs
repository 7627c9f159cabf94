//! Heartbeats in the pipeline. Their audit events are made here: that the call leads to one is
//! shown on LocalEmu, by `cargo xtask e2e loop`.

use crate::{ACCOUNT, Stage, WRITE_ROLE, event, rule};
use futures::future::BoxFuture;
use jiff::SignedDuration;
use quell::clock::Clock as _;
use quell::config::HeartbeatConfig;
use quell::heartbeat::{HeartbeatReport, PLACES_AT_ONCE_MAX, heartbeat};
use quell::pipeline::Ack;
use quell_core::change::Change;
use quell_core::decide::authorized::Authorized;
use quell_core::event::CloudScope;
use quell_core::heartbeat::{Beat, Heartbeat, TAG};
use quell_core::policy::Mode;
use quell_core::record::Fact;
use quell_core::resource::{ResourceRef, State};
use quell_library::cloud::{Applied, CloudError, World};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

fn settings() -> HeartbeatConfig {
    HeartbeatConfig::default()
}

/// The account has two regions, and our rule in one of them.
async fn beat(stage: &Stage) -> HeartbeatReport {
    heartbeat(&stage.pipeline, &settings()).await.unwrap()
}

fn nonce(stage: &Stage) -> String {
    stage.account.get(&rule()).unwrap().tags[TAG].clone()
}

/// The audit event of a tag on our rule.
fn tagged(nonce: &str, who: &str, request_id: &str) -> Vec<u8> {
    let arn = format!("arn:aws:events:eu-central-1:{ACCOUNT}:rule/quell-heartbeat");
    let tags = json!([{ "key": TAG, "value": nonce }]);
    event("events", "TagResource", json!({ "resourceARN": arn, "tags": tags }), who, request_id)
}

/// The request id of the call that wrote this nonce.
fn request_id(stage: &Stage, wanted: &str) -> String {
    let ids = stage.facts().into_iter().find_map(|it| match it {
        Fact::Heartbeat { heartbeat, step: Beat::Written { request_ids } }
            if heartbeat.nonce == wanted =>
        {
            request_ids.first().cloned()
        }
        _ => None,
    });
    ids.unwrap()
}

fn steps(stage: &Stage) -> Vec<Beat> {
    let steps = stage.facts().into_iter().filter_map(|it| match it {
        Fact::Heartbeat { heartbeat, step } if heartbeat.rule == rule() => Some(step),
        _ => None,
    });
    steps.collect()
}

#[tokio::test]
async fn what_was_written_comes_back_and_is_concluded_once() {
    let stage = Stage::new(Mode::Enforce);
    let report = beat(&stage).await;
    assert_eq!((report.written, report.late), (1, 0));
    assert_eq!(report.failed.len(), 1, "the other region has no such rule: {report:?}");
    let nonce = nonce(&stage);
    assert_eq!(nonce.len(), 32);
    stage.clock.advance(Duration::from_secs(90));
    let body = tagged(&nonce, WRITE_ROLE, &request_id(&stage, &nonce));
    assert_eq!(stage.pipeline.handle(&body).await.unwrap(), Ack::Done);
    let steps = steps(&stage);
    let [Beat::Sent, Beat::Written { .. }, Beat::Returned { after_ms: 90_000, .. }] = &steps[..]
    else {
        panic!("{steps:?}")
    };
    let facts = stage.facts().len();
    assert_eq!(stage.pipeline.handle(&body).await.unwrap(), Ack::Done);
    assert_eq!(stage.facts().len(), facts, "a duplicate says nothing new");
    assert_eq!(stage.count("impostor"), 0);
    assert_eq!(stage.count("decided"), 0, "it is no violation");
}

#[tokio::test]
async fn each_beat_has_a_nonce_of_its_own_and_the_order_does_not_matter() {
    let stage = Stage::new(Mode::Enforce);
    let mut nonces = Vec::new();
    for _ in 0..3 {
        beat(&stage).await;
        nonces.push(nonce(&stage));
        stage.clock.advance(Duration::from_secs(300));
    }
    for nonce in nonces.iter().rev() {
        let body = tagged(nonce, WRITE_ROLE, &request_id(&stage, nonce));
        assert_eq!(stage.pipeline.handle(&body).await.unwrap(), Ack::Done);
    }
    let back = steps(&stage).into_iter().filter(|it| matches!(it, Beat::Returned { .. }));
    assert_eq!(back.count(), 3);
    assert_eq!(stage.count("impostor"), 0);
}

#[tokio::test]
async fn silence_is_reported_once_for_each_beat() {
    let stage = Stage::new(Mode::Enforce);
    beat(&stage).await;
    let first = nonce(&stage);
    stage.clock.advance(Duration::from_secs(900));
    assert_eq!(beat(&stage).await.late, 0, "just in time");
    stage.clock.advance(Duration::from_secs(1));
    assert_eq!(beat(&stage).await.late, 1);
    let late: Vec<Beat> =
        steps(&stage).into_iter().filter(|it| matches!(it, Beat::Late { .. })).collect();
    assert_eq!(late, [Beat::Late { waited_s: 901 }]);
    stage.clock.advance(Duration::from_secs(1));
    assert_eq!(beat(&stage).await.late, 0, "it was reported");
    let body = tagged(&first, WRITE_ROLE, &request_id(&stage, &first));
    assert_eq!(stage.pipeline.handle(&body).await.unwrap(), Ack::Done);
    assert_eq!(stage.count("impostor"), 0, "late is not false");
}

#[tokio::test]
async fn a_tag_under_our_name_that_we_did_not_write_is_an_impostors() {
    let stage = Stage::new(Mode::Enforce);
    beat(&stage).await;
    let nonce = nonce(&stage);
    for (value, request) in [("guessed", "r-1"), (nonce.as_str(), "r-2")] {
        let body = tagged(value, WRITE_ROLE, request);
        assert_eq!(stage.pipeline.handle(&body).await.unwrap(), Ack::Done);
        assert_eq!(stage.pipeline.handle(&body).await.unwrap(), Ack::Done);
    }
    assert_eq!(stage.count("impostor"), 2);
    assert!(!steps(&stage).iter().any(|it| matches!(it, Beat::Returned { .. })));
    // Under another name it is nobody's heartbeat and no alert.
    let stranger = "arn:aws:iam::111122223333:role/contractor";
    let body = tagged(&nonce, stranger, &request_id(&stage, &nonce));
    assert_eq!(stage.pipeline.handle(&body).await.unwrap(), Ack::Done);
    assert_eq!(stage.count("impostor"), 2);
    assert!(!steps(&stage).iter().any(|it| matches!(it, Beat::Returned { .. })));
}

#[tokio::test]
async fn no_rule_no_heartbeat_and_that_is_recorded() {
    let stage = Stage::new(Mode::Enforce);
    stage.account.set(&rule(), None).unwrap();
    let report = beat(&stage).await;
    assert_eq!((report.written, report.failed.len()), (0, 2), "{report:?}");
    stage.clock.advance(Duration::from_secs(2_000));
    assert_eq!(beat(&stage).await.late, 0, "what was not written is not waited for");
}

#[tokio::test]
async fn places_are_beaten_side_by_side_and_none_is_begun_too_late() {
    let regions = PLACES_AT_ONCE_MAX + 4;
    let places: Vec<CloudScope> = (0..regions)
        .map(|it| CloudScope { account: ACCOUNT.to_owned(), region: format!("eu-test-{it}") })
        .collect();
    let mut stage = Stage::new(Mode::Enforce);
    let world = Arc::new(Slow { places, at_once: AtomicUsize::new(0), most: AtomicUsize::new(0) });
    stage.pipeline.world = Arc::clone(&world) as Arc<dyn World>;
    let report = beat(&stage).await;
    assert_eq!((report.written, report.not_begun), (regions, 0), "{report:?}");
    assert_eq!(world.most.load(Ordering::SeqCst), PLACES_AT_ONCE_MAX);

    let soon = stage.clock.now().checked_add(SignedDuration::from_secs(9)).unwrap();
    stage.pipeline.deadline.set(Some(soon));
    let report = beat(&stage).await;
    assert_eq!((report.written, report.not_begun), (0, regions), "{report:?}");
    assert_eq!(stage.count("failed"), 1, "blind there, and that must alarm");
}

/// A cloud of many regions that are slow to answer, and which counts how many are asked at once.
struct Slow {
    places: Vec<CloudScope>,
    at_once: AtomicUsize,
    most: AtomicUsize,
}

impl World for Slow {
    fn read<'a>(
        &'a self,
        _resource: &'a ResourceRef,
    ) -> BoxFuture<'a, Result<Option<State>, CloudError>> {
        Box::pin(async { Ok(None) })
    }

    fn apply<'a>(
        &'a self,
        _change: &'a Authorized<Change>,
        _session: &'a str,
    ) -> BoxFuture<'a, Result<Applied, CloudError>> {
        Box::pin(async { Err(CloudError::unsupported("apply", "nothing is fixed here")) })
    }

    fn places(&self) -> Vec<CloudScope> {
        self.places.clone()
    }

    fn beat<'a>(
        &'a self,
        _heartbeat: &'a Authorized<Heartbeat>,
    ) -> BoxFuture<'a, Result<Applied, CloudError>> {
        Box::pin(async {
            let asked = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(asked, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            self.at_once.fetch_sub(1, Ordering::SeqCst);
            Ok(Applied::default())
        })
    }
}
