//! S3 against real emulators: violate by the AWS SDK, then read, judge, fix, read back, undo.
//!
//! ministack refuses what the public access block of a bucket refuses, as AWS does; the account's
//! block is tested on moto, which has one. (In ministack it is the testkit's stand-in.)

use crate::bench::{
    LIBRARY, MOTO_ACCOUNT, account_block, bench, document, kept_statements, ministack,
    read_statement,
};
use aws_sdk_s3::types::BucketCannedAcl;
use quell_core::detect::detect;
use quell_core::resource::{ResourceRef, State};
use quell_library::aws::AccountAccess;
use quell_library::aws::s3::{block, bucket, client};
use quell_library::cloud::{CloudErrorKind, World};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use testkit::{Moto, REGION};

#[tokio::test]
async fn a_public_statement_goes_and_comes_back_where_it_was() {
    let bench = ministack().await;
    let bucket = bench.open_bucket("statement").await;
    let [tls, ours] = kept_statements("statement");
    let public = read_statement("statement");
    bench.put_policy(&bucket, &document(&[tls.clone(), public, ours.clone()])).await;
    let before = bench.read(&bucket).await;

    let made = bench.heal("aws.s3.policy_public_statement", &bucket).await.unwrap();
    assert_eq!(made.len(), 1);
    let after = bench.read(&bucket).await;
    assert_eq!(after.properties.get("BucketPolicy"), Some(&document(&[tls, ours])));
    bench.undo_all(&made, &before).await;
}

#[tokio::test]
async fn the_last_statement_takes_the_policy_along() {
    let bench = ministack().await;
    let bucket = bench.open_bucket("last-statement").await;
    let mut write = read_statement("last-statement");
    write["Action"] = json!("s3:PutObject");
    write["Sid"] = json!("PublicWrite");
    let both = [read_statement("last-statement"), write];
    bench.put_policy(&bucket, &document(&both)).await;
    let before = bench.read(&bucket).await;

    let made = bench.heal("aws.s3.policy_public_statement", &bucket).await.unwrap();
    assert_eq!(made.len(), 2);
    assert_eq!(bench.read(&bucket).await.properties.get("BucketPolicy"), None);
    bench.undo_all(&made, &before).await;
}

#[tokio::test]
async fn a_statement_does_not_come_back_into_a_policy_that_is_gone() {
    let bench = ministack().await;
    let bucket = bench.open_bucket("policy-gone").await;
    let [tls, _] = kept_statements("policy-gone");
    bench.put_policy(&bucket, &document(&[tls, read_statement("policy-gone")])).await;
    let made = bench.heal("aws.s3.policy_public_statement", &bucket).await.unwrap();
    bench.s3.delete_bucket_policy().bucket(&bucket.id).send().await.unwrap();

    let error = bench.undo(&made[0]).await.unwrap_err();
    assert_eq!(error.kind, CloudErrorKind::Unsupported, "{error}");
    assert_eq!(bench.read(&bucket).await.properties.get("BucketPolicy"), None);
}

#[tokio::test]
async fn public_grants_go_and_come_back() {
    let bench = ministack().await;
    let bucket = bench.open_bucket("grants").await;
    let private = bench.read(&bucket).await;
    bench.put_acl(&bucket, BucketCannedAcl::PublicReadWrite).await;
    let before = bench.read(&bucket).await;

    let made = bench.heal("aws.s3.acl_public_grant", &bucket).await.unwrap();
    assert_eq!(made.len(), 2);
    assert_eq!(bench.read(&bucket).await.properties, private.properties);
    bench.undo_all(&made, &before).await;
}

