//! Naming the guardrail that refuses to put public access back.
//!
//! While BlockPublicPolicy (or BlockPublicAcls) is on, S3 refuses a public policy (or ACL) with the
//! same AccessDenied as a missing permission. An undo then needs the switch to be turned off first,
//! not a broader role, so the error says which switch of which block it was.

use super::{block, client, read};
use crate::aws::Aws;
use crate::cloud::{CloudError, CloudErrorKind};
use quell_core::facts::s3::PublicAccessBlock;
use quell_core::resource::ResourceRef;
use serde_json::Value;

/// One of the two switches that refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// Refuses a public ACL.
    BlockPublicAcls,
    /// Refuses a public policy.
    BlockPublicPolicy,
}

impl Switch {
    fn name(self) -> &'static str {
        match self {
            Switch::BlockPublicAcls => "BlockPublicAcls",
            Switch::BlockPublicPolicy => "BlockPublicPolicy",
        }
    }

    fn is_on(self, block: PublicAccessBlock) -> bool {
        match self {
            Switch::BlockPublicAcls => block.block_public_acls,
            Switch::BlockPublicPolicy => block.block_public_policy,
        }
    }
}

/// The error of a refused write, with the switch that refused it where one is on.
pub async fn explained(
    aws: &Aws,
    bucket: &ResourceRef,
    region: &str,
    switch: Switch,
    mut error: CloudError,
) -> CloudError {
    if error.kind != CloudErrorKind::Denied {
        return error;
    }
    let name = switch.name();
    let whose = match holders(aws, bucket, region, switch).await {
        // Why it was refused can't be seen; what was said stands.
        Err(_) => return error,
        Ok((false, false)) => return error,
        Ok((true, false)) => "the bucket's public access block",
        Ok((false, true)) => "the account's public access block",
        Ok((true, true)) => "the public access blocks of the bucket and of the account",
    };
    error.message.push_str(&format!(
        "; {name} is on in {whose}: it refuses what is public, and must be off to put it back"
    ));
    error
}

/// Whether the switch is on in the bucket's block, and in the account's.
async fn holders(
    aws: &Aws,
    bucket: &ResourceRef,
    region: &str,
    switch: Switch,
) -> Result<(bool, bool), CloudError> {
    let config = aws.reader_in(&bucket.account, region).await?;
    let of_bucket = read::public_access_block(&client::buckets(&config), bucket).await?;
    let of_account = read::account_block(&client::accounts(&config), &bucket.account).await?;
    let is_on = |it: Option<Value>| it.is_some_and(|it| switch.is_on(block::typed(&it)));
    Ok((is_on(of_bucket), is_on(of_account)))
}
