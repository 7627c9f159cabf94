//! The function's environment: where its configuration is, and where its ledger.

use crate::clock::SystemClock;
use crate::config::{Config, ConfigError};
use crate::secret::config::SecretsConfig;
use crate::secret::{Secret, SecretError, Secrets};
use crate::telemetry::log::{LOG_FORMAT_VARIABLE, LOG_VARIABLE};
use camino::Utf8PathBuf;
use quell_library::aws::AwsSettings;
use std::env;
use std::path::Path;
use std::sync::Arc;
use thiserror::Error;

/// The configuration: a path in the package or a layer, or a parameter.
pub const CONFIG_VARIABLE: &str = "QUELL_CONFIG";
/// A folder for the ledger where no `store.dynamodb` is configured: for emulators only.
pub const EPHEMERAL_VARIABLE: &str = "QUELL_EPHEMERAL_DATA_DIR";
/// How [`CONFIG_VARIABLE`] names a parameter of the Systems Manager.
const PARAMETER_SCHEME: &str = "aws-ssm://";

/// The variables as the reference lists them: name and meaning.
pub const VARIABLES: [[&str; 2]; 5] = [
    [
        CONFIG_VARIABLE,
        "The configuration, the same YAML as `quell run --config` takes: a path, or \
         `aws-ssm://NAME` for a parameter (decrypted; `aws-ssm:///a/b` for the name `/a/b`). \
         Required.",
    ],
    [
        EPHEMERAL_VARIABLE,
        "A folder for an embedded ledger. It is lost with the environment and not shared between \
         environments: for tests on an emulator only. Deployed, `store.dynamodb` is configured.",
    ],
    [
        LOG_VARIABLE,
        "What is logged to standard error, in `tracing`'s words. Default: \
         `quell=info,lambda_runtime=info,warn`.",
    ],
    [LOG_FORMAT_VARIABLE, "How: `json`, the default in a function, or `text`."],
    [
        "AWS_LAMBDA_RUNTIME_API",
        "Set by Lambda: it makes the binary a bootstrap. With it, Lambda sets \
         `AWS_LAMBDA_FUNCTION_NAME`, `_MEMORY_SIZE` and `_VERSION`, the region and credentials.",
    ],
];

/// Why the function has no usable settings.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// No configuration is named.
    #[error("the environment variable `{CONFIG_VARIABLE}` is not set: name a path or a parameter")]
    NoConfig,
    /// The file is not usable.
    #[error(transparent)]
    File(#[from] ConfigError),
    /// The parameter can't be read.
    #[error(transparent)]
    Parameter(#[from] SecretError),
    /// A parameter lies in a region.
    #[error("the environment variable `AWS_REGION` is not set")]
    NoRegion,
    /// No account is listed, so that every event would be refused, or worse, taken.
    #[error("no account is configured under `aws.accounts`, and no organization")]
    NoAccounts,
    /// The ledger would be lost.
    #[error(
        "no `store.dynamodb` is configured: files of a function are lost with its environment, so \
         a ledger in them proves nothing"
    )]
    NotDurable,
    /// Another run could take the turn of a resource that this one still works on.
    #[error(
        "`store.dynamodb.lease_time_s` is {lease_time_s}, but this function may run for \
         {time_out_s} s: a lease must last as long"
    )]
    ShortLease {
        /// The setting, in seconds.
        lease_time_s: u64,
        /// The function's time-out, in seconds.
        time_out_s: u64,
    },
}

/// Reads and checks the configuration.
pub async fn config() -> Result<Config, SettingsError> {
    let place = variable(CONFIG_VARIABLE).ok_or(SettingsError::NoConfig)?;
    let config = if place.starts_with(PARAMETER_SCHEME) {
        let text = parameter(&place).await?;
        Config::parse(text.expose())
            .map_err(|problem| ConfigError::Content { path: place, problem })?
    } else {
        Config::load(Path::new(&place))?
    };
    if config.aws.accounts.is_empty() && config.aws.organization.is_none() {
        return Err(SettingsError::NoAccounts);
    }
    Ok(config)
}

/// Whether a lease lasts as long as the run that takes it; `left_ms` is what an invocation that
/// begins has, in milliseconds.
pub fn lease_outlasts(config: &Config, left_ms: Option<i64>) -> Result<(), SettingsError> {
    let (Some(dynamodb), Some(left_ms)) = (&config.store.dynamodb, left_ms) else { return Ok(()) };
    let lease_time_s = dynamodb.lease_time_s;
    let time_out_s = u64::try_from(left_ms).unwrap_or(0).div_ceil(1000);
    if lease_time_s < time_out_s {
        return Err(SettingsError::ShortLease { lease_time_s, time_out_s });
    }
    Ok(())
}

/// The folder of an embedded ledger, where a test asked for one. The deployed store has none.
pub fn data_dir(config: &Config) -> Result<Utf8PathBuf, SettingsError> {
    match variable(EPHEMERAL_VARIABLE) {
        _ if config.store.dynamodb.is_some() => Ok(Utf8PathBuf::new()),
        Some(folder) => Ok(folder.into()),
        None => Err(SettingsError::NotDurable),
    }
}

/// Reads a parameter with the function's own role: what it is told there, it then obeys.
async fn parameter(reference: &str) -> Result<Secret, SettingsError> {
    let region = variable("AWS_REGION").ok_or(SettingsError::NoRegion)?;
    let settings = AwsSettings { region, ..AwsSettings::default() };
    let (clock, telemetry) = (Arc::new(SystemClock), Arc::default());
    let secrets = Secrets::new(SecretsConfig::default(), settings, clock, telemetry);
    Ok(secrets.get(reference).await?)
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|it| !it.is_empty())
}
