//! S3 against real emulators: violate by the AWS SDK, then read, judge, fix, read back, undo.
//!
//! ministack refuses what the public access block of a bucket refuses, as AWS does; the account's
//! block is tested on moto, which has one. (In ministack it is the testkit's stand-in.)
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use aws_sdk_s3::types::{
    BucketCannedAcl, ObjectOwnership, OwnershipControls, OwnershipControlsRule,
    PublicAccessBlockConfiguration,
};
use quell_core::change::Change;
use quell_core::decide::guardrails::Guardrails;
use quell_core::decide::mode::Modes;
use quell_core::decide::{self, Case, decide};
use quell_core::detect::{Finding, detect};
use quell_core::history::History;
use quell_core::policy::Mode;
use quell_core::record::{Attempt, Authority};
use quell_core::resource::{ResourceRef, State, Trust};
use quell_library::Library;
use quell_library::aws::s3::{account, block, bucket, client};
use quell_library::aws::{AccountAccess, Aws, AwsSettings};
use quell_library::cloud::{CloudError, CloudErrorKind, World};
use quell_library::live::Live;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::LazyLock;
use testkit::{ADMIN_ACCESS_KEY_ID, ADMIN_SECRET_ACCESS_KEY, Ministack, Moto, REGION};

const MINISTACK_ACCOUNT: &str = "000000000000";
const MOTO_ACCOUNT: &str = "123456789012";

static LIBRARY: LazyLock<Library> = LazyLock::new(|| Library::builtin().unwrap());

/// A world, and the SDK's client to violate it with.
struct Bench {
    live: Live,
    s3: aws_sdk_s3::Client,
    account: &'static str,
}

async fn bench(endpoint: String, account: &'static str) -> Bench {
    static CREDENTIALS: LazyLock<()> = LazyLock::new(|| {
        // SAFETY: nothing in this process reads the environment other than through `std::env`,
        // which takes turns.
        unsafe {
            std::env::set_var("AWS_ACCESS_KEY_ID", ADMIN_ACCESS_KEY_ID);
            std::env::set_var("AWS_SECRET_ACCESS_KEY", ADMIN_SECRET_ACCESS_KEY);
        }
    });
    LazyLock::force(&CREDENTIALS);
    let settings = AwsSettings {
        endpoint_url: Some(endpoint),
        accounts: BTreeMap::from([(account.to_owned(), AccountAccess::default())]),
        ..AwsSettings::default()
    };
    let aws = Aws::connect(settings).await;
    let s3 = client::buckets(&aws.own(REGION));
    Bench { live: Live::new(aws, Trust::default()), s3, account }
}

async fn ministack() -> Bench {
    bench(Ministack::shared(false).unwrap().endpoint(), MINISTACK_ACCOUNT).await
}

impl Bench {
    /// A bucket whose ACL counts and that nothing blocks, as attackers like it.
    async fn open_bucket(&self, name: &str) -> ResourceRef {
        self.s3.create_bucket().bucket(name).send().await.unwrap();
        self.s3.delete_public_access_block().bucket(name).send().await.unwrap();
        let rule = OwnershipControlsRule::builder()
            .object_ownership(ObjectOwnership::ObjectWriter)
            .build()
            .unwrap();
        let controls = OwnershipControls::builder().rules(rule).build().unwrap();
        let call = self.s3.put_bucket_ownership_controls().bucket(name);
        call.ownership_controls(controls).send().await.unwrap();
        ResourceRef {
            kind: bucket::TYPE.to_owned(),
            id: name.to_owned(),
            account: self.account.to_owned(),
            region: REGION.to_owned(),
        }
    }

    async fn put_policy(&self, bucket: &ResourceRef, document: &Value) {
        let call = self.s3.put_bucket_policy().bucket(&bucket.id);
        call.policy(document.to_string()).send().await.unwrap();
    }

    async fn put_acl(&self, bucket: &ResourceRef, acl: BucketCannedAcl) {
        self.s3.put_bucket_acl().bucket(&bucket.id).acl(acl).send().await.unwrap();
    }

    async fn block(&self, bucket: &ResourceRef, flags: [bool; 4]) {
        let [acls, ignore, policy, restrict] = flags;
        let configuration = PublicAccessBlockConfiguration::builder()
            .block_public_acls(acls)
            .ignore_public_acls(ignore)
            .block_public_policy(policy)
            .restrict_public_buckets(restrict)
            .build();
        let call = self.s3.put_public_access_block().bucket(&bucket.id);
        call.public_access_block_configuration(configuration).send().await.unwrap();
    }

