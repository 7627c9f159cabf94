//! AWS errors in our terms.

use crate::cloud::{CloudError, CloudErrorKind};
use aws_sdk_sts::error::ProvideErrorMetadata;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_types::request_id::RequestId;
use std::error::Error;

/// Turns an SDK error into ours. `operation` is the IAM action that the call needs, such as
/// `s3:GetBucketPolicy`: it is what a person must grant when the call is denied. Where no session
/// could be had for the call, the error is that of `sts:AssumeRole`.
pub fn cloud_error<E>(operation: &str, error: &SdkError<E, HttpResponse>) -> CloudError
where
    E: ProvideErrorMetadata + Error + 'static,
    SdkError<E, HttpResponse>: RequestId,
{
    if let Some(refused) = no_session(error) {
        return cloud_error::<AssumeRoleError>("sts:AssumeRole", refused);
    }
    let metadata = error.as_service_error();
    let code = metadata.and_then(|it| it.code());
    let message = match metadata {
        Some(it) => format!("{}: {}", code.unwrap_or("Unknown"), it.message().unwrap_or("")),
        None => chain(error),
    };
    CloudError {
        kind: match metadata {
            Some(_) => kind(code.unwrap_or_default(), error.raw_response()),
            None => CloudErrorKind::Unavailable,
        },
        operation: operation.to_owned(),
        message,
        request_id: error.request_id().map(str::to_owned),
    }
}

/// The error's code, where the service gave one.
pub fn code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    error.as_service_error().and_then(|it| it.code())
}

/// What a service's answer says to do. Codes come first; a code that is not known here is read by
/// the answer's status: 5xx is the service's own failure. Sources: "Common errors" and the pages of
/// single calls in the API references of IAM, EC2, S3 and CloudTrail.
fn kind(code: &str, answer: Option<&HttpResponse>) -> CloudErrorKind {
    let has = |parts: &[&str]| parts.iter().any(|it| code.contains(it));
    if has(&["AccessDenied", "Unauthorized", "AuthFailure", "Forbidden", "InvalidClientTokenId"]) {
        CloudErrorKind::Denied
    } else if has(&["Throttl", "RequestLimitExceeded", "SlowDown", "TooManyRequests"])
        || code == "ProvisionedThroughputExceededException"
        || has(&BUSY)
    {
        CloudErrorKind::Throttled
    } else if has(&["NoSuch", "NotFound"]) {
        CloudErrorKind::NotFound
    } else if has(&["InternalError", "InternalFailure", "InternalServ", "Unavailable"])
        || has(&["RequestTimeout", "TransactionConflict", "TransactionInProgress"])
        || answer.is_some_and(|it| it.status().is_server_error())
    {
        CloudErrorKind::Unavailable
    } else {
        CloudErrorKind::Invalid
    }
}

/// Somebody else changes the same thing at this moment: IAM, S3, CloudTrail.
const BUSY: [&str; 3] = ["ConcurrentModification", "OperationAborted", "ConflictException"];

/// Why no role could be assumed for a call, if that is why it was not made.
fn no_session<E>(
    error: &SdkError<E, HttpResponse>,
) -> Option<&SdkError<AssumeRoleError, HttpResponse>>
where
    E: Error + 'static,
{
    let mut causes = std::iter::successors(error.source(), |it| (**it).source());
    causes.find_map(|it| it.downcast_ref())
}

/// The whole chain of causes: an SDK error alone says only "dispatch failure".
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(it) = source {
        text.push_str(": ");
        text.push_str(&it.to_string());
        source = it.source();
    }
    text
}
