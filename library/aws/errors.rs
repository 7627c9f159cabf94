//! AWS errors in our terms.

use crate::cloud::{CloudError, CloudErrorKind};
use aws_sdk_sts::error::ProvideErrorMetadata;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_types::request_id::RequestId;

/// Turns an SDK error into ours. `operation` is the IAM action that the call needs, such as
/// `s3:GetBucketPolicy`: it is what a person must grant when the call is denied.
pub fn cloud_error<E>(operation: &str, error: &SdkError<E, HttpResponse>) -> CloudError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    SdkError<E, HttpResponse>: RequestId,
{
    let metadata = error.as_service_error();
    let code = metadata.and_then(|it| it.code());
    let message = match metadata {
        Some(it) => format!("{}: {}", code.unwrap_or("Unknown"), it.message().unwrap_or("")),
        None => chain(error),
    };
    CloudError {
        kind: kind(code, metadata.is_some()),
        operation: operation.to_owned(),
        message,
        request_id: error.request_id().map(str::to_owned),
    }
}

/// The error's code, where the service gave one.
pub fn code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    error.as_service_error().and_then(|it| it.code())
}

fn kind(code: Option<&str>, answered: bool) -> CloudErrorKind {
    let Some(code) = code else {
        return if answered { CloudErrorKind::Invalid } else { CloudErrorKind::Unavailable };
    };
    let has = |parts: &[&str]| parts.iter().any(|it| code.contains(it));
    if has(&["AccessDenied", "Unauthorized", "AuthFailure", "Forbidden", "InvalidClientTokenId"]) {
        CloudErrorKind::Denied
    } else if has(&["Throttl", "RequestLimitExceeded", "SlowDown", "TooManyRequests"])
        || code == "ProvisionedThroughputExceededException"
    {
        CloudErrorKind::Throttled
    } else if has(&["NoSuch", "NotFound"]) {
        CloudErrorKind::NotFound
    } else if has(&["InternalError", "InternalFailure", "InternalServ", "Unavailable"])
        || has(&["RequestTimeout", "TransactionConflict", "TransactionInProgress"])
    {
        CloudErrorKind::Unavailable
    } else {
        CloudErrorKind::Invalid
    }
}

/// The whole chain of causes: an SDK error alone says only "dispatch failure".
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(it) = source {
        text.push_str(": ");
        text.push_str(&it.to_string());
        source = it.source();
    }
    text
}
