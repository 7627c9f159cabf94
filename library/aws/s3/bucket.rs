//! A bucket, with all that decides who can reach it: its public access block and its account's, its
//! policy, its ACL, and who owns its objects.
//!
//! | property | absent means |
//! |---|---|
//! | `PublicAccessBlockConfiguration` | all four switches are off |
//! | `AccountPublicAccessBlockConfiguration` (the owner account's) | all four switches are off |
//! | `BucketPolicy` (the document of `AWS::S3::BucketPolicy`) | there is none |
//! | `AccessControlList` (the API's form: `Owner`, `Grants`) | never absent in a read |
//! | `OwnershipControls` | ACLs count (`ObjectWriter`) |

use super::{account, client, event, facts, read};
use crate::aws::Aws;
use crate::cloud::{CloudError, CloudErrorKind, Resource, Seen};
use futures::future::BoxFuture;
use quell_core::event::Event;
use quell_core::resource::{Kind, KindMeta, Permission, Purpose, ResourceRef, State, Trust};
use serde_json::Value;

/// CloudFormation's type.
pub const TYPE: &str = "AWS::S3::Bucket";
/// ARN template of a bucket; it has neither region nor account.
pub const ARN: &str = "arn:{partition}:s3:::{id}";

/// The properties that a read returns, and that an event leaves unknown unless it proves them.
pub const PROPERTIES: [&str; 5] = [
    "AccessControlList",
    "AccountPublicAccessBlockConfiguration",
    "BucketPolicy",
    "OwnershipControls",
    "PublicAccessBlockConfiguration",
];

static META: KindMeta = KindMeta {
    cloudformation: TYPE,
    terraform: "aws_s3_bucket",
    custodian: "s3",
    asff: "AwsS3Bucket",
    arn: ARN,
    reads: &[
        account::READ,
        reading("s3:GetBucketAcl"),
        reading("s3:GetBucketLocation"),
        reading("s3:GetBucketOwnershipControls"),
        reading("s3:GetBucketPolicy"),
        reading("s3:GetBucketPublicAccessBlock"),
        reading("s3:GetBucketTagging"),
    ],
};

const fn reading(action: &'static str) -> Permission {
    Permission { action, resource: ARN, condition: None, purpose: Purpose::Read }
}

/// A bucket.
#[derive(Debug)]
pub struct Bucket;

impl Kind for Bucket {
    fn meta(&self) -> &'static KindMeta {
        &META
    }

    fn targets(&self, event: &Event) -> Vec<ResourceRef> {
        event::bucket(event).into_iter().collect()
    }

    fn implied(&self, event: &Event, target: &ResourceRef) -> Option<State> {
        event::bucket(event).filter(|it| it == target)?;
        event::implied(event, target)
    }

    fn facts(&self, state: &State, trust: &Trust) -> Value {
        facts::of(state, trust)
    }
}

impl Resource for Bucket {
    fn read<'a>(
        &'a self,
        aws: &'a Aws,
        resource: &'a ResourceRef,
    ) -> BoxFuture<'a, Result<Option<Seen>, CloudError>> {
        Box::pin(async move {
            let Some(region) = client::region_of(aws, resource).await? else {
                return Ok(None);
            };
            let config = aws.reader_in(&resource.account, &region).await?;
            let account_block =
                read::account_block(&client::accounts(&config), &resource.account).await?;
            match read::bucket(&client::buckets(&config), resource, account_block).await {
                Ok(seen) => Ok(Some(seen)),
                // Parts that a bucket merely lacks are no errors: it went away while we read it.
                Err(error) if error.kind == CloudErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            }
        })
    }
}
