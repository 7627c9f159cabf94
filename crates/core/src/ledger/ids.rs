//! The names inside a ledger: which chain, which digest, where a chain ends.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The longest name that a chain may have, in bytes.
pub const CHAIN_ID_BYTES_MAX: usize = 64;

/// The name of a chain: one writer's sequence of records.
///
/// Lowercase ASCII letters, digits and hyphens, starting with a letter or a digit, so that it is a
/// folder name on any file system and needs no escape in JSON. Cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ChainId(Arc<str>);

/// A SHA-256 digest; written as 64 lowercase hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

/// Where a chain ends: its last record. `sequence` is 0 and `digest` is zero for an empty chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The chain.
    pub chain: ChainId,
    /// The number of its last record; records are numbered from 1.
    pub sequence: u64,
    /// The digest of its last record.
    pub digest: Digest,
}

/// A text that is not an identifier of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not the name of a chain.
    #[error(
        "`{0}` cannot name a chain: use 1 to {CHAIN_ID_BYTES_MAX} lowercase letters, digits and \
         hyphens, starting with a letter or a digit"
    )]
    Chain(String),
    /// Not a digest.
    #[error("`{0}` is not a digest: 64 lowercase hexadecimal digits are needed")]
    Digest(String),
}

impl ChainId {
    /// Checks that `name` can name a chain.
    pub fn new(name: &str) -> Result<Self, IdError> {
        let allowed = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-';
        let fits = !name.is_empty() && name.len() <= CHAIN_ID_BYTES_MAX;
        if fits && !name.starts_with('-') && name.bytes().all(allowed) {
            Ok(Self(name.into()))
        } else {
            Err(IdError::Chain(name.to_owned()))
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Digest {
    /// What stands for the predecessor of a chain's first record.
    pub const ZERO: Self = Self([0; 32]);

    /// The SHA-256 of `parts`, one after the other.
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Head {
    /// The head of a chain that has no record yet.
    pub fn empty(chain: ChainId) -> Self {
        Self { chain, sequence: 0, digest: Digest::ZERO }
    }
}

impl fmt::Display for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ChainId {
    type Error = IdError;

    fn try_from(name: String) -> Result<Self, IdError> {
        Self::new(&name)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; 64];
        hex::encode_to_slice(self.0, &mut digits).map_err(|_| fmt::Error)?;
        f.write_str(str::from_utf8(&digits).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let wrong = || IdError::Digest(text.to_owned());
        if text.bytes().any(|it| it.is_ascii_uppercase()) {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| wrong())?;
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Digest {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.chain, self.sequence, self.digest)
    }
}
