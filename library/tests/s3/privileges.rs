//! Least privilege, proven by an emulator that enforces IAM: roles that hold what `quell iam`
//! prints can read, fix and undo; without any one of those permissions they can't; and a session
//! that makes a change can make no other.

use crate::bench::{
    Bench, MINISTACK_ACCOUNT, account_block, bench, document, kept_statements, read_statement,
};
use aws_sdk_s3::types::BucketCannedAcl;
use quell_core::policy::Mode;
use quell_core::resource::{Permission, Purpose};
use quell_library::aws::AccountAccess;
use quell_library::aws::s3::client;
use quell_library::cloud::{CloudError, CloudErrorKind};
use quell_library::permissions::{document as policy_document, fill_wide, needed};
use serde_json::json;
use std::collections::BTreeSet;
use testkit::{Ministack, REGION};

const PURPOSES: [(Purpose, &str); 3] = [
    (Purpose::Read, "quell-s3-read"),
    (Purpose::Write, "quell-s3-write"),
    (Purpose::Undo, "quell-s3-undo"),
];

#[tokio::test]
async fn the_declared_permissions_are_enough_and_each_is_needed() {
    let bench = in_roles().await;
    let iam = administrator(&bench).await;
    let declared = declared();
    for (purpose, role) in PURPOSES {
        create_role(&iam, role).await;
        grant(&iam, role, &declared, purpose).await;
    }
    everything(&bench, "privileges").await.unwrap();

    for (at, missing) in declared.iter().enumerate() {
        let (_, role) = PURPOSES.into_iter().find(|(it, _)| *it == missing.purpose).unwrap();
        let mut rest = declared.clone();
        rest.remove(missing);
        grant(&iam, role, &rest, missing.purpose).await;
        let error = everything(&bench, &format!("privileges-{at}")).await.unwrap_err();
        assert_eq!(error.kind, CloudErrorKind::Denied, "without {missing:?}: {error}");
        assert_eq!(error.operation, missing.action, "without {missing:?}: {error}");
        grant(&iam, role, &declared, missing.purpose).await;
    }
    session_makes_one_change(&bench).await;
}

/// Every read, fix and undo that S3 has, on a bucket of its own and on the account.
async fn everything(bench: &Bench, name: &str) -> Result<(), CloudError> {
    let account = account_block(MINISTACK_ACCOUNT);
    let admin = client::accounts(&bench.live.aws().own(REGION));
    admin.delete_public_access_block().account_id(MINISTACK_ACCOUNT).send().await.unwrap();
    let bucket = bench.open_bucket(name).await;
    let mut write = read_statement(name);
    write["Action"] = json!("s3:PutObject");
    bench.put_policy(&bucket, &document(&[read_statement(name), write])).await;
    bench.put_acl(&bucket, BucketCannedAcl::PublicRead).await;

    let mut made = bench.heal("aws.s3.policy_public_statement", &bucket).await?;
    made.extend(bench.heal("aws.s3.acl_public_grant", &bucket).await?);
    made.extend(bench.heal("aws.s3.bucket_public_block", &bucket).await?);
    made.extend(bench.heal("aws.s3.account_public_block", &account).await?);
    for change in made.iter().rev() {
        bench.undo(change).await?;
    }
    Ok(())
}

/// The session of one bucket's ACL change touches neither its policy nor another bucket's ACL.
async fn session_makes_one_change(bench: &Bench) {
    let bucket = bench.open_bucket("session-one").await;
    let other = bench.open_bucket("session-other").await;
    bench.put_acl(&bucket, BucketCannedAcl::PublicRead).await;
    let [tls, _] = kept_statements("session-one");
    bench.put_policy(&bucket, &document(&[tls])).await;
    let found = bench.decide("aws.s3.acl_public_grant", &bucket).await.unwrap();
    let (change, _) = found.unwrap();
    let action = quell_library::action(&change.get().action).unwrap().meta();
    let session =
        client::writer(bench.live.aws(), action, &change, "one-change", REGION).await.unwrap();

    let private = BucketCannedAcl::Private;
    let own = session.put_bucket_acl().bucket(&bucket.id).acl(private.clone()).send().await;
    assert!(own.is_ok(), "{own:?}");
    let others = session.put_bucket_acl().bucket(&other.id).acl(private).send().await;
    assert_eq!(others.unwrap_err().raw_response().unwrap().status().as_u16(), 403);
    let policy = session.delete_bucket_policy().bucket(&bucket.id).send().await;
    assert_eq!(policy.unwrap_err().raw_response().unwrap().status().as_u16(), 403);
}

fn declared() -> BTreeSet<Permission> {
    let library = &crate::bench::LIBRARY;
    let of_s3 = library.policies().iter().filter(|it| it.id().starts_with("aws.s3."));
    let mut needed = needed(library, &of_s3.collect::<Vec<_>>(), |_| Mode::Enforce);
    // What only a scan needs is no part of healing.
    needed.retain(|it| PURPOSES.iter().any(|(purpose, _)| *purpose == it.purpose));
    needed
}

async fn in_roles() -> Bench {
    let role =
        |at: usize| Some(format!("arn:aws:iam::{MINISTACK_ACCOUNT}:role/{}", PURPOSES[at].1));
    let access = AccountAccess {
        read_role: role(0),
        write_role: role(1),
        undo_role: role(2),
        external_id: None,
    };
    bench(Ministack::shared(true).unwrap().endpoint(), MINISTACK_ACCOUNT, access).await
}

async fn administrator(bench: &Bench) -> aws_sdk_iam::Client {
    aws_sdk_iam::Client::new(&bench.live.aws().own(REGION))
}

async fn create_role(iam: &aws_sdk_iam::Client, name: &str) {
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "AWS": format!("arn:aws:iam::{MINISTACK_ACCOUNT}:root") },
            "Action": "sts:AssumeRole",
        }],
    });
    let call = iam.create_role().role_name(name).assume_role_policy_document(trust.to_string());
    call.send().await.unwrap();
}

/// Gives a role what `declared` holds for its purpose, and nothing else.
async fn grant(
    iam: &aws_sdk_iam::Client,
    role: &str,
    declared: &BTreeSet<Permission>,
    purpose: Purpose,
) {
    let own = declared.iter().filter(|it| it.purpose == purpose).copied().collect();
    let policy = policy_document(&own, fill_wide("aws", MINISTACK_ACCOUNT));
    let call = iam.put_role_policy().role_name(role).policy_name("declared");
    call.policy_document(policy.to_string()).send().await.unwrap();
}
