//! A throttled DynamoDB, and one whose answers get lost. The faults are injected by [`proxy`], a
//! labeled stand-in; behind it is the real ministack.

use crate::proxy::{self, Faults};
use crate::support::*;
use aws_sdk_dynamodb::types::AttributeValue;
use quell::clock::SystemClock;
use quell::config::Config;
use quell::journal::Journal;
use quell::lambda::input::{Attributes, Message};
use quell::lambda::queue;
use quell::pipeline::Ack;
use quell::runtime::Runtime;
use quell::secret::Secrets;
use quell::secret::config::SecretsConfig;
use quell::store::dynamodb::Dynamo;
use quell::store::dynamodb::audit::Reader;
use quell::telemetry::Telemetry;
use quell_core::record::Fact;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use testkit::Ministack;

async fn behind_a_proxy(shared: &Shared) -> (Arc<Faults>, Arc<Dynamo>) {
    let faults = Arc::new(Faults::default());
    let endpoint = Ministack::shared(false).unwrap().endpoint();
    let aws = aws(&proxy::start(&endpoint, Arc::clone(&faults))).await;
    let store = Dynamo::new(&aws, shared.settings.clone(), Arc::new(SystemClock));
    (faults, Arc::new(store))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_throttling_is_ridden_out() {
    let shared = Shared::new().await;
    let world = Buckets::new(3);
    let (faults, store) = behind_a_proxy(&shared).await;
    let pipeline = pipeline(Arc::clone(&store) as _, Arc::clone(&world) as _, rails());
    for it in 0..3 {
        faults.throttle.store(2, Ordering::SeqCst);
        let ack = pipeline.handle(&body(&name(it), &format!("e-{it}"))).await.unwrap();
        assert_eq!(ack, Ack::Done);
    }
    assert_eq!(faults.throttled.load(Ordering::SeqCst), 6, "it was throttled");
    assert_eq!(world.fixed().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_throttling_means_again_later_and_nothing_is_lost() {
    let shared = Shared::new().await;
    let world = Buckets::new(1);
    let (faults, store) = behind_a_proxy(&shared).await;
    let pipeline = pipeline(Arc::clone(&store) as _, Arc::clone(&world) as _, rails());
    faults.throttle.store(usize::MAX, Ordering::SeqCst);
    let ack = pipeline.handle(&body(&name(0), "e-1")).await.unwrap();
    assert!(matches!(ack, Ack::Retry(_)), "{ack:?}");
    assert!(world.fixed().is_empty(), "nothing is done that is not recorded");
    faults.throttle.store(0, Ordering::SeqCst);
    assert_eq!(pipeline.handle(&body(&name(0), "e-1")).await.unwrap(), Ack::Done);
    assert_eq!(world.fixed(), [(name(0), 1)].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_neither_a_second_record_nor_a_second_fix() {
    let shared = Shared::new().await;
    let world = Buckets::new(4);
    let (faults, store) = behind_a_proxy(&shared).await;
    let pipeline = pipeline(Arc::clone(&store) as _, Arc::clone(&world) as _, rails());
    for it in 0..4 {
        // The SDK repeats the call under the same token; the store must not record it twice.
        faults.lose_answer.store(1, Ordering::SeqCst);
        let ack = pipeline.handle(&body(&name(it), &format!("e-{it}"))).await.unwrap();
        assert_eq!(ack, Ack::Done);
    }
    assert_eq!(world.fixed().len(), 4);
    let reader = Reader::new(&shared.aws, &shared.settings);
    let report = reader.verify(&[], None).await.unwrap();
    assert!(report.intact(), "{report}");
    let words: Vec<&str> = reader.records().await.unwrap().iter().map(kind).collect();
    let count = |word: &str| words.iter().filter(|it| **it == word).count();
    assert_eq!((count("attempted"), count("concluded"), count("processed")), (4, 4, 4));
}

fn kind(record: &quell_core::ledger::line::Record<Fact>) -> &'static str {
    match &record.fact {
        Fact::Attempted(_) => "attempted",
        Fact::Concluded { .. } => "concluded",
        Fact::Processed { .. } => "processed",
        _ => "other",
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_once_is_recorded_by_one_of_many_writers() {
    let shared = Shared::new().await;
    let letter = |digest: &str| Fact::DeadLettered {
        source: "lambda".to_owned(),
        reason: "no JSON".to_owned(),
        digest: digest.to_owned(),
        bytes: 1,
        file: None,
    };
    for _ in 0..3 {
        let store = shared.open();
        store.append(now(), vec![letter("a"), done("a", "e-1"), letter("b")]).await.unwrap();
    }
    let records = Reader::new(&shared.aws, &shared.settings).records().await.unwrap();
    let letters = records.iter().filter(|it| matches!(it.fact, Fact::DeadLettered { .. }));
    assert_eq!((letters.count(), records.len()), (2, 3));
}

/// One item of one resource can't be read any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_corrupt_resource_takes_no_other_message_of_its_batch_with_it() {
    let shared = Shared::new().await;
    let world = Buckets::new(3);
    let text = |it: &str| AttributeValue::S(it.to_owned());
    let partition = format!("resource#AWS::S3::Bucket#111122223333#eu-central-1#{}", name(0));
    let put = shared.client.put_item().table_name(format!("{}-state", shared.settings.name));
    let put = put.item("pk", text(&partition)).item("line", text("no line of a ledger"));
    put.item("sk", text("fact#00000000000000000000#000001")).send().await.unwrap();

    let store: Arc<dyn Journal> = Arc::new(shared.open());
    let clock = Arc::new(SystemClock);
    let telemetry: Arc<Telemetry> = Arc::default();
    let settings = (SecretsConfig::default(), shared.aws.settings().clone());
    let runtime = Runtime {
        config: Config::default(),
        left_out: Vec::new(),
        pipeline: Arc::new(pipeline(Arc::clone(&store), Arc::clone(&world) as _, rails())),
        store,
        data_dir: Default::default(),
        live: None,
        secrets: Arc::new(Secrets::new(settings.0, settings.1, clock, Arc::clone(&telemetry))),
        telemetry,
    };
    let message = |at: usize| Message {
        message_id: format!("message-{at}"),
        receipt_handle: String::new(),
        body: String::from_utf8(body(&name(at), &format!("e-{at}"))).unwrap(),
        attributes: Attributes::default(),
        queue_arn: String::new(),
    };
    let batch = queue::batch(&runtime, (0..3).map(message).collect()).await;
    let failures = serde_json::json!([{ "itemIdentifier": "message-0" }]);
    assert_eq!(batch.answer["batchItemFailures"], failures);
    assert!(batch.is_broken, "the ledger is opened anew");
    assert_eq!(world.fixed(), [(name(1), 1), (name(2), 1)].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_store_nothing_is_acknowledged() {
    // Nothing listens there.
    let aws = aws("http://127.0.0.1:9").await;
    let settings = quell::config::DynamoConfig::named("nowhere");
    let store = Arc::new(Dynamo::new(&aws, settings, Arc::new(SystemClock)));
    let world = Buckets::new(1);
    let pipeline = pipeline(Arc::clone(&store) as _, Arc::clone(&world) as _, rails());
    let ack = pipeline.handle(&body(&name(0), "e-1")).await.unwrap();
    assert!(matches!(ack, Ack::Retry(_)), "{ack:?}");
    assert!(world.fixed().is_empty());
    // Opening it made no call, nor does an event that no policy wants.
    let other = br#"{"eventVersion":"1.09","eventID":"x","eventTime":"2026-11-23T12:00:00Z",
        "eventName":"GetObject","eventSource":"s3.amazonaws.com","awsRegion":"eu-central-1",
        "eventType":"AwsApiCall","recipientAccountId":"111122223333",
        "userIdentity":{"type":"Root","accountId":"111122223333"}}"#;
    assert_eq!(pipeline.handle(other).await.unwrap(), Ack::Done);
}
