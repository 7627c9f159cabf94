//! Public keys that vouch for checkpoints.
//!
//! Two kinds, since a key lives where it is safe: Ed25519 (RFC 8032) in a file or a secret, P-256
//! (FIPS 186-5) in a key management service, which never gives the private half away. The kind
//! belongs to the key and is never read from what was signed, so nobody can choose a weaker one.

use ed25519_dalek::pkcs8::DecodePublicKey as _;
use p256::ecdsa::signature::Verifier as _;

use crate::ledger::ids::Digest;

/// Bytes of a signature by either kind of key: for P-256 `r` and `s`, 32 bytes each.
pub const SIGNATURE_BYTES: usize = 64;

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// Ed25519; signs the message itself.
    Ed25519(ed25519_dalek::VerifyingKey),
    /// ECDSA on NIST P-256 over the message's SHA-256.
    P256(p256::ecdsa::VerifyingKey),
}

impl PublicKey {
    /// Reads SubjectPublicKeyInfo (RFC 5280) as PEM; `None` where it is no key of either kind.
    pub fn from_pem(pem: &str) -> Option<PublicKey> {
        let ed25519 = ed25519_dalek::VerifyingKey::from_public_key_pem(pem).map(Self::Ed25519);
        let p256 = || p256::ecdsa::VerifyingKey::from_public_key_pem(pem).map(Self::P256);
        ed25519.ok().or_else(|| p256().ok())
    }

    /// Reads SubjectPublicKeyInfo as DER, which is how AWS KMS' `GetPublicKey` answers.
    pub fn from_der(der: &[u8]) -> Option<PublicKey> {
        let ed25519 = ed25519_dalek::VerifyingKey::from_public_key_der(der).map(Self::Ed25519);
        let p256 = || p256::ecdsa::VerifyingKey::from_public_key_der(der).map(Self::P256);
        ed25519.ok().or_else(|| p256().ok())
    }

    /// The key's name: the SHA-256 of its 32 bytes, or of P-256's 65 bytes of uncompressed point
    /// (SEC 1, section 2.3.3).
    pub fn id(&self) -> Digest {
        match self {
            Self::Ed25519(key) => Digest::of(&[key.as_bytes()]),
            Self::P256(key) => Digest::of(&[key.to_sec1_point(false).as_ref()]),
        }
    }

    /// Whether this key signed `message`.
    pub fn vouches(&self, message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool {
        match self {
            Self::Ed25519(key) => {
                let signature = ed25519_dalek::Signature::from_bytes(signature);
                key.verify_strict(message, &signature).is_ok()
            }
            Self::P256(key) => p256::ecdsa::Signature::from_slice(signature)
                .is_ok_and(|it| key.verify(message, &it).is_ok()),
        }
    }
}

impl From<ed25519_dalek::VerifyingKey> for PublicKey {
    fn from(key: ed25519_dalek::VerifyingKey) -> Self {
        Self::Ed25519(key)
    }
}

/// The 64 bytes of a P-256 signature that came as DER (RFC 3279), which is how AWS KMS answers.
pub fn p256_signature(der: &[u8]) -> Option<[u8; SIGNATURE_BYTES]> {
    let signature = p256::ecdsa::Signature::from_der(der).ok()?;
    Some(signature.to_bytes().into())
}
