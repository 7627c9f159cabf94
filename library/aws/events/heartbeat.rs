//! Writing a heartbeat: one tag on one rule of ours, under a session that can do nothing else.

use super::rule::ARN;
use crate::aws::Aws;
use crate::aws::errors::cloud_error;
use crate::cloud::{Applied, CloudError};
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::Tag;
use quell_core::decide::authorized::Authorized;
use quell_core::heartbeat::{Heartbeat, TAG};
use quell_core::resource::{Permission, arn};

const TAG_RESOURCE: &str = "events:TagResource";

/// What writing heartbeats takes: this tag alone, on a rule.
pub const PERMISSIONS: [Permission; 1] = [Permission::heartbeat(TAG_RESOURCE, ARN).when(
    "ForAllValues:StringEquals",
    "aws:TagKeys",
    TAG,
)];

/// Writes the tag.
pub async fn write(aws: &Aws, heartbeat: &Authorized<Heartbeat>) -> Result<Applied, CloudError> {
    let Heartbeat { rule, nonce } = heartbeat.get();
    let client = Client::new(&aws.heart(heartbeat).await?);
    let tag = Tag::builder().key(TAG).value(nonce).build();
    let tag = tag.map_err(|it| CloudError::unsupported(TAG_RESOURCE, it.to_string()))?;
    let call = client.tag_resource().resource_arn(arn(ARN, rule)).tags(tag);
    let output = call.send().await.map_err(|it| cloud_error(TAG_RESOURCE, &it))?;
    Ok(Applied::of(&output))
}