    async fn read(&self, resource: &ResourceRef) -> State {
        self.live.read(resource).await.unwrap().unwrap()
    }

    /// Fixes what a policy finds, one finding after the other, and reads each fix back.
    async fn heal(&self, policy: &str, resource: &ResourceRef) -> Vec<Change> {
        let policy = LIBRARY.policy(policy).unwrap();
        let action = LIBRARY.action_of(policy, &resource.kind).unwrap();
        let mut made = Vec::new();
        loop {
            let state = self.read(resource).await;
            let detection = detect(&[policy], None, &state);
            assert!(detection.errors.is_empty(), "{:?}", detection.errors);
            let Some(finding) = detection.findings.first() else { return made };
            let plan = action.plan(&state, &finding.element, &policy.params());
            let case = Case {
                finding,
                state: &state,
                event: None,
                policy: policy.meta(),
                action: Some(action.meta()),
                plan: &plan,
            };
            let decision = decide(&rails(), &History::default(), &case, state.observed);
            let authorized =
                decision.authorized.unwrap_or_else(|| panic!("{:?}", decision.verdict));
            let applied = self.live.apply(&authorized, "test").await.unwrap();
            assert!(!applied.request_ids.is_empty(), "{applied:?}");
            let after = self.read(resource).await;
            let change = authorized.get().clone();
            assert!(change.is_done(&after.properties), "{} {:#}", change.facet, after.properties);
            assert!(!finds(policy, &after, finding), "{finding:?}");
            made.push(change);
            assert!(made.len() < 10, "does not end: {made:?}");
        }
    }

    async fn undo(&self, change: &Change) -> Result<(), CloudError> {
        let action = quell_library::action(&change.action).unwrap();
        let attempt = Attempt {
            id: "1".to_owned(),
            finding: "f".to_owned(),
            policy: "p".to_owned(),
            severity: quell_core::policy::Severity::High,
            event: None,
            change: change.clone(),
            authority: Authority::Policy,
            reversibility: action.meta().reversibility,
            undoes: None,
        };
        let authorized = decide::undo(&rails(), &attempt, action.meta()).unwrap();
        self.live.apply(&authorized, "test-undo").await.map(drop)
    }

    /// Undoes the newest change first, and expects all to be as it was.
    async fn undo_all(&self, changes: &[Change], before: &State) {
        for change in changes.iter().rev() {
            self.undo(change).await.unwrap();
        }
        let after = self.read(&before.resource).await;
        assert_eq!(after.properties, before.properties);
    }
}

fn rails() -> Guardrails {
    let modes = Modes { default: Mode::Enforce, ..Modes::default() };
    Guardrails { modes, ..Guardrails::default() }
}

fn finds(policy: &quell_core::policy::Policy, state: &State, finding: &Finding) -> bool {
    detect(&[policy], None, state).findings.iter().any(|it| it.key == finding.key)
}

