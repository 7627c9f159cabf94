//! What can be done about a bucket or an account that is open to everybody.
//!
//! Each action re-reads its part right before it writes, puts the change into what it found, and
//! writes that: whatever else somebody changed in between stays. AWS has no conditional write for
//! these documents, so a change within those milliseconds would be lost; the read-back that follows
//! sees this change's own part alone.

pub mod put_account_public_access_block;
pub mod put_public_access_block;
pub mod remove_acl_grant;
pub mod remove_policy_statement;

use super::client;
use crate::aws::Aws;
use crate::cloud::{CloudError, CloudErrorKind};
use quell_core::change::Change;
use quell_core::resource::ResourceRef;
use serde_json::{Map, Value};

/// Where the bucket is; one that is gone is an error here.
async fn region_of(aws: &Aws, bucket: &ResourceRef) -> Result<String, CloudError> {
    client::region_of(aws, bucket).await?.ok_or_else(|| CloudError {
        kind: CloudErrorKind::NotFound,
        operation: "s3:GetBucketLocation".to_owned(),
        message: format!("there is no bucket `{}`", bucket.id),
        request_id: None,
    })
}

/// The freshly read part with the change made in it; `None` where it is so already. A part that has
/// moved since the change was decided is not written over.
fn changed(change: &Change, name: &str, fresh: Option<Value>) -> Result<Option<Value>, CloudError> {
    let present = fresh.map(|it| (name.to_owned(), it));
    let mut properties = Value::Object(Map::from_iter(present));
    if change.is_done(&properties) {
        return Ok(None);
    }
    let refuse = |problem: String| CloudError::unsupported(&change.action, problem);
    if !change.starts_from(&properties) {
        return Err(refuse(format!(
            "`{}` changed in the meantime; nothing was written",
            change.facet
        )));
    }
    change.apply_to(&mut properties).map_err(|it| refuse(it.to_string()))?;
    Ok(Some(properties.get(name).cloned().unwrap_or(Value::Null)))
}
