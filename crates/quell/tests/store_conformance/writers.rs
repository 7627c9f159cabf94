//! Several writers on the same tables: leases, fences, chains, the common budget.

use crate::support::*;
use aws_sdk_dynamodb::types::AttributeValue;
use futures::future::join_all;
use quell::clock::Clock as _;
use quell::journal::{FleetCap, Journal, JournalError, Reserved};
use quell::pipeline::Ack;
use quell::simulation::clock::SimulatedClock;
use quell::store::dynamodb::audit::Reader;
use quell::telemetry::metric::{Dimension, Metric};
use quell::telemetry::watched::Watched;
use quell::telemetry::{Samples, Series, Telemetry};
use quell_core::history::Status;
use quell_core::ledger::chain::Chain;
use quell_core::ledger::ids::ChainId;
use quell_core::ledger::line::FactJson;
use quell_core::record::Fact;
use quell_core::resource::State;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_is_one_writers_and_brings_the_next_up_to_date() {
    let shared = Shared::new().await;
    let (first, second) = (shared.open(), shared.open());
    let turn = first.turn(&resource("a"), None).await.unwrap();
    first.append(now(), vec![decided("a"), attempted("a")]).await.unwrap();
    let waiting = tokio::spawn(async move {
        let turn = second.turn(&resource("a"), None).await.unwrap();
        let status = second.history().finding("key-a").unwrap().status;
        turn.release().await;
        status
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!waiting.is_finished(), "the first writer has the turn");
    first.append(now(), vec![concluded("a", "r")]).await.unwrap();
    turn.release().await;
    assert_eq!(waiting.await.unwrap(), Status::Corrected);
}

/// Somebody who may write to the state table, and to nothing else, makes lines whose digests are
/// right.
#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_state_table_alone_commands_nothing() {
    let shared = Shared::new().await;
    let forged = |fact: &Fact| {
        let mut line = String::new();
        let chain = ChainId::new("forged").unwrap();
        let json = FactJson::encode(fact).unwrap();
        Chain::new(chain).seal(now(), (), &json, &mut line);
        line.trim_end().to_owned()
    };
    let put = async |partition: &str, sort: &str, line: String| {
        let text = |it: &str| AttributeValue::S(it.to_owned());
        let put = shared.client.put_item().table_name(format!("{}-state", shared.settings.name));
        let put = put.item("pk", text(partition)).item("sk", text(sort));
        put.item("line", text(&line)).send().await.unwrap();
    };
    let of_a = "resource#AWS::S3::Bucket#111122223333#eu-central-1#a";
    put(of_a, "fact#00000000000000000009#000001", forged(&attempted("a"))).await;

    let store = shared.open();
    let refused = store.turn(&resource("a"), None).await.unwrap_err();
    assert!(matches!(&refused, JournalError::Broken(it) if it.contains("the ledger does not")));
    assert_eq!(store.history().unfinished().count(), 0);
    // Another resource is not concerned, until it is everybody's exemption.
    drop(store.turn(&resource("b"), None).await.unwrap());
    let removed =
        Fact::ExemptionRemoved { id: "website".to_owned(), by: "eve".to_owned(), reason: None };
    put("fleet", "exemption#website", forged(&removed)).await;
    assert!(matches!(store.turn(&resource("b"), None).await, Err(JournalError::Broken(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_turn_forever() {
    let mut shared = Shared::new().await;
    shared.settings.lease_wait_max_ms = 300;
    let (first, second) = (shared.open(), shared.open());
    let turn = first.turn(&resource("a"), None).await.unwrap();
    let refused = second.turn(&resource("a"), None).await;
    assert!(matches!(refused, Err(JournalError::Later(_))), "{refused:?}");
    turn.release().await;
    second.turn(&resource("a"), None).await.unwrap().release().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_whose_lease_ran_out_cannot_record() {
    let shared = Shared::new().await;
    let clock = Arc::new(SimulatedClock::at(now()));
    let (first, second) = (shared.open_at(Arc::clone(&clock) as _), shared.open_at(clock.clone()));
    let frozen = first.turn(&resource("a"), None).await.unwrap();
    first.append(clock.now(), vec![decided("a")]).await.unwrap();
    clock.advance(Duration::from_secs(shared.settings.lease_time_s));
    let turn = second.turn(&resource("a"), None).await.unwrap();
    let late = first.append(clock.now(), vec![attempted("a")]).await;
    assert!(matches!(late, Err(JournalError::Later(_))), "{late:?}");
    second.append(clock.now(), vec![attempted("a")]).await.unwrap();
    // Its end must not take the turn from who has it now.
    frozen.release().await;
    second.append(clock.now(), vec![concluded("a", "r")]).await.unwrap();
    turn.release().await;
    let records = Reader::new(&shared.aws, &shared.settings).records().await.unwrap();
    assert_eq!(records.len(), 3, "the late one is nowhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_about_a_resource_is_recorded_in_its_turn_only() {
    let shared = Shared::new().await;
    let writer = shared.open();
    let refused = writer.append(now(), vec![decided("a")]).await;
    assert!(matches!(refused, Err(JournalError::Later(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_is_taken_up_again_and_never_extended_by_two() {
    let shared = Shared::new().await;
    let clock = Arc::new(SimulatedClock::at(now()));
    let first = shared.open_at(Arc::clone(&clock) as _);
    first.append(clock.now(), vec![done("a", "e-1")]).await.unwrap();
    // The first is frozen for so long that its chain counts as left.
    let later = Arc::new(SimulatedClock::at(in_s(24 * 3600)));
    let second = shared.open_at(Arc::clone(&later) as _);
    second.append(later.now(), vec![done("a", "e-2")]).await.unwrap();
    first.append(clock.now(), vec![done("a", "e-3")]).await.unwrap();
    let reader = Reader::new(&shared.aws, &shared.settings);
    let heads = reader.heads().await.unwrap();
    let mut lengths: Vec<u64> = heads.iter().map(|it| it.sequence).collect();
    lengths.sort_unstable();
    assert_eq!(lengths, [1, 2], "two in the first chain, one in a new one");
    assert!(reader.verify(&[], None).await.unwrap().intact());

    first.close().await.unwrap();
    second.close().await.unwrap();
    for it in 0..4 {
        let next = shared.open();
        next.append(now(), vec![done("a", &format!("e-1{it}"))]).await.unwrap();
        next.close().await.unwrap();
    }
    let chains = reader.heads().await.unwrap().len();
    assert_eq!(chains, 2, "writers that follow each other need no chain of their own");
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_that_race_for_the_budget_get_exactly_the_cap() {
    let shared = Shared::new().await;
    let cap = FleetCap { changes_max: 7, window_s: 600 };
    let at = "2026-11-23T12:00:01Z".parse().unwrap();
    let granted = AtomicUsize::new(0);
    let writers: Vec<_> = (0..8).map(|_| shared.open()).collect();
    join_all(writers.iter().map(async |writer| {
        for _ in 0..3 {
            match writer.reserve(at, cap).await.unwrap() {
                Reserved::Granted => drop(granted.fetch_add(1, Ordering::SeqCst)),
                Reserved::OverCap { changes } => assert_eq!(changes, 7),
            }
        }
    }))
    .await;
    assert_eq!(granted.load(Ordering::SeqCst), 7);
    let reserve = async |seconds: i64, changes_max: usize| {
        let later = at.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap();
        writers[0].reserve(later, FleetCap { changes_max, ..cap }).await.unwrap()
    };
    // The window before counts too, so that no ten minutes hold more than the cap.
    assert_eq!(reserve(600, 7).await, Reserved::OverCap { changes: 7 });
    assert_eq!(reserve(600, 8).await, Reserved::Granted, "a person raised the cap");
    assert_eq!(reserve(600, 8).await, Reserved::OverCap { changes: 8 });
    assert_eq!(reserve(1200, 7).await, Reserved::Granted);
}

/// What a new process measures of an event: whether resource and actor violate again.
async fn repeated(shared: &Shared, world: &Arc<Buckets>, body: &[u8]) -> (bool, bool) {
    let telemetry = Arc::new(Telemetry::default());
    let journal = Watched::new(Arc::new(shared.open()), Arc::clone(&telemetry));
    let mut pipeline = pipeline(Arc::new(journal), Arc::clone(world) as _, rails());
    pipeline.observer = telemetry.observer();
    assert_eq!(pipeline.handle(body).await.unwrap(), Ack::Done);
    let taken = telemetry.take(now());
    let is_counted = |by: &str| {
        let labels = vec![(Dimension::By, by.to_owned())];
        let found = taken.get(&Series { metric: Metric::RepeatedViolations, labels });
        matches!(found, Some(Samples::One(it)) if 0.0 < *it)
    };
    (is_counted("resource"), is_counted("actor"))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_violates_again_is_known_to_every_process() {
    let shared = Shared::new().await;
    let world = Buckets::new(2);
    assert_eq!(repeated(&shared, &world, &body(&name(0), "e-1")).await, (false, false));
    assert_eq!(repeated(&shared, &world, &body(&name(0), "e-1")).await, (false, false));
    assert_eq!(repeated(&shared, &world, &body(&name(1), "e-2")).await, (false, true));
    let block = "PublicAccessBlockConfiguration";
    let off = |it: &mut State| {
        it.properties.as_object_mut().unwrap().remove(block);
    };
    world.account.edit(&resource(&name(0)), off).unwrap();
    assert_eq!(repeated(&shared, &world, &body(&name(0), "e-3")).await, (true, true));
}
