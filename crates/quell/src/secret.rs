//! Secrets are references; they are resolved late, kept for a while, wiped when dropped, and never
//! printed.
//!
//! A [`Reference`] says where a secret lies: `env://`, `file://`, `vault://`, `aws-sm://`,
//! `aws-ssm://`. [`Secrets`] resolves it whenever it is needed and keeps the value for
//! `secret_ttl_s`, so that a rotated secret is picked up without a restart. Many who ask at once
//! lead to one look-up. While a store can't be reached, the last value stands in, for
//! `secret_stale_max_s` at the most; a store that answers "no" is believed at once.
//!
//! Wiped is what Quell holds. Buffers of the TLS library and of the AWS SDK are theirs, and a
//! variable of the environment stays in the environment.
//!
//! Deliberately lacking: writing or rotating secrets, and Azure's and Google's stores, which come
//! with those clouds.

pub mod reference;
pub mod config;
mod env;
mod file;
mod aws;
mod aws_sm;
mod aws_ssm;
mod vault;

use crate::clock::Clock;
use crate::journal::lock;
use crate::telemetry::metric::Metric;
use crate::telemetry::{Point, Telemetry};
use aws::AwsStores;
use config::SecretsConfig;
use jiff::{SignedDuration, Timestamp};
use quell_library::aws::AwsSettings;
use reference::Reference;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::OnceCell;
use vault::Vault;
use zeroize::Zeroizing;

/// The largest secret, in bytes: that of AWS Secrets Manager.
pub const SECRET_MAX_BYTES: usize = 64 * 1024;

/// A secret's value: wiped with its last copy, and never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Takes a value over.
    pub fn new(value: impl Into<Zeroizing<String>>) -> Secret {
        Secret(Arc::new(value.into()))
    }

    /// The value, for the one who uses it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(…)")
    }
}