fn read_statement(bucket: &str) -> Value {
    json!({
        "Sid": "PublicRead",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": format!("arn:aws:s3:::{bucket}/*"),
    })
}

fn kept_statements(bucket: &str) -> [Value; 2] {
    let objects = format!("arn:aws:s3:::{bucket}/*");
    [
        json!({
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": objects,
            "Condition": { "Bool": { "aws:SecureTransport": "false" } },
        }),
        json!({
            "Sid": "OurOrganization",
            "Effect": "Allow",
            "Principal": { "AWS": "*" },
            "Action": "s3:GetObject",
            "Resource": objects,
            "Condition": { "StringEquals": { "aws:PrincipalOrgID": "o-a1b2c3d4e5" } },
        }),
    ]
}

fn document(statements: &[Value]) -> Value {
    json!({ "Version": "2012-10-17", "Id": "site", "Statement": statements })
}

#[tokio::test]
async fn a_public_statement_goes_and_comes_back_where_it_was() {
    let bench = ministack().await;
    let bucket = bench.open_bucket("statement").await;
    let [tls, ours] = kept_statements("statement");
    let public = read_statement("statement");
    bench.put_policy(&bucket, &document(&[tls.clone(), public, ours.clone()])).await;
    let before = bench.read(&bucket).await;

    let made = bench.heal("aws.s3.policy_public_statement", &bucket).await;
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

    let made = bench.heal("aws.s3.policy_public_statement", &bucket).await;
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
    let made = bench.heal("aws.s3.policy_public_statement", &bucket).await;
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

    let made = bench.heal("aws.s3.acl_public_grant", &bucket).await;
    assert_eq!(made.len(), 2);
    assert_eq!(bench.read(&bucket).await.properties, private.properties);
    bench.undo_all(&made, &before).await;
}

#[tokio::test]
async fn a_missing_block_is_put_and_deleted_again() {
    let bench = ministack().await;
    let bucket = bench.open_bucket("no-block").await;
    let before = bench.read(&bucket).await;
    assert_eq!(before.properties.get(block::PROPERTY), None);

    let made = bench.heal("aws.s3.bucket_public_block", &bucket).await;
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
    let made = bench.heal("aws.s3.bucket_public_block", &bucket).await;
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

    let mut made = bench.heal("aws.s3.policy_public_statement", &bucket).await;
    made.extend(bench.heal("aws.s3.acl_public_grant", &bucket).await);
    made.extend(bench.heal("aws.s3.bucket_public_block", &bucket).await);
    assert_eq!(made.len(), 3);
    bench.undo_all(&made, &before).await;
}

#[tokio::test]
async fn an_undo_that_the_block_prevents_names_the_switch() {
    let bench = ministack().await;
    let bucket = bench.open_bucket("prevented").await;
    bench.put_policy(&bucket, &document(&[read_statement("prevented")])).await;
    bench.put_acl(&bucket, BucketCannedAcl::PublicRead).await;
    let policy = bench.heal("aws.s3.policy_public_statement", &bucket).await;
    let acl = bench.heal("aws.s3.acl_public_grant", &bucket).await;
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
    let made = bench.heal("aws.s3.bucket_public_block", &bucket).await;
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
    let bench = bench(Moto::shared().unwrap().endpoint(), MOTO_ACCOUNT).await;
    let account = ResourceRef {
        kind: account::TYPE.to_owned(),
        id: MOTO_ACCOUNT.to_owned(),
        account: MOTO_ACCOUNT.to_owned(),
        region: REGION.to_owned(),
    };
    let bucket = bench.open_bucket("under-an-account").await;
    let before = bench.read(&account).await;
    assert_eq!(before.properties, json!({}));
    let findings = |state: &State| {
        let policy = LIBRARY.policy("aws.s3.bucket_public_block").unwrap();
        let found = detect(&[policy], None, state).findings;
        found.into_iter().map(|it| it.latent).collect::<Vec<_>>()
    };
    assert_eq!(findings(&bench.read(&bucket).await), [false]);

    let made = bench.heal("aws.s3.account_public_block", &account).await;
    assert_eq!(made.len(), 1);
    let on = block::property(|_| Some(true));
    let covered = bench.read(&bucket).await;
    assert_eq!(covered.properties.get("AccountPublicAccessBlockConfiguration"), Some(&on));
    assert_eq!(findings(&covered), [true]);

    bench.undo_all(&made, &before).await;
    assert_eq!(findings(&bench.read(&bucket).await), [false]);
}

/// A stand-in for S3 in the wrong region, which no emulator plays: any request is answered as S3
/// does when the bucket is elsewhere.
#[tokio::test]
async fn the_region_comes_from_a_redirect() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().take(1) {
            let mut stream = stream.unwrap();
            let mut request = [0; 8192];
            let _ = stream.read(&mut request).unwrap();
            let body = "<Error><Code>PermanentRedirect</Code><Message>elsewhere</Message></Error>";
            let head = "HTTP/1.1 301 Moved Permanently\r\nx-amz-bucket-region: eu-west-3\r\n";
            let rest = format!("content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
            stream.write_all(format!("{head}{rest}").as_bytes()).unwrap();
        }
    });
    let bench = bench(endpoint, MOTO_ACCOUNT).await;
    let bucket = ResourceRef {
        kind: bucket::TYPE.to_owned(),
        id: "elsewhere".to_owned(),
        account: MOTO_ACCOUNT.to_owned(),
        region: REGION.to_owned(),
    };
    let region = client::region_of(bench.live.aws(), &bucket).await;
    assert_eq!(region, Ok(Some("eu-west-3".to_owned())));
}
