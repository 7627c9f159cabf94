//! Signed checkpoints: the heads of all chains at one time, under a key that the ledger's
//! directory does not hold.
//!
//! ```text
//! {"time":"…","heads":[{"chain":"main","sequence":7,"digest":"…"}],"key_id":"…","signature":"…"}
//! ```
//!
//! The signature is Ed25519 (RFC 8032) over [`SIGNATURE_DOMAIN`] followed by the checkpoint's
//! compact JSON up to the comma before `"signature"`. White space between tokens does not matter:
//! a checkpoint is meant to be carried through other systems, which may format it anew.

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ledger::ids::{Digest, Head};

/// What is signed before the bytes of a checkpoint.
pub const SIGNATURE_DOMAIN: &[u8] = b"quell.ledger.checkpoint.v1\n";

/// The largest checkpoint that is read, in bytes.
pub const CHECKPOINT_BYTES_MAX: usize = 1024 * 1024;

/// The heads of all chains at one time. Kept elsewhere, it is an anchor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// When it was made.
    pub time: Timestamp,
    /// Where each chain ended, sorted by chain.
    pub heads: Vec<Head>,
    /// The SHA-256 of the public key's 32 bytes: says which key to look for, proves nothing.
    pub key_id: Digest,
    /// 64 bytes, as 128 lowercase hexadecimal digits.
    signature: String,
}

/// What is signed: a checkpoint without its signature.
#[derive(Serialize)]
struct Signed<'a> {
    time: &'a Timestamp,
    heads: &'a [Head],
    key_id: &'a Digest,
}

/// Bytes that are not a checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Not its JSON.
    #[error("the checkpoint cannot be read")]
    Json(#[source] serde_json::Error),
    /// More than [`CHECKPOINT_BYTES_MAX`].
    #[error("the checkpoint takes {bytes} bytes, the limit is {CHECKPOINT_BYTES_MAX}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The heads are not sorted, or a chain stands there twice.
    #[error("the checkpoint's heads are not sorted by chain, each once")]
    Unsorted,
}

/// A signature that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// None of the given keys is the one that the checkpoint names.
    #[error("the checkpoint is signed with the key `{0}`, which is not among the public keys")]
    UnknownKey(Digest),
    /// The signature is not that key's signature of this checkpoint.
    #[error("the checkpoint's signature does not hold")]
    Wrong,
}

impl Checkpoint {
    /// Signs the heads of all chains.
    pub fn sign(time: Timestamp, mut heads: Vec<Head>, key: &SigningKey) -> Self {
        heads.sort_by(|a, b| a.chain.cmp(&b.chain));
        let key_id = key_id(&key.verifying_key());
        let message = message(&Signed { time: &time, heads: &heads, key_id: &key_id });
        let signature = hex::encode(key.sign(&message).to_bytes());
        Self { time, heads, key_id, signature }
    }

    /// Reads a checkpoint; its signature is checked by [`Self::verify`].
    pub fn parse(json: &[u8]) -> Result<Self, CheckpointError> {
        if CHECKPOINT_BYTES_MAX < json.len() {
            return Err(CheckpointError::TooLarge { bytes: json.len() });
        }
        let checkpoint: Self = serde_json::from_slice(json).map_err(CheckpointError::Json)?;
        let sorted = checkpoint.heads.is_sorted_by(|a, b| a.chain < b.chain);
        if sorted { Ok(checkpoint) } else { Err(CheckpointError::Unsorted) }
    }

    /// The checkpoint as one line of JSON, without a newline.
    pub fn to_json(&self) -> String {
        // Serializing plain data into memory cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Checks the signature against the one of `keys` that the checkpoint names.
    pub fn verify(&self, keys: &[VerifyingKey]) -> Result<(), SignatureError> {
        let key = keys
            .iter()
            .find(|it| key_id(it) == self.key_id)
            .ok_or(SignatureError::UnknownKey(self.key_id))?;
        let mut bytes = [0; 64];
        hex::decode_to_slice(&self.signature, &mut bytes).map_err(|_| SignatureError::Wrong)?;
        let Self { time, heads, key_id, .. } = self;
        let message = message(&Signed { time, heads, key_id });
        key.verify_strict(&message, &Signature::from_bytes(&bytes))
            .map_err(|_| SignatureError::Wrong)
    }
}

/// The name of a public key: the SHA-256 of its 32 bytes.
pub fn key_id(key: &VerifyingKey) -> Digest {
    Digest::of(&[key.as_bytes()])
}

fn message(signed: &Signed<'_>) -> Vec<u8> {
    let mut message = SIGNATURE_DOMAIN.to_vec();
    // The JSON of `Checkpoint` up to the comma before its signature is this without the brace.
    let mut json = serde_json::to_vec(signed).unwrap_or_default();
    json.pop();
    message.append(&mut json);
    message
}
