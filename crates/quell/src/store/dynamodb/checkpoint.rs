//! Checkpoints of the distributed store: the heads of all chains, signed by a role that can't
//! write the ledger, and kept in a bucket where nobody can change them (S3 Object Lock).
//!
//! A new checkpoint is only made if the ledger still holds what the last one names; if not, that is
//! the news. The signer is a key in AWS KMS, which never leaves it, or an Ed25519 key by reference.

use super::items::{CHAIN, LINE, SEQUENCE, number, text, text_of};
use super::tables::{Tables, failed};
use crate::config::{DynamoConfig, KMS_SCHEME, LockMode};
use crate::journal::JournalError;
use crate::secret::{SecretError, Secrets};
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{MessageType, SigningAlgorithmSpec};
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::ObjectLockMode;
use ed25519_dalek::pkcs8::DecodePrivateKey as _;
use ed25519_dalek::{Signer as _, SigningKey};
use jiff::{SignedDuration, Timestamp};
use quell_core::ledger::checkpoint::{CHECKPOINT_BYTES_MAX, Checkpoint, Unsigned};
use quell_core::ledger::ids::Head;
use quell_core::ledger::keys::{PublicKey, p256_signature};
use quell_core::ledger::line::Line;
use quell_library::aws::Aws;
use quell_library::aws::errors::cloud_error;
use quell_library::cloud::CloudError;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// How many checkpoints an audit compares with, the newest first: each names all chains.
pub const CHECKPOINTS_READ_MAX: usize = 100;
/// How far back the last checkpoint is looked for before all are listed, in days.
const RECENT_DAYS: i64 = 30;

/// A checkpoint, and where it is kept.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// Its place, as `s3://BUCKET/KEY`.
    pub url: String,
}

