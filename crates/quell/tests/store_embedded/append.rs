//! Facts go in, records come out, state follows.

use std::io::Write as _;
use std::sync::Arc;

use quell::store::error::{AppendError, StoreError};
use quell::store::reader::{fold, lines, records};
use quell::store::{APPEND_FACTS_MAX, Store};
use quell_core::ledger::line::FACT_DEPTH_MAX;
use serde_json::{Value, json};

use crate::support::{Fact, Seen, fact, facts, filled, folder, open, options, segments};

#[tokio::test]
async fn what_is_appended_is_folded_replayed_and_there_after_reopening() {
    let (_folder, dir) = folder();
    let store = open(&dir).unwrap();
    let first = store.append(facts(0..3)).await.unwrap();
    let second = store.append(facts(3..4)).await.unwrap();
    assert_eq!(first.iter().map(|it| it.sequence).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(second[0].prev, first[2].digest);
    assert_eq!(store.read(Seen::facts), facts(0..4));
    assert_eq!(store.head().digest, second[0].digest);
    let replayed: Vec<_> = store.replay(2).unwrap().map(|it| it.unwrap()).collect();
    assert_eq!(replayed, store.read(|seen| seen.records[1..].to_vec()));
    store.close().await.unwrap();

    let again = open(&dir).unwrap();
    assert_eq!(again.read(Seen::facts), facts(0..4));
    let third = again.append(facts(4..5)).await.unwrap();
    assert_eq!((third[0].sequence, third[0].prev), (5, second[0].digest));
}

#[tokio::test]
async fn an_empty_append_records_nothing() {
    let (_folder, dir) = folder();
    let store = open(&dir).unwrap();
    assert!(store.append(Vec::new()).await.unwrap().is_empty());
    assert_eq!(store.head().sequence, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_appends_each_get_their_own_records_in_their_own_order() {
    let (_folder, dir) = folder();
    let store = Arc::new(open(&dir).unwrap());
    let mut workers = Vec::new();
    for worker in 0..32 {
        let store = Arc::clone(&store);
        workers.push(tokio::spawn(async move {
            let mut last = 0;
            for number in 0..20 {
                let fact = Fact::Written { worker, number, filler: String::new() };
                let records = store.append(vec![fact.clone(), fact.clone()]).await.unwrap();
                assert_eq!(records[0].fact, fact);
                assert_eq!(records[1].sequence, records[0].sequence + 1, "one append is not cut");
                assert!(last < records[0].sequence);
                last = records[1].sequence;
                assert!(last <= store.head().sequence, "answered after it is folded");
            }
        }));
    }
    for worker in workers {
        worker.await.unwrap();
    }
    assert_eq!(store.head().sequence, 32 * 20 * 2);
}

#[tokio::test]
async fn segments_are_rotated_and_read_across() {
    let (_folder, dir) = folder();
    filled(&dir, &facts(0..20), 1000).await;
    assert_eq!(segments(&dir).len(), 5, "four records of 270 bytes fill 1000");
    let mut seen = Seen::default();
    assert_eq!(fold(&dir, &mut seen).unwrap().unwrap().sequence, 20);
    assert_eq!(seen.facts(), facts(0..20));
    for from in 0..22 {
        let replayed = records::<Fact>(&dir, from).unwrap().unwrap();
        let sequences: Vec<_> = replayed.map(|it| it.unwrap().sequence).collect();
        assert_eq!(sequences, (from.max(1)..=20).collect::<Vec<_>>());
    }
    assert_eq!(open(&dir).unwrap().read(Seen::facts), facts(0..20));
}

#[tokio::test]
async fn lines_are_handed_out_as_they_were_written() {
    let (_folder, dir) = folder();
    filled(&dir, &facts(0..9), 1000).await;
    let written: Vec<u8> =
        segments(&dir).iter().flat_map(|it| std::fs::read(it).unwrap()).collect();
    let mut taken = Vec::new();
    lines(&dir, 0, &mut |bytes| taken.write_all(bytes)).unwrap();
    assert_eq!(taken, written);
    taken.clear();
    lines(&dir, 8, &mut |bytes| taken.write_all(bytes)).unwrap();
    assert!(written.ends_with(&taken));
    assert_eq!(taken.iter().filter(|it| **it == b'\n').count(), 2);
}

#[tokio::test]
async fn a_fact_that_cannot_be_recorded_spoils_its_own_append_only() {
    let (_folder, dir) = folder();
    let mut options = quell::store::Options::new(|_| Value::Null).unwrap();
    options.segment_bytes_max = 1;
    let store = Store::open(&dir, options, Anything).unwrap();
    let mut deep = json!(1);
    for _ in 0..=FACT_DEPTH_MAX {
        deep = json!([deep]);
    }
    let refused = store.append(vec![json!("kept out too"), deep]).await;
    assert!(matches!(refused, Err(AppendError::Fact(_))), "{refused:?}");
    let refused = store.append(vec![json!(0); APPEND_FACTS_MAX + 1]).await;
    assert!(matches!(refused, Err(AppendError::TooManyFacts { .. })), "{refused:?}");
    let records = store.append(vec![json!("fine")]).await.unwrap();
    assert_eq!(records[0].sequence, 1);
}

#[tokio::test]
async fn a_closed_store_takes_nothing_and_can_be_opened_again() {
    let (_folder, dir) = folder();
    let store = open(&dir).unwrap();
    store.append(vec![fact(0)]).await.unwrap();
    store.close().await.unwrap();
    assert!(matches!(store.append(vec![fact(1)]).await, Err(AppendError::Closed)));
    assert!(matches!(store.close().await, Err(StoreError::Closed)));
    assert_eq!(store.read(Seen::facts), facts(0..1), "what was folded can still be read");
    let again = open(&dir).unwrap();
    assert_eq!(again.head().sequence, 1);
}

#[tokio::test]
async fn what_was_taken_before_the_close_is_recorded() {
    let (_folder, dir) = folder();
    let store = open(&dir).unwrap();
    let appends = futures::future::join_all((0..100).map(|it| store.append(vec![fact(it)])));
    let (appended, closed) = tokio::join!(appends, store.close());
    closed.unwrap();
    let taken = appended.iter().filter(|it| it.is_ok()).count() as u64;
    assert_eq!(taken, 100, "they stood in the queue before the close");
    assert_eq!(open(&dir).unwrap().head().sequence, taken);
}

#[test]
fn a_folder_without_a_ledger_is_named() {
    let (_folder, dir) = folder();
    let missing = fold(&dir, &mut Seen::default());
    assert!(matches!(missing, Err(StoreError::NoLedger { .. })), "{missing:?}");
}

#[tokio::test]
async fn a_fact_of_a_later_version_is_named_with_its_record() {
    let (_folder, dir) = folder();
    let store = Store::open(&dir, quell::store::Options::new(|_| Value::Null).unwrap(), Anything);
    store.unwrap().append(vec![json!({"fact": "invented_later"})]).await.unwrap();
    let error = loop {
        match Store::open(&dir, options(), Seen::default()) {
            Err(StoreError::Locked { .. }) => {}
            other => break other.err().unwrap(),
        }
    };
    assert!(matches!(error, StoreError::Fact { sequence: 1, .. }), "{error}");
}

struct Anything;

impl quell::store::Projection<Value> for Anything {
    fn apply(&mut self, _record: &quell_core::ledger::line::Record<Value>) {}
}
