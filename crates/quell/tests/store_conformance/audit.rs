//! Proof: what an auditor finds in the tables, and what a checkpoint adds.

use crate::support::*;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_kms::types::{KeySpec, KeyUsageType};
use aws_sdk_s3::types::ObjectLockMode;
use jiff::Timestamp;
use quell::clock::SystemClock;
use quell::config::DynamoConfig;
use quell::journal::Journal as _;
use quell::secret::Secrets;
use quell::secret::config::SecretsConfig;
use quell::store::dynamodb::audit::Reader;
use quell::store::dynamodb::checkpoint::{self, CheckpointingError, Kept};
use quell_core::ledger::ids::Head;
use quell_core::ledger::keys::PublicKey;
use quell_core::ledger::verify::Tampering;
use std::sync::Arc;
use testkit::REGION;

async fn make(
    shared: &Shared,
    settings: &DynamoConfig,
    now: Timestamp,
) -> Result<Kept, CheckpointingError> {
    let clock = Arc::new(SystemClock);
    let secrets = Secrets::new(
        SecretsConfig::default(),
        shared.aws.settings().clone(),
        clock,
        Arc::default(),
    );
    checkpoint::make(&shared.aws, settings, &secrets, now).await
}

/// Two chains of three records each.
async fn two_chains() -> Shared {
    let shared = Shared::new().await;
    let (first, second) = (shared.open(), shared.open());
    for it in 0..3 {
        first.append(now(), vec![done("a", &format!("e-{it}"))]).await.unwrap();
        second.append(now(), vec![done("b", &format!("f-{it}"))]).await.unwrap();
    }
    shared
}

async fn chain(shared: &Shared) -> String {
    let heads = Reader::new(&shared.aws, &shared.settings).heads().await.unwrap();
    assert_eq!(heads.len(), 2);
    heads[0].chain.as_str().to_owned()
}

async fn faults(shared: &Shared) -> Vec<(Tampering, Option<u64>)> {
    let report = Reader::new(&shared.aws, &shared.settings).verify(&[], None).await.unwrap();
    report.faults().map(|it| (it.tampering, it.sequence)).collect()
}

async fn line(shared: &Shared, chain: &str, sequence: u64) -> String {
    let item = shared
        .client
        .get_item()
        .table_name(format!("{}-ledger", shared.settings.name))
        .key("chain", AttributeValue::S(chain.to_owned()))
        .key("sequence", AttributeValue::N(sequence.to_string()))
        .send()
        .await
        .unwrap();
    item.item.unwrap()["line"].as_s().unwrap().clone()
}

/// Somebody with more rights than any role of ours rewrites an item.
async fn rewrite(shared: &Shared, chain: &str, sequence: u64, line: &str) {
    shared
        .client
        .put_item()
        .table_name(format!("{}-ledger", shared.settings.name))
        .item("chain", AttributeValue::S(chain.to_owned()))
        .item("sequence", AttributeValue::N(sequence.to_string()))
        .item("line", AttributeValue::S(line.to_owned()))
        .send()
        .await
        .unwrap();
}

