//! Key files: Ed25519 keys as PEM, the private one in PKCS #8 (RFC 8410), the public one as
//! SubjectPublicKeyInfo, which is what `openssl genpkey -algorithm ed25519` and
//! `openssl pkey -pubout` write. A public key may also be P-256's, whose private half lies in a key
//! management service.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use ed25519_dalek::pkcs8::DecodePrivateKey as _;
use ed25519_dalek::pkcs8::KeypairBytes;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _};
use ed25519_dalek::{SigningKey, VerifyingKey};
use quell_core::ledger::keys::PublicKey;
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use zeroize::Zeroizing;

/// A key file that is of no use.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file system refused.
    #[error("`{path}`")]
    Io {
        /// The key file.
        path: Utf8PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Not a private key.
    #[error("`{path}` is not an Ed25519 private key in PEM (PKCS #8)")]
    NotPrivate {
        /// The key file.
        path: Utf8PathBuf,
    },
    /// Not a public key.
    #[error("`{path}` is not an Ed25519 or P-256 public key in PEM")]
    NotPublic {
        /// The key file.
        path: Utf8PathBuf,
    },
    /// The key lies beside what it protects.
    #[error("the signing key `{path}` lies in the ledger's directory `{dir}`: keep it elsewhere")]
    InLedger {
        /// The key file.
        path: Utf8PathBuf,
        /// The store.
        dir: Utf8PathBuf,
    },
    /// The system gave no random bytes, or a key could not be written as PEM.
    #[error("no key could be made")]
    Generate,
}

/// Refuses a key file that lies in the store's directory `dir`.
pub fn lies_outside(path: &Utf8Path, dir: &Utf8Path) -> Result<(), KeyError> {
    let real = path
        .canonicalize_utf8()
        .map_err(|source| KeyError::Io { path: path.to_owned(), source })?;
    // A directory that is not there yet holds no key.
    if dir.canonicalize_utf8().is_ok_and(|it| real.starts_with(it)) {
        return Err(KeyError::InLedger { path: path.to_owned(), dir: dir.to_owned() });
    }
    Ok(())
}

/// Reads the signing key from its PEM; `reference` says in an error where that came from.
pub fn signing_key(pem: &str, reference: &str) -> Result<SigningKey, KeyError> {
    SigningKey::from_pkcs8_pem(pem).map_err(|_| KeyError::NotPrivate { path: reference.into() })
}

/// Reads one public key (Ed25519 or P-256) or, after a rotation, several in one file.
pub fn public_keys(path: &Utf8Path) -> Result<Vec<PublicKey>, KeyError> {
    let text = fs::read_to_string(path)
        .map_err(|source| KeyError::Io { path: path.to_owned(), source })?;
    let wrong = || KeyError::NotPublic { path: path.to_owned() };
    let end = "-----END PUBLIC KEY-----\n";
    let text = format!("{}\n", text.trim());
    let keys: Option<Vec<_>> = text.split_inclusive(end).map(PublicKey::from_pem).collect();
    keys.ok_or_else(wrong)
}

/// Makes a new pair of keys: the private one in `path`, which must not be there yet and which only
/// its owner may read, the public one beside it in `path` with `.pub`.
pub fn generate(path: &Utf8Path) -> Result<VerifyingKey, KeyError> {
    let mut seed = Zeroizing::new([0; 32]);
    OsRng.try_fill_bytes(seed.as_mut()).map_err(|_| KeyError::Generate)?;
    // Without the public key, which OpenSSL does not accept in a private one.
    let private = KeypairBytes { secret_key: *seed, public_key: None };
    let private = private.to_pkcs8_pem(LineEnding::LF).map_err(|_| KeyError::Generate)?;
    let public = SigningKey::from_bytes(&seed).verifying_key();
    let public_pem = public.to_public_key_pem(LineEnding::LF).map_err(|_| KeyError::Generate)?;
    write_new(path, private.as_bytes(), 0o600)?;
    write_new(&Utf8PathBuf::from(format!("{path}.pub")), public_pem.as_bytes(), 0o644)?;
    Ok(public)
}

fn write_new(path: &Utf8Path, bytes: &[u8], mode: u32) -> Result<(), KeyError> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|source| KeyError::Io { path: path.to_owned(), source })
}