/// Why a reference leads to no secret. The secret itself is never part of it.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum SecretError {
    /// Not a reference.
    #[error("`{0}` is no reference to a secret: {1}")]
    Malformed(String, String),
    /// There is no such secret.
    #[error("`{reference}`: {problem}")]
    NotFound {
        /// The reference.
        reference: String,
        /// What is missing.
        problem: String,
    },
    /// We may not read it.
    #[error("`{reference}`: {problem}")]
    Denied {
        /// The reference.
        reference: String,
        /// Who refused what.
        problem: String,
    },
    /// Where it lies can't be reached at the moment.
    #[error("`{reference}`: {problem}")]
    Unavailable {
        /// The reference.
        reference: String,
        /// What failed.
        problem: String,
    },
    /// What lies there can't be used.
    #[error("`{reference}`: {problem}")]
    Useless {
        /// The reference.
        reference: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl SecretError {
    /// Whether the same question may be answered later.
    pub fn is_transient(&self) -> bool {
        matches!(self, SecretError::Unavailable { .. })
    }
}

/// A value that was read.
#[derive(Debug)]
struct Found {
    secret: Secret,
    /// How long the store says that it is good for, in seconds, where it says so.
    good_for_s: Option<u64>,
}

impl Found {
    /// A value without an end.
    fn text(reference: &str, text: Zeroizing<String>) -> Result<Found, SecretError> {
        let useless = |problem: String| {
            let reference = reference.to_owned();
            Err(SecretError::Useless { reference, problem })
        };
        match text.len() {
            0 => useless("is empty".to_owned()),
            len if SECRET_MAX_BYTES < len => {
                useless(format!("{len} bytes; the limit is {SECRET_MAX_BYTES} bytes"))
            }
            _ => Ok(Found { secret: Secret::new(text), good_for_s: None }),
        }
    }
}

/// Resolves references; one for the whole process.
pub struct Secrets {
    config: SecretsConfig,
    clock: Arc<dyn Clock>,
    telemetry: Arc<Telemetry>,
    aws: AwsStores,
    vault: OnceCell<Vault>,
    /// By reference. They all come from the configuration, so there are few.
    held: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Held>>>>,
}

/// What is known of one reference.
#[derive(Debug, Default)]
struct Held {
    value: Option<Value>,
    failure: Option<(SecretError, Timestamp)>,
}

#[derive(Debug)]
struct Value {
    secret: Secret,
    read: Timestamp,
    fresh_until: Timestamp,
}

impl Secrets {
    /// Resolves by these settings; nothing is connected to before a reference asks for it.
    pub fn new(
        config: SecretsConfig,
        aws: AwsSettings,
        clock: Arc<dyn Clock>,
        telemetry: Arc<Telemetry>,
    ) -> Secrets {
        Secrets {
            config,
            clock,
            telemetry,
            aws: AwsStores::new(aws),
            vault: OnceCell::new(),
            held: Mutex::default(),
        }
    }

    /// The secret that a reference leads to. Ask whenever it is needed and keep it no longer: that
    /// is what makes rotation work.
    pub async fn get(&self, reference: &str) -> Result<Secret, SecretError> {
        let parsed = Reference::parse(reference)?;
        let held = Arc::clone(lock(&self.held).entry(reference.to_owned()).or_default());
        // Whoever asks meanwhile waits here, and then finds what the first one found.
        let mut held = held.lock().await;
        let now = self.clock.now();
        if let Some(value) = held.value.as_ref().filter(|it| now < it.fresh_until) {
            return Ok(value.secret.clone());
        }
        if let Some((error, at)) = &held.failure
            && now < after(*at, self.config.secret_retry_s)
        {
            let error = error.clone();
            return self.stand_in(&held, now, error);
        }
        match self.read(&parsed, reference).await {
            Ok(found) => {
                // A value that ends by itself is looked up again in the middle of its life.
                let life = found.good_for_s.map_or(u64::MAX, |it| it / 2);
                let fresh_until = after(now, life.min(self.config.secret_ttl_s));
                let secret = found.secret;
                held.value = Some(Value { secret: secret.clone(), read: now, fresh_until });
                held.failure = None;
                Ok(secret)
            }
            Err(error) => {
                tracing::warn!(%error, "secret did not resolve");
                self.telemetry.add(Point::new(Metric::SecretErrors, &[parsed.scheme()], 1.0));
                if !error.is_transient() {
                    held.value = None;
                }
                held.failure = Some((error.clone(), now));
                self.stand_in(&held, now, error)
            }
        }
    }

    /// The last value, while its store can't be reached.
    fn stand_in(
        &self,
        held: &Held,
        now: Timestamp,
        error: SecretError,
    ) -> Result<Secret, SecretError> {
        let stale = held.value.as_ref().filter(|_| error.is_transient());
        match stale.filter(|it| now < after(it.read, self.config.secret_stale_max_s)) {
            Some(value) => Ok(value.secret.clone()),
            None => Err(error),
        }
    }

    async fn read(&self, parsed: &Reference, reference: &str) -> Result<Found, SecretError> {
        let limit = self.config.secret_time_max_ms;
        let read = async {
            match parsed {
                Reference::Vault(secret) => {
                    self.vault().await?.read(secret, reference, &self.aws).await
                }
                other => self.aws.read_outside_vault(other, reference).await,
            }
        };
        match tokio::time::timeout(Duration::from_millis(limit), read).await {
            Ok(read) => read,
            Err(_) => Err(SecretError::Unavailable {
                reference: reference.to_owned(),
                problem: format!("no answer within secret_time_max_ms, {limit} ms"),
            }),
        }
    }

    async fn vault(&self) -> Result<&Vault, SecretError> {
        let connect = || async { Vault::new(self.config.vault.clone(), Arc::clone(&self.clock)) };
        self.vault.get_or_try_init(connect).await
    }
}

impl fmt::Debug for Secrets {
    // The settings hold references, ids and addresses, none of which is a secret.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Secrets").field("config", &self.config).finish_non_exhaustive()
    }
}

fn after(moment: Timestamp, seconds: u64) -> Timestamp {
    let span = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    moment.checked_add(span).unwrap_or(Timestamp::MAX)
}