async fn delete(shared: &Shared, chain: &str, sequence: u64) {
    shared
        .client
        .delete_item()
        .table_name(format!("{}-ledger", shared.settings.name))
        .key("chain", AttributeValue::S(chain.to_owned()))
        .key("sequence", AttributeValue::N(sequence.to_string()))
        .send()
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_edited_dropped_or_swapped_item_is_found() {
    let shared = two_chains().await;
    assert_eq!(faults(&shared).await, []);
    let chain = chain(&shared).await;
    let (second, third) = (line(&shared, &chain, 2).await, line(&shared, &chain, 3).await);

    rewrite(&shared, &chain, 2, &second.replacen("\"findings\":1", "\"findings\":0", 1)).await;
    assert_eq!(faults(&shared).await, [(Tampering::Edited, Some(2))]);
    delete(&shared, &chain, 2).await;
    assert_eq!(faults(&shared).await, [(Tampering::Missing, Some(2))]);
    rewrite(&shared, &chain, 2, &third).await;
    rewrite(&shared, &chain, 3, &second).await;
    assert_eq!(faults(&shared).await, [(Tampering::Reordered, Some(2))]);
    rewrite(&shared, &chain, 2, &second).await;
    rewrite(&shared, &chain, 3, &third).await;
    assert_eq!(faults(&shared).await, []);
}

/// A bucket with Object Lock, and a P-256 key in KMS.
async fn with_checkpoints(shared: &mut Shared) -> (aws_sdk_s3::Client, PublicKey) {
    let config = shared.aws.own(REGION);
    let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
    let s3 = aws_sdk_s3::Client::from_conf(s3);
    let bucket = format!("b{}", uuid::Uuid::new_v4().simple());
    let made = s3.create_bucket().bucket(&bucket).object_lock_enabled_for_bucket(true);
    made.send().await.unwrap();
    let kms = aws_sdk_kms::Client::new(&config);
    let key = kms
        .create_key()
        .key_spec(KeySpec::EccNistP256)
        .key_usage(KeyUsageType::SignVerify)
        .send()
        .await
        .unwrap();
    let arn = key.key_metadata.unwrap().arn.unwrap();
    let public = kms.get_public_key().key_id(&arn).send().await.unwrap();
    let public = PublicKey::from_der(public.public_key.unwrap().as_ref()).unwrap();
    shared.settings.checkpoints = Some(format!("s3://{bucket}/quell"));
    shared.settings.signer = Some(format!("kms://{arn}"));
    (s3, public)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_binds_all_chains_and_nobody_can_remove_it() {
    let mut shared = two_chains().await;
    let (s3, public) = with_checkpoints(&mut shared).await;
    let kept = make(&shared, &shared.settings, now()).await.unwrap();
    assert_eq!(kept.checkpoint.heads.len(), 2);
    kept.checkpoint.verify(std::slice::from_ref(&public)).unwrap();

    let (bucket, key) = kept.url.trim_start_matches("s3://").split_once('/').unwrap();
    let head = s3.head_object().bucket(bucket).key(key).send().await.unwrap();
    assert_eq!(head.object_lock_mode(), Some(&ObjectLockMode::Governance));
    let version = head.version_id().unwrap();
    let removed = s3.delete_object().bucket(bucket).key(key).version_id(version).send().await;
    assert!(removed.is_err(), "Object Lock holds it");

    let reader = Reader::new(&shared.aws, &shared.settings);
    let keys = std::slice::from_ref(&public);
    let report = reader.verify(keys, None).await.unwrap();
    assert!(report.intact() && report.signatures_checked, "{report}");
    let since: Vec<_> = report.chains.iter().map(|it| it.unanchored_since).collect();
    assert_eq!(since, [Some(4), Some(4)], "all that is recorded is vouched for");
    let json = kept.checkpoint.to_json();
    let anchored = reader.verify(keys, Some(("anchor", json.as_bytes()))).await.unwrap();
    assert!(anchored.chains.iter().all(|it| it.unanchored_since.is_none()), "{anchored}");

    // The end of a chain is cut off: the tables alone can't tell, the checkpoint does.
    let chain = chain(&shared).await;
    delete(&shared, &chain, 3).await;
    let report = reader.verify(keys, Some(("anchor", json.as_bytes()))).await.unwrap();
    let found: Vec<_> = report.faults().map(|it| (it.tampering, it.sequence)).collect();
    assert_eq!(found, [(Tampering::Truncated, Some(3))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_checkpoint_is_made_over_a_ledger_that_contradicts_the_last() {
    let mut shared = two_chains().await;
    with_checkpoints(&mut shared).await;
    let settings = shared.settings.clone();
    make(&shared, &settings, now()).await.unwrap();
    make(&shared, &settings, in_s(1)).await.unwrap();
    let chain = chain(&shared).await;
    let third = line(&shared, &chain, 3).await;
    delete(&shared, &chain, 3).await;
    let cut = make(&shared, &settings, in_s(2)).await;
    assert!(matches!(cut, Err(CheckpointingError::Contradicted { .. })), "{cut:?}");
    rewrite(&shared, &chain, 3, &third.replacen("\"findings\":1", "\"findings\":0", 1)).await;
    let edited = make(&shared, &settings, in_s(3)).await;
    // The head itself can't be read any more.
    assert!(edited.is_err(), "{edited:?}");
    rewrite(&shared, &chain, 3, &third).await;
    make(&shared, &settings, in_s(4)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_of_a_clock_that_ran_ahead_does_not_stay_the_last() {
    let mut shared = two_chains().await;
    with_checkpoints(&mut shared).await;
    let settings = shared.settings.clone();
    make(&shared, &settings, in_s(7 * 24 * 3600)).await.unwrap();
    let reader = Reader::new(&shared.aws, &settings);
    let before = reader.heads().await.unwrap();
    shared.open().append(now(), vec![done("c", "g-1")]).await.unwrap();
    // S3 tells seconds.
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    make(&shared, &settings, now()).await.unwrap();

    let after = reader.heads().await.unwrap();
    let is_old =
        |it: &Head| before.iter().any(|old| (&old.chain, old.sequence) == (&it.chain, it.sequence));
    let grown = after.iter().find(|it| !is_old(it)).unwrap();
    delete(&shared, grown.chain.as_str(), grown.sequence).await;
    let cut = make(&shared, &settings, in_s(60)).await;
    assert!(matches!(cut, Err(CheckpointingError::Contradicted { .. })), "{cut:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_by_reference_signs_too() {
    let mut shared = two_chains().await;
    with_checkpoints(&mut shared).await;
    let folder = tempfile::tempdir().unwrap();
    let path = camino::Utf8PathBuf::from_path_buf(folder.path().join("key.pem")).unwrap();
    let public = quell::store::keys::generate(&path).unwrap();
    shared.settings.signer = Some(format!("file://{path}"));
    let kept = make(&shared, &shared.settings, now()).await.unwrap();
    kept.checkpoint.verify(&[public.into()]).unwrap();
    shared.settings.signer = None;
    let unsigned = make(&shared, &shared.settings, now()).await;
    assert!(matches!(unsigned, Err(CheckpointingError::Setting { .. })), "{unsigned:?}");
}
