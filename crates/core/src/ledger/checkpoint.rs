//! Signed checkpoints: the heads of all chains at one time, under a key that the ledger's
//! directory does not hold.
//!
//! ```text
//! {"time":"…","heads":[{"chain":"main","sequence":7,"digest":"…"}],"key_id":"…","signature":"…"}
//! ```
//!
//! The signature is over [`SIGNATURE_DOMAIN`] followed by the checkpoint's compact JSON up to the
//! comma before `"signature"`; which algorithm follows from the key ([`PublicKey`]). White space
//! between tokens does not matter: a checkpoint is meant to be carried through other systems, which
//! may format it anew.

use ed25519_dalek::{Signer as _, SigningKey};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ledger::ids::{Digest, Head};
use crate::ledger::keys::{PublicKey, SIGNATURE_BYTES};

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
    /// [`PublicKey::id`]: says which key to look for, proves nothing.
    pub key_id: Digest,
    /// 64 bytes, as 128 lowercase hexadecimal digits.
    signature: String,
}

/// A checkpoint that is still to be signed, perhaps by a key that lies elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unsigned {
    time: Timestamp,
    heads: Vec<Head>,
    key_id: Digest,
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

impl Unsigned {
    /// The heads of all chains, to be signed with `key`.
    pub fn new(time: Timestamp, mut heads: Vec<Head>, key: &PublicKey) -> Self {
        heads.sort_by(|a, b| a.chain.cmp(&b.chain));
        Self { time, heads, key_id: key.id() }
    }

    /// The bytes to sign.
    pub fn message(&self) -> Vec<u8> {
        let mut message = SIGNATURE_DOMAIN.to_vec();
        // The JSON of `Checkpoint` up to the comma before its signature is this without the brace.
        let mut json = serde_json::to_vec(self).unwrap_or_default();
        json.pop();
        message.append(&mut json);
        message
    }

    /// The checkpoint with its signature.
    pub fn signed(self, signature: &[u8; SIGNATURE_BYTES]) -> Checkpoint {
        let Self { time, heads, key_id } = self;
        Checkpoint { time, heads, key_id, signature: hex::encode(signature) }
    }
}

impl Checkpoint {
    /// Signs the heads of all chains.
    pub fn sign(time: Timestamp, heads: Vec<Head>, key: &SigningKey) -> Self {
        let unsigned = Unsigned::new(time, heads, &PublicKey::Ed25519(key.verifying_key()));
        let signature = key.sign(&unsigned.message()).to_bytes();
        unsigned.signed(&signature)
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
    pub fn verify(&self, keys: &[PublicKey]) -> Result<(), SignatureError> {
        let named = keys.iter().find(|it| it.id() == self.key_id);
        let key = named.ok_or(SignatureError::UnknownKey(self.key_id))?;
        let mut signature = [0; SIGNATURE_BYTES];
        hex::decode_to_slice(&self.signature, &mut signature).map_err(|_| SignatureError::Wrong)?;
        let Self { time, heads, key_id, .. } = self.clone();
        let message = Unsigned { time, heads, key_id }.message();
        if key.vouches(&message, &signature) { Ok(()) } else { Err(SignatureError::Wrong) }
    }
}
