//! Known pipelines: what an apply leaves open is left to it for a while, and never lost.

use crate::{Stage, event};
use jiff::Timestamp;
use quell::demo::account::bucket_ref;
use quell::pipeline::{Ack, RetryReport};
use quell::scan::{What, scan};
use quell_core::history::Status;
use quell_core::policy::Mode;
use quell_core::reason::Reason;
use quell_core::record::{Fact, Verdict};
use quell_core::resource::{ResourceRef, State};
use serde_json::json;
use std::time::Duration;

const TERRAFORM: &str = "arn:aws:iam::111122223333:role/terraform";
const SOMEBODY: &str = "arn:aws:iam::111122223333:role/somebody";
const GRACE_S: u64 = 120;

/// A stage on which Terraform's role is known, and a bucket that it has made without a block.
async fn applied() -> (Stage, ResourceRef, State) {
    let mut stage = Stage::new(Mode::Enforce);
    let pipelines = json!([{ "principals": [TERRAFORM], "grace_s": GRACE_S }]);
    stage.pipeline.rails.pipelines = serde_json::from_value(pipelines).unwrap();
    let bucket = bucket_ref("acme-invoices");
    let sound = stage.account.get(&bucket).unwrap();
    let unblocked = |it: &mut State| {
        it.properties.as_object_mut().unwrap().remove("PublicAccessBlockConfiguration");
    };
    stage.account.edit(&bucket, unblocked).unwrap();
    told(&stage, "CreateBucket", &bucket, TERRAFORM).await;
    assert_eq!(stage.status(&bucket), [Status::Withheld]);
    (stage, bucket, sound)
}

async fn told(stage: &Stage, call: &str, bucket: &ResourceRef, who: &str) {
    let body = event("s3", call, json!({ "bucketName": bucket.id }), who, call);
    assert_eq!(stage.pipeline.handle(&body).await.unwrap(), Ack::Done);
}

#[tokio::test]
async fn an_apply_that_closes_what_it_opened_is_left_alone() {
    let (stage, bucket, sound) = applied().await;
    stage.clock.advance(Duration::from_secs(GRACE_S / 2));
    // A sweep comes by in between, and the process asks whether the time is over.
    let swept = scan(&stage.pipeline, &What::default(), &|_, _| {}).await.unwrap();
    assert_eq!((swept.violations, swept.corrected, swept.errors), (1, 0, 0), "{swept:?}");
    let asked = stage.pipeline.retry_after_grace(Timestamp::MIN).await.unwrap();
    assert_eq!(asked, RetryReport::default());
    assert_eq!(stage.status(&bucket), [Status::Withheld]);
    stage.account.set(&bucket, Some(sound)).unwrap();
    told(&stage, "PutBucketPublicAccessBlock", &bucket, TERRAFORM).await;
    assert_eq!(stage.status(&bucket), [Status::Resolved]);
    assert_eq!(stage.count("attempted"), 0);
}

#[tokio::test]
async fn an_apply_that_does_not_is_mended_when_its_time_is_over() {
    let (stage, bucket, sound) = applied().await;
    stage.clock.advance(Duration::from_secs(GRACE_S));
    let looked = stage.pipeline.retry_after_grace(Timestamp::MIN).await.unwrap();
    assert_eq!(looked, RetryReport { looked_at: 1, settled: 1, open: 0, failed: 0 });
    assert_eq!(stage.status(&bucket), [Status::Corrected]);
    let block = |it: State| it.properties["PublicAccessBlockConfiguration"].clone();
    assert_eq!(block(stage.account.get(&bucket).unwrap()), block(sound));
    let named = stage.facts().into_iter().any(|it| {
        matches!(it, Fact::Decided {
            verdict: Verdict::Withhold { reason: Reason::Grace { actor, .. } }, ..
        } if actor == TERRAFORM)
    });
    assert!(named, "the ledger names whom the bucket was left to: {:?}", stage.facts());
}

#[tokio::test]
async fn somebody_elses_call_ends_the_grace() {
    let (stage, bucket, _) = applied().await;
    told(&stage, "DeleteBucketPublicAccessBlock", &bucket, SOMEBODY).await;
    assert_eq!(stage.status(&bucket), [Status::Corrected]);
}
