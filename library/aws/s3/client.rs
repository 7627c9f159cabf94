//! Clients, and where a bucket really is.
//!
//! With an endpoint of one's own (an emulator, a proxy) there is one host name for everything, so
//! buckets and accounts can't be subdomains of it as they are at AWS.

use crate::aws::Aws;
use crate::aws::errors::{cloud_error, code};
use crate::cloud::CloudError;
use aws_config::{Region, SdkConfig};
use aws_sdk_s3control::config::endpoint::{Endpoint, EndpointFuture, Params, ResolveEndpoint};
use quell_core::action::ActionMeta;
use quell_core::change::Change;
use quell_core::decide::authorized::Authorized;
use quell_core::resource::ResourceRef;

/// A client for buckets.
pub fn buckets(config: &SdkConfig) -> aws_sdk_s3::Client {
    let own_endpoint = config.endpoint_url().is_some();
    let config = aws_sdk_s3::config::Builder::from(config).force_path_style(own_endpoint).build();
    aws_sdk_s3::Client::from_conf(config)
}

/// A client for the account's settings.
pub fn accounts(config: &SdkConfig) -> aws_sdk_s3control::Client {
    let builder = aws_sdk_s3control::config::Builder::from(config);
    let builder = match config.endpoint_url() {
        Some(url) => builder.endpoint_resolver(OneHost(url.to_owned())),
        None => builder,
    };
    aws_sdk_s3control::Client::from_conf(builder.build())
}

/// The account is named by the request's header alone, not by the host, too.
#[derive(Debug)]
struct OneHost(String);

impl ResolveEndpoint for OneHost {
    fn resolve_endpoint<'a>(&'a self, _params: &'a Params) -> EndpointFuture<'a> {
        EndpointFuture::ready(Ok(Endpoint::builder().url(self.0.clone()).build()))
    }
}

/// The region that a bucket is in; `None` where there is no such bucket.
///
/// An event's region is where the call was answered, which is usually the bucket's. S3 answers this
/// call in any region, or says by a header which one is right.
pub async fn region_of(aws: &Aws, bucket: &ResourceRef) -> Result<Option<String>, CloudError> {
    let client = buckets(&aws.reader(bucket).await?);
    let call =
        client.get_bucket_location().bucket(&bucket.id).expected_bucket_owner(&bucket.account);
    match call.send().await {
        Ok(found) => Ok(Some(match found.location_constraint().map(|it| it.as_str()) {
            None | Some("") => "us-east-1".to_owned(),
            Some("EU") => "eu-west-1".to_owned(),
            Some(region) => region.to_owned(),
        })),
        Err(error) if code(&error) == Some("NoSuchBucket") => Ok(None),
        Err(error) => {
            let headers = error.raw_response().map(|it| it.headers());
            match headers.and_then(|it| it.get("x-amz-bucket-region")) {
                Some(region) if region != bucket.region => Ok(Some(region.to_owned())),
                _ => Err(cloud_error("s3:GetBucketLocation", &error)),
            }
        }
    }
}

/// A client that can make just this change, where the bucket is.
pub async fn writer(
    aws: &Aws,
    action: &ActionMeta,
    change: &Authorized<Change>,
    session: &str,
    region: &str,
) -> Result<aws_sdk_s3::Client, CloudError> {
    let config = aws.writer(action, change, session).await?;
    let region = Region::new(region.to_owned());
    Ok(buckets(&config.into_builder().region(region).build()))
}
