//! Buckets that a user names on the command line as `s3://…`, read with the process' own
//! credentials.

use crate::exit::CliError;
use crate::replay::s3::Bucket;
use quell_library::aws::{Aws, AwsSettings};
use quell_library::cloud::{CloudError, CloudErrorKind};
use std::io::Read as _;
use tokio::runtime::Runtime;

/// How the URL of a bucket's content begins.
pub const SCHEME: &str = "s3://";

/// Where buckets are, and who asks for them; what is not given is configured.
#[derive(Debug, clap::Args)]
pub struct Access {
    /// The profile of AWS' shared configuration files, for s3://
    #[arg(long)]
    profile: Option<String>,
    /// The bucket's region, for s3://
    #[arg(long)]
    region: Option<String>,
    /// Another endpoint than AWS', for s3://
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
}

impl Access {
    /// The configured settings, but for what is given.
    pub fn settings(&self, configured: AwsSettings) -> AwsSettings {
        AwsSettings {
            profile: self.profile.clone().or(configured.profile),
            region: self.region.clone().unwrap_or(configured.region),
            endpoint_url: self.endpoint_url.clone().or(configured.endpoint_url),
            ..configured
        }
    }
}

/// What drives calls of commands that are not asynchronous.
pub fn runtime() -> Result<Runtime, CliError> {
    Runtime::new().map_err(|it| CliError::outside("cannot start the network side").because(it))
}

/// An object's bytes, at most so many, by its URL.
pub fn bytes_within(url: &str, max: usize, settings: AwsSettings) -> Result<Vec<u8>, CliError> {
    let parts = url.strip_prefix(SCHEME).and_then(|it| it.split_once('/'));
    let Some((name, key)) = parts.filter(|(name, key)| !name.is_empty() && !key.is_empty()) else {
        let error = CliError::usage(format!("`{url}` names no object"));
        return Err(error.hint("write s3://BUCKET/KEY"));
    };
    let runtime = runtime()?;
    let aws = runtime.block_on(Aws::connect(settings));
    let bucket = Bucket::new(name, &aws, runtime.handle().clone());
    let object = bucket.get(key).map_err(|it| unreadable(url, it))?;
    let mut bytes = Vec::new();
    object
        .take((max as u64).saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|it| CliError::outside(format!("cannot read `{url}`")).because(it))?;
    if max < bytes.len() {
        return Err(CliError::usage(format!("`{url}` is larger than {max} bytes")));
    }
    Ok(bytes)
}

/// An object that is not there is the user's slip; one that can't be read is the world's.
fn unreadable(url: &str, error: CloudError) -> CliError {
    let message = format!("cannot read `{url}`");
    match error.kind {
        CloudErrorKind::NotFound => CliError::usage(message).because(error),
        CloudErrorKind::Denied => CliError::outside(message).because(error).hint(
            "it takes s3:GetObject, and kms:Decrypt of the key that the object is encrypted with; \
             without s3:ListBucket, a key that is not there is denied, too",
        ),
        _ => CliError::outside(message)
            .because(error)
            .hint("the bucket's region is named with --region"),
    }
}
