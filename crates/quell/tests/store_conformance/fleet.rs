//! Many functions at once: every violation is fixed exactly once in effect.

use crate::support::*;
use futures::future::join_all;
use quell::clock::SystemClock;
use quell::journal::Journal as _;
use quell::pipeline::{Ack, Pipeline};
use quell::store::dynamodb::Dynamo;
use quell::store::dynamodb::audit::Reader;
use quell_core::decide::guardrails::Guardrails;
use quell_core::history::{History, Status};
use quell_core::record::Fact;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many writers, as functions that run at once.
const WRITERS: usize = 8;
const BUCKETS: usize = 40;

/// Delivers until nothing wants to be delivered again.
async fn deliver(pipeline: &Pipeline, body: &[u8]) {
    for _ in 0..50 {
        match pipeline.handle(body).await.unwrap() {
            Ack::Done => return,
            Ack::Retry(_) => {}
            Ack::DeadLetter(why) => panic!("put aside: {why}"),
        }
    }
    panic!("never done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_writer_gets_every_event_and_each_violation_is_fixed_once() {
    let shared = Shared::new().await;
    let world = Buckets::new(BUCKETS);
    let workers = (0..WRITERS).map(|worker| {
        let journal = Arc::new(shared.open());
        let pipeline = pipeline(Arc::clone(&journal) as _, Arc::clone(&world) as _, rails());
        tokio::spawn(async move {
            for step in 0..BUCKETS {
                // Each in an order of its own, and two events of each bucket.
                let bucket = (step * 7 + worker * 5) % BUCKETS;
                deliver(&pipeline, &body(&name(bucket), &format!("e-{bucket}"))).await;
                deliver(&pipeline, &body(&name(bucket), &format!("f-{bucket}"))).await;
            }
            journal.close().await.unwrap();
        })
    });
    for ended in join_all(workers).await {
        ended.unwrap();
    }
    let once: BTreeMap<String, usize> = (0..BUCKETS).map(|it| (name(it), 1)).collect();
    assert_eq!(world.fixed(), once);

    let reader = Reader::new(&shared.aws, &shared.settings);
    let report = reader.verify(&[], None).await.unwrap();
    assert!(report.intact(), "{report}");
    let records = reader.records().await.unwrap();
    let mut history = History::default();
    let (mut events, mut attempts) = (BTreeSet::new(), 0);
    for record in &records {
        history.apply(record.time, &record.fact);
        match &record.fact {
            Fact::Processed { event, .. } => assert!(events.insert(event), "{event} twice"),
            Fact::Attempted(_) => attempts += 1,
            _ => {}
        }
    }
    assert_eq!((events.len(), attempts), (2 * BUCKETS, BUCKETS));
    assert!(history.findings().all(|it| it.status == Status::Corrected));
    assert_eq!(history.unfinished().count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_storm_on_many_writers_stays_below_the_cap_and_opens_the_breaker() {
    let shared = Shared::new().await;
    let world = Buckets::new(BUCKETS);
    let cap = 10;
    let workers = (0..WRITERS).map(|worker| {
        let journal = Arc::new(shared.open());
        let rails = Guardrails { fleet_changes_max: cap, ..rails() };
        let pipeline = pipeline(Arc::clone(&journal) as _, Arc::clone(&world) as _, rails);
        tokio::spawn(async move {
            for bucket in (worker..BUCKETS).step_by(WRITERS) {
                deliver(&pipeline, &body(&name(bucket), &format!("e-{bucket}"))).await;
            }
        })
    });
    for ended in join_all(workers).await {
        ended.unwrap();
    }
    // The storm may fall across the edge of two windows, which together hold no more than the cap.
    assert_eq!(world.fixed().len(), cap);
    let auditor = shared.open();
    auditor.load().await.unwrap();
    let history = auditor.history();
    let withheld = history.findings().filter(|it| it.status == Status::Withheld).count();
    assert_eq!(withheld, BUCKETS - cap);
    assert!(history.breaker_open(now()).is_some());
}

/// A process that is killed gives nothing back: its runtime is torn down in the middle.
#[test]
fn killing_workers_in_the_middle_loses_nothing() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut shared = runtime.block_on(Shared::new());
    shared.settings.lease_time_s = 1;
    let world = Buckets::new(BUCKETS);
    for round in 0..6 {
        let killed = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        for worker in 0..3 {
            // A client's connections end with its runtime, so each process has its own.
            let aws = killed.block_on(shared.connect());
            let store = Dynamo::new(&aws, shared.settings.clone(), Arc::new(SystemClock));
            let pipeline = pipeline(Arc::new(store), Arc::clone(&world) as _, rails());
            killed.spawn(async move {
                for step in 0..BUCKETS {
                    let bucket = (step + worker * 11 + round * 5) % BUCKETS;
                    let _ = pipeline.handle(&body(&name(bucket), &format!("e-{bucket}"))).await;
                }
            });
        }
        std::thread::sleep(std::time::Duration::from_millis(120 + 40 * round as u64));
        killed.shutdown_background();
    }
    runtime.block_on(async {
        let pipeline = pipeline(Arc::new(shared.open()), Arc::clone(&world) as _, rails());
        for bucket in 0..BUCKETS {
            deliver(&pipeline, &body(&name(bucket), &format!("e-{bucket}"))).await;
        }
        let once: BTreeMap<String, usize> = (0..BUCKETS).map(|it| (name(it), 1)).collect();
        assert_eq!(world.fixed(), once);
        let auditor = shared.open();
        auditor.load().await.unwrap();
        assert_eq!(auditor.history().unfinished().count(), 0);
        let report = Reader::new(&shared.aws, &shared.settings).verify(&[], None).await.unwrap();
        assert!(report.intact(), "{report}");
    });
}