/// S3 refuses a policy that is still public, so one statement alone could never go.
#[tokio::test]
async fn public_statements_go_together_where_the_block_demands_it() {
    let bench = ministack().await;
    let bucket = bench.open_bucket("together").await;
    let [tls, _] = kept_statements("together");
    let mut write = read_statement("together");
    write["Action"] = json!("s3:PutObject");
    bench.put_policy(&bucket, &document(&[read_statement("together"), tls.clone(), write])).await;
    let alone = bench.decide("aws.s3.policy_public_statement", &bucket).await.unwrap().unwrap().0;
    bench.block(&bucket, [false, false, true, false]).await;
    let refused = bench.live.apply(&alone, "test").await.unwrap_err();
    assert!(refused.message.contains("BlockPublicPolicy is on"), "{refused}");

    let before = bench.read(&bucket).await;
    let policy = LIBRARY.policy("aws.s3.policy_public_statement").unwrap();
    let action = LIBRARY.action_of(policy, &bucket.kind).unwrap();
    let element = detect(&[policy], None, &before).findings.remove(0).element;
    let plan = action.plan(&before, &element, &policy.params()).unwrap().unwrap();
    assert!(plan.approval.is_some());
    bench.resume(&plan.change).await.unwrap();
    let after = bench.read(&bucket).await;
    assert_eq!(after.properties.get("BucketPolicy"), Some(&document(&[tls])));

    bench.undo(&plan.change).await.unwrap_err();
    bench.block(&bucket, [false; 4]).await;
    bench.undo(&plan.change).await.unwrap();
    let restored = bench.read(&bucket).await;
    assert_eq!(restored.properties.get("BucketPolicy"), before.properties.get("BucketPolicy"));
}

#[tokio::test]
async fn a_missing_block_is_put_and_deleted_again() {
    let bench = ministack().await;
    let bucket = bench.open_bucket("no-block").await;
    let before = bench.read(&bucket).await;
    assert_eq!(before.properties.get(block::PROPERTY), None);

    let made = bench.heal("aws.s3.bucket_public_block", &bucket).await.unwrap();
    let after = bench.read(&bucket).await;
    assert_eq!(after.properties.get(block::PROPERTY), Some(&block::property(|_| Some(true))));
    bench.undo_all(&made, &before).await;
}

#[tokio::test]
async fn a_half_open_block_is_restored_as_it_was() {
    let bench = ministack().await;
    let bucket = bench.open_bucket("half-block").await;
    bench.block(&bucket, [true, true, false, true]).await;
    let before = bench.read(&bucket).await;
    let made = bench.heal("aws.s3.bucket_public_block", &bucket).await.unwrap();
    assert_eq!(made.len(), 1);
    bench.undo_all(&made, &before).await;
}

#[tokio::test]
async fn all_three_heal_and_are_undone_in_reverse() {
    let bench = ministack().await;
    let bucket = bench.open_bucket("all-three").await;
    bench.put_policy(&bucket, &document(&[read_statement("all-three")])).await;
    bench.put_acl(&bucket, BucketCannedAcl::PublicRead).await;
    let before = bench.read(&bucket).await;

    let mut made = bench.heal("aws.s3.policy_public_statement", &bucket).await.unwrap();
    made.extend(bench.heal("aws.s3.acl_public_grant", &bucket).await.unwrap());
    made.extend(bench.heal("aws.s3.bucket_public_block", &bucket).await.unwrap());
    assert_eq!(made.len(), 3);
    bench.undo_all(&made, &before).await;
}

#[tokio::test]
async fn an_undo_that_the_block_prevents_names_the_switch() {
    let bench = ministack().await;
    let bucket = bench.open_bucket("prevented").await;
    bench.put_policy(&bucket, &document(&[read_statement("prevented")])).await;
    bench.put_acl(&bucket, BucketCannedAcl::PublicRead).await;
    let policy = bench.heal("aws.s3.policy_public_statement", &bucket).await.unwrap();
    let acl = bench.heal("aws.s3.acl_public_grant", &bucket).await.unwrap();
    bench.block(&bucket, [true; 4]).await;

    for (change, switch) in [(&policy[0], "BlockPublicPolicy"), (&acl[0], "BlockPublicAcls")] {
        let error = bench.undo(change).await.unwrap_err();
        assert_eq!(error.kind, CloudErrorKind::Denied, "{error}");
        let said = format!("{switch} is on in the bucket's public access block");
        assert!(error.message.contains(&said), "{error}");
    }
}