/// Why there is no checkpoint.
#[derive(Debug, Error)]
pub enum CheckpointingError {
    /// A setting is missing, or says nothing useful.
    #[error("`store.dynamodb.{setting}`: {problem}")]
    Setting {
        /// Which.
        setting: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// The signing key's reference leads nowhere.
    #[error("`store.dynamodb.signer`")]
    Secret(#[from] SecretError),
    /// The ledger no longer holds what the last checkpoint names: somebody changed it.
    #[error("the ledger contradicts the checkpoint `{url}`: {problem}")]
    Contradicted {
        /// The checkpoint.
        url: String,
        /// What is wrong.
        problem: String,
    },
    /// The store did not answer.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// S3 or KMS did not do what was asked.
    #[error(transparent)]
    Cloud(#[from] CloudError),
}

/// Signs the heads of all chains, and keeps the checkpoint. `quell audit checkpoint` and the
/// deployed checkpoint function are this.
pub async fn make(
    aws: &Aws,
    settings: &DynamoConfig,
    secrets: &Secrets,
    now: Timestamp,
) -> Result<Kept, CheckpointingError> {
    let place = Place::of(aws, settings)?;
    let tables = Tables::new(aws, settings);
    let mut chains = tables.chain_names().await?;
    let last = place.last(now).await?;
    if let Some((_, last)) = &last {
        chains.extend(last.heads.iter().map(|it| it.chain.clone()));
    }
    let heads = tables.heads(&chains).await?;
    if let Some((url, last)) = &last {
        still_holds(&tables, url, last, &heads).await?;
    }
    let signer = Signer::of(aws, settings, secrets).await?;
    let unsigned = Unsigned::new(now, heads, &signer.public());
    let signature = signer.sign(&unsigned.message()).await?;
    let checkpoint = unsigned.signed(&signature);
    let url = place.keep(settings, &checkpoint).await?;
    Ok(Kept { checkpoint, url })
}

/// The newest checkpoints that are kept, oldest first, each with its place.
pub async fn kept(
    aws: &Aws,
    settings: &DynamoConfig,
) -> Result<Vec<(String, Vec<u8>)>, CheckpointingError> {
    let place = Place::of(aws, settings)?;
    let mut keys = place.keys(None).await?;
    let old = keys.len().saturating_sub(CHECKPOINTS_READ_MAX);
    let mut found = Vec::new();
    for key in keys.drain(old..) {
        found.push((place.url(&key), place.get(&key).await?));
    }
    Ok(found)
}

/// Every head of an older checkpoint is still that chain's record at that place.
async fn still_holds(
    tables: &Tables,
    url: &str,
    last: &Checkpoint,
    heads: &[Head],
) -> Result<(), CheckpointingError> {
    let contradicted =
        |problem: String| CheckpointingError::Contradicted { url: url.to_owned(), problem };
    for Head { chain, sequence, digest } in &last.heads {
        let end = heads.iter().find(|it| it.chain == *chain).map_or(0, |it| it.sequence);
        if end < *sequence {
            let problem = format!("it names record {sequence} of `{chain}`, which ends at {end}");
            return Err(contradicted(problem));
        }
        let call = tables.client.get_item().table_name(&tables.ledger).consistent_read(true);
        let answer = call
            .key(CHAIN, text(chain.as_str()))
            .key(SEQUENCE, number(sequence))
            .send()
            .await
            .map_err(|it| failed("dynamodb:GetItem", &it))?;
        let item = answer.item.unwrap_or_default();
        let line = text_of(&item, LINE).unwrap_or_default();
        if Line::parse(line.as_bytes()).ok().is_none_or(|it| it.digest != *digest) {
            let problem = format!("record {sequence} of `{chain}` is another one now");
            return Err(contradicted(problem));
        }
    }
    Ok(())
}

/// Who signs.
enum Signer {
    Local(SigningKey),
    Kms { client: aws_sdk_kms::Client, key: String, public: PublicKey },
}

impl Signer {
    async fn of(
        aws: &Aws,
        settings: &DynamoConfig,
        secrets: &Secrets,
    ) -> Result<Signer, CheckpointingError> {
        let wrong = |problem: String| CheckpointingError::Setting { setting: "signer", problem };
        let reference = settings.signer.as_ref().ok_or_else(|| wrong("is not set".to_owned()))?;
        let Some(key) = reference.strip_prefix(KMS_SCHEME) else {
            let pem = secrets.get(reference).await?;
            let key = SigningKey::from_pkcs8_pem(pem.expose());
            let no_key = |_| wrong("is not an Ed25519 private key in PEM (PKCS #8)".to_owned());
            return key.map(Signer::Local).map_err(no_key);
        };
        let client = aws_sdk_kms::Client::new(&aws.own(kms_region(aws, settings, key)));
        let answer = client.get_public_key().key_id(key).send().await;
        let answer = answer.map_err(|it| cloud_error("kms:GetPublicKey", &it))?;
        let der = answer.public_key.map(Blob::into_inner).unwrap_or_default();
        match PublicKey::from_der(&der) {
            Some(public @ PublicKey::P256(_)) => {
                Ok(Signer::Kms { client, key: key.to_owned(), public })
            }
            _ => Err(wrong(format!("`{key}` is not an asymmetric key of type ECC_NIST_P256"))),
        }
    }

    fn public(&self) -> PublicKey {
        match self {
            Signer::Local(key) => PublicKey::Ed25519(key.verifying_key()),
            Signer::Kms { public, .. } => public.clone(),
        }
    }

    async fn sign(&self, message: &[u8]) -> Result<[u8; 64], CheckpointingError> {
        let (client, key) = match self {
            Signer::Local(key) => return Ok(key.sign(message).to_bytes()),
            Signer::Kms { client, key, .. } => (client, key),
        };
        // The digest, since KMS takes messages of 4 kB at the most.
        let answer = client
            .sign()
            .key_id(key)
            .message(Blob::new(Sha256::digest(message).to_vec()))
            .message_type(MessageType::Digest)
            .signing_algorithm(SigningAlgorithmSpec::EcdsaSha256)
            .send()
            .await
            .map_err(|it| cloud_error("kms:Sign", &it))?;
        let der = answer.signature.map(Blob::into_inner).unwrap_or_default();
        p256_signature(&der).ok_or_else(|| CheckpointingError::Setting {
            setting: "signer",
            problem: format!("`{key}` answered with something that is no P-256 signature"),
        })
    }
}

/// A key's ARN names its region (`arn:aws:kms:REGION:…`); an alias or an id does not.
fn kms_region<'a>(aws: &'a Aws, settings: &'a DynamoConfig, key: &'a str) -> &'a str {
    let named = key.strip_prefix("arn:").and_then(|it| it.split(':').nth(2));
    let own = settings.region.as_deref().unwrap_or(&aws.settings().region);
    named.filter(|it| !it.is_empty()).unwrap_or(own)
}

/// Where checkpoints are kept.
struct Place {
    client: aws_sdk_s3::Client,
    bucket: String,
    prefix: String,
}

impl Place {
    fn of(aws: &Aws, settings: &DynamoConfig) -> Result<Place, CheckpointingError> {
        let wrong = |problem: &str| CheckpointingError::Setting {
            setting: "checkpoints",
            problem: problem.to_owned(),
        };
        let url = settings.checkpoints.as_deref().ok_or_else(|| wrong("is not set"))?;
        let path = url.strip_prefix("s3://").ok_or_else(|| wrong("write `s3://BUCKET/PREFIX`"))?;
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        if bucket.is_empty() {
            return Err(wrong("write `s3://BUCKET/PREFIX`"));
        }
        let prefix = prefix.trim_end_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let region = settings.region.as_ref().unwrap_or(&aws.settings().region);
        let config = aws_sdk_s3::config::Builder::from(&aws.own(region))
            // Emulators and proxies know no host name per bucket.
            .force_path_style(aws.settings().endpoint_url.is_some())
            .build();
        let client = aws_sdk_s3::Client::from_conf(config);
        Ok(Place { client, bucket: bucket.to_owned(), prefix })
    }

