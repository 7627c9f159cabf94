//! What every store must do.

use crate::support::*;
use quell::journal::{Journal, JournalError};
use quell::pipeline::Ack;
use quell_core::exemption::Exemption;
use quell_core::history::Status;
use quell_core::record::{Exempted, Fact};
use quell_core::scope::Scope;
use std::sync::Arc;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_appended_is_known_at_once_and_to_the_next_process() {
    every(async |place| {
        let first = place.open().await;
        let turn = first.turn(&resource("a"), None).await.unwrap();
        first.append(now(), vec![decided("a"), attempted("a")]).await.unwrap();
        first.append(now(), vec![concluded("a", "r-1"), done("a", "e-1")]).await.unwrap();
        turn.release().await;
        assert_known(&*first);
        first.close().await.unwrap();
        drop(first);

        let second = place.open().await;
        let mut event = event("a", "e-1");
        event.request_id = Some("r-1".to_owned());
        let turn = second.turn(&resource("a"), Some(&event)).await.unwrap();
        assert_known(&*second);
        turn.release().await;
        second.load().await.unwrap();
        assert_known(&*second);
        second.close().await.unwrap();
    })
    .await;
}

fn assert_known(journal: &dyn Journal) {
    let history = journal.history();
    assert!(history.has_seen("e-1"), "the event is done");
    assert!(history.is_our_request("r-1"), "the call was ours");
    let open = history.finding("key-a").unwrap();
    assert_eq!((open.status, open.occurrences), (Status::Corrected, 1));
    assert_eq!(history.made_since(in_s(-60)).count(), 1, "each fact counts once");
    assert_eq!(history.unfinished().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_holds_for_the_fleet_is_known_in_every_turn() {
    every(async |place| {
        let exemption = |id: &str| Exemption {
            id: id.to_owned(),
            scope: Scope { resources: vec!["www-*".to_owned()], ..Scope::default() },
            owner: "web".to_owned(),
            reason: "the public website".to_owned(),
            expires: in_s(3600),
        };
        let until = in_s(900);
        let first = place.open().await;
        let facts = vec![
            Fact::Exempted(Exempted { exemption: exemption("kept"), by: None }),
            Fact::Exempted(Exempted { exemption: exemption("gone"), by: Some("eve".to_owned()) }),
            Fact::ExemptionRemoved {
                id: "gone".to_owned(),
                by: "eve".to_owned(),
                reason: Some("r".to_owned()),
            },
            Fact::BreakerOpened { until, reason: "a storm".to_owned() },
        ];
        first.append(now(), facts).await.unwrap();
        first.close().await.unwrap();
        drop(first);
        let second = place.open().await;
        let turn = second.turn(&resource("b"), None).await.unwrap();
        {
            let history = second.history();
            let ids: Vec<&str> = history.exemptions().map(|it| it.id.as_str()).collect();
            assert_eq!(ids, ["kept"]);
            assert_eq!(history.breaker_open(now()), Some(until));
        }
        turn.release().await;
        second.close().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_turn_at_a_time_and_a_dropped_one_is_given_back() {
    every(async |place| {
        let journal = place.open().await;
        let turn = journal.turn(&resource("a"), None).await.unwrap();
        let other = journal.turn(&resource("b"), None).await.unwrap();
        let waiting = tokio::spawn({
            let journal = Arc::clone(&journal);
            async move { journal.turn(&resource("a"), None).await.unwrap().release().await }
        });
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!waiting.is_finished(), "the turn is taken");
        drop(turn);
        waiting.await.unwrap();
        other.release().await;
        journal.close().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_handled_once_however_often_it_comes() {
    every(async |place| {
        let world = Buckets::new(1);
        for _ in 0..2 {
            let journal = place.open().await;
            let pipeline = pipeline(Arc::clone(&journal), Arc::clone(&world) as _, rails());
            for _ in 0..2 {
                assert_eq!(pipeline.handle(&body(&name(0), "e-1")).await.unwrap(), Ack::Done);
            }
            for _ in 0..2 {
                let ack = pipeline.handle(&refused_body(&name(0), "e-2")).await.unwrap();
                assert_eq!(ack, Ack::Done);
            }
            journal.load().await.unwrap();
            assert_eq!(journal.history().findings().count(), 1);
            journal.close().await.unwrap();
        }
        assert_eq!(world.fixed(), [(name(0), 1)].into());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_a_crash_cut_off_is_concluded_by_the_next_delivery() {
    every(async |place| {
        let world = Buckets::new(1);
        let journal = place.open().await;
        let first = pipeline(Arc::clone(&journal), Arc::clone(&world) as _, rails());
        assert_eq!(first.handle(&body(&name(0), "e-1")).await.unwrap(), Ack::Done);
        // What a crash leaves: an attempt, and nothing more. The change itself had gone through.
        let attempt = journal.history().attempts().next().unwrap().1.clone();
        let attempt = quell_core::record::Attempt { id: "cut-off".to_owned(), ..attempt };
        let turn = journal.turn(&resource(&name(0)), None).await.unwrap();
        journal.append(now(), vec![Fact::Attempted(attempt)]).await.unwrap();
        turn.release().await;
        journal.close().await.unwrap();
        drop((first, journal));

        let journal = place.open().await;
        let second = pipeline(Arc::clone(&journal), Arc::clone(&world) as _, rails());
        assert_eq!(second.handle(&body(&name(0), "e-2")).await.unwrap(), Ack::Done);
        assert_eq!(journal.history().unfinished().count(), 0);
        assert_eq!(journal.history().outcome("cut-off").unwrap().word(), "corrected");
        assert_eq!(world.fixed(), [(name(0), 1)].into(), "and it is not made again");
        journal.close().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cap_holds_and_opens_the_breaker() {
    every(async |place| {
        let world = Buckets::new(6);
        let journal = place.open().await;
        let rails = quell_core::decide::guardrails::Guardrails { fleet_changes_max: 4, ..rails() };
        let pipeline = pipeline(Arc::clone(&journal), Arc::clone(&world) as _, rails);
        for it in 0..6 {
            let ack = pipeline.handle(&body(&name(it), &format!("e-{it}"))).await.unwrap();
            assert_eq!(ack, Ack::Done);
        }
        assert_eq!(world.fixed().len(), 4);
        {
            let history = journal.history();
            assert!(history.breaker_open(now()).is_some());
            let withheld = history.findings().filter(|it| it.status == Status::Withheld);
            assert_eq!(withheld.count(), 2);
        }
        journal.close().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fact_that_is_too_large_is_refused_and_the_next_is_taken() {
    every(async |place| {
        if place.kind == Kind::Memory {
            return;
        }
        let journal = place.open().await;
        let failed = |message: String| Fact::Failed {
            problem: quell_core::record::Problem::Read,
            message,
            event: None,
            policy: None,
            resource: None,
        };
        let refused = journal.append(now(), vec![failed("x".repeat(5_000_000))]).await;
        assert!(matches!(refused, Err(JournalError::Refused(_))), "{refused:?}");
        journal.append(now(), vec![failed("small".to_owned())]).await.unwrap();
        journal.close().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_may_be_larger_than_what_is_written_at_once() {
    every(async |place| {
        let journal = place.open().await;
        let turn = journal.turn(&resource("a"), None).await.unwrap();
        let facts: Vec<Fact> = (0..150)
            .map(|number| {
                let mut finding = finding("a");
                finding.key = format!("key-{number:03}");
                finding.evidence = serde_json::json!("e".repeat(30_000));
                let verdict = quell_core::record::Verdict::Remediate;
                Fact::Decided { finding, verdict, change: None, actor: None }
            })
            .collect();
        journal.append(now(), facts).await.unwrap();
        turn.release().await;
        journal.close().await.unwrap();
        drop(journal);
        let journal = place.open().await;
        let turn = journal.turn(&resource("a"), None).await.unwrap();
        assert_eq!(journal.history().findings_on(&resource("a")).count(), 150);
        turn.release().await;
        journal.close().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_scan_keeps_is_there_for_the_next_process() {
    every(async |place| {
        let store = place.open().await;
        assert_eq!(store.kept_scan().await, Ok(None));
        store.keep_scan(None).await.unwrap();
        for text in ["first", "second"] {
            store.keep_scan(Some(text.to_owned())).await.unwrap();
            assert_eq!(store.kept_scan().await, Ok(Some(text.to_owned())));
        }
        store.close().await.unwrap();
        drop(store);
        let store = place.open().await;
        assert_eq!(store.kept_scan().await, Ok(Some("second".to_owned())));
        store.keep_scan(None).await.unwrap();
        assert_eq!(store.kept_scan().await, Ok(None));
        store.close().await.unwrap();
    })
    .await;
}