#[tokio::test]
async fn what_changed_in_the_meantime_is_not_written_over() {
    let bench = ministack().await;
    let bucket = bench.open_bucket("moved").await;
    bench.block(&bucket, [false; 4]).await;
    let made = bench.heal("aws.s3.bucket_public_block", &bucket).await.unwrap();
    bench.block(&bucket, [true, true, true, false]).await;

    let error = bench.undo(&made[0]).await.unwrap_err();
    assert!(error.message.contains("changed in the meantime"), "{error}");
    let found = bench.read(&bucket).await;
    let restrict = found.properties.pointer("/PublicAccessBlockConfiguration/BlockPublicAcls");
    assert_eq!(restrict, Some(&json!(true)));
}

#[tokio::test]
async fn tags_are_read_and_a_missing_bucket_is_none() {
    let bench = ministack().await;
    let bucket = bench.open_bucket("tagged").await;
    let tag = aws_sdk_s3::types::Tag::builder().key("team").value("web").build().unwrap();
    let tagging = aws_sdk_s3::types::Tagging::builder().tag_set(tag).build().unwrap();
    bench.s3.put_bucket_tagging().bucket("tagged").tagging(tagging).send().await.unwrap();
    let state = bench.read(&bucket).await;
    assert_eq!(state.tags, BTreeMap::from([("team".to_owned(), "web".to_owned())]));

    let nowhere = ResourceRef { id: "not-there-at-all".to_owned(), ..bucket };
    assert_eq!(bench.live.read(&nowhere).await, Ok(None));
}

#[tokio::test]
async fn the_account_block_heals_and_is_undone() {
    let bench =
        bench(Moto::shared().unwrap().endpoint(), MOTO_ACCOUNT, AccountAccess::default()).await;
    let account = account_block(MOTO_ACCOUNT);
    let bucket = bench.open_bucket("under-an-account").await;
    let before = bench.read(&account).await;
    assert_eq!(before.properties, json!({}));
    let findings = |state: &State| {
        let policy = LIBRARY.policy("aws.s3.bucket_public_block").unwrap();
        let found = detect(&[policy], None, state).findings;
        found.into_iter().map(|it| it.latent).collect::<Vec<_>>()
    };
    assert_eq!(findings(&bench.read(&bucket).await), [false]);

    let made = bench.heal("aws.s3.account_public_block", &account).await.unwrap();
    assert_eq!(made.len(), 1);
    let on = block::property(|_| Some(true));
    let covered = bench.read(&bucket).await;
    assert_eq!(covered.properties.get("AccountPublicAccessBlockConfiguration"), Some(&on));
    assert_eq!(findings(&covered), [true]);

    bench.undo_all(&made, &before).await;
    assert_eq!(findings(&bench.read(&bucket).await), [false]);
}

/// A stand-in for S3 in the wrong region, which no emulator plays: after STS has said whose the
/// session is, any request is answered as S3 does when the bucket is elsewhere.
#[tokio::test]
async fn the_region_comes_from_a_redirect() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let who = format!(
            "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>{MOTO_ACCOUNT}</Account>\
             </GetCallerIdentityResult></GetCallerIdentityResponse>"
        );
        let moved = "<Error><Code>PermanentRedirect</Code><Message>elsewhere</Message></Error>";
        let answers = [
            ("HTTP/1.1 200 OK\r\n", who.as_str()),
            ("HTTP/1.1 301 Moved Permanently\r\nx-amz-bucket-region: eu-west-3\r\n", moved),
        ];
        for (head, body) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 8192];
            let _ = stream.read(&mut request).unwrap();
            let rest = format!("content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
            stream.write_all(format!("{head}{rest}").as_bytes()).unwrap();
        }
    });
    let bench = bench(endpoint, MOTO_ACCOUNT, AccountAccess::default()).await;
    let bucket = ResourceRef {
        kind: bucket::TYPE.to_owned(),
        id: "elsewhere".to_owned(),
        account: MOTO_ACCOUNT.to_owned(),
        region: REGION.to_owned(),
    };
    let region = client::region_of(bench.live.aws(), &bucket).await;
    assert_eq!(region, Ok(Some("eu-west-3".to_owned())));
}