    fn url(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }

    /// A checkpoint's key: in the order of time.
    fn key(&self, time: Timestamp) -> String {
        format!("{}{:020}.json", self.prefix, time.as_millisecond().max(0))
    }

    async fn keep(
        &self,
        settings: &DynamoConfig,
        checkpoint: &Checkpoint,
    ) -> Result<String, CheckpointingError> {
        let key = self.key(checkpoint.time);
        let days = i64::from(settings.checkpoint_retention_days);
        let until = checkpoint.time.checked_add(SignedDuration::from_hours(24 * days));
        let until = until.unwrap_or(Timestamp::MAX).as_second();
        let mode = match settings.checkpoint_lock {
            LockMode::Governance => ObjectLockMode::Governance,
            LockMode::Compliance => ObjectLockMode::Compliance,
        };
        let body = format!("{}\n", checkpoint.to_json()).into_bytes();
        self.client
            .put_object()
            .bucket(&self.bucket)
            .key(&key)
            .content_type("application/json")
            .object_lock_mode(mode)
            .object_lock_retain_until_date(DateTime::from_secs(until))
            .body(ByteStream::from(body))
            .send()
            .await
            .map_err(|it| cloud_error("s3:PutObject", &it))?;
        Ok(self.url(&key))
    }

    /// The newest checkpoint.
    async fn last(
        &self,
        now: Timestamp,
    ) -> Result<Option<(String, Checkpoint)>, CheckpointingError> {
        let edge = now.checked_sub(SignedDuration::from_hours(24 * RECENT_DAYS));
        let edge = self.key(edge.unwrap_or(Timestamp::UNIX_EPOCH));
        let key = match self.keys(Some(&edge)).await?.pop() {
            Some(key) => Some(key),
            None => self.keys(None).await?.pop(),
        };
        let Some(key) = key else { return Ok(None) };
        let url = self.url(&key);
        let json = self.get(&key).await?;
        match Checkpoint::parse(&json) {
            Ok(checkpoint) => Ok(Some((url, checkpoint))),
            Err(error) => Err(CheckpointingError::Contradicted { url, problem: error.to_string() }),
        }
    }

    /// The keys of checkpoints that follow `after`, in the order in which S3 took them. A key is
    /// made of the signer's clock: one that ran ahead must not stay the last.
    async fn keys(&self, after: Option<&str>) -> Result<Vec<String>, CheckpointingError> {
        let mut found: Vec<(i64, String)> = Vec::new();
        let mut next = None;
        loop {
            let call = self.client.list_objects_v2().bucket(&self.bucket).prefix(&self.prefix);
            let page = call
                .set_start_after(after.map(str::to_owned))
                .set_continuation_token(next)
                .send()
                .await
                .map_err(|it| cloud_error("s3:ListBucket", &it))?;
            for it in page.contents.unwrap_or_default() {
                let taken_s = it.last_modified.map_or(0, |it| it.secs());
                found.extend(it.key.filter(|it| it.ends_with(".json")).map(|it| (taken_s, it)));
            }
            next = page.next_continuation_token;
            if next.is_none() {
                break;
            }
        }
        found.sort();
        Ok(found.into_iter().map(|(_, key)| key).collect())
    }

    async fn get(&self, key: &str) -> Result<Vec<u8>, CheckpointingError> {
        let call = self.client.get_object().bucket(&self.bucket).key(key).send();
        let object = call.await.map_err(|it| cloud_error("s3:GetObject", &it))?;
        let size = object.content_length.and_then(|it| usize::try_from(it).ok());
        if size.is_some_and(|it| CHECKPOINT_BYTES_MAX + 1 < it) {
            let problem = format!("it is larger than {CHECKPOINT_BYTES_MAX} bytes");
            return Err(CheckpointingError::Contradicted { url: self.url(key), problem });
        }
        let bytes = object.body.collect().await.map_err(|it| {
            CloudError::unsupported("s3:GetObject", format!("the answer broke off: {it}"))
        })?;
        Ok(bytes.to_vec())
    }
}
