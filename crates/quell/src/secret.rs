//! Secrets are references; they are resolved late, wiped when dropped, and never printed.

use std::fs;
use thiserror::Error;
use zeroize::Zeroizing;

/// The largest secret in a file, in bytes.
pub const SECRET_MAX_BYTES: u64 = 64 * 1024;

/// Why a reference leads to no secret. The secret itself is never part of it.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SecretError {
    /// No such scheme.
    #[error("`{0}` is no reference to a secret: write `env://NAME` or `file:///path`")]
    Scheme(String),
    /// The environment variable is not set, or empty.
    #[error("environment variable `{0}` is not set")]
    Unset(String),
    /// The file can't be read.
    #[error("`{path}`: {problem}")]
    File {
        /// Its path.
        path: String,
        /// What is wrong.
        problem: String,
    },
}

/// Resolves `env://NAME` or `file:///path`. White space at a file's end is not part of the secret.
pub fn resolve(reference: &str) -> Result<Zeroizing<String>, SecretError> {
    if let Some(name) = reference.strip_prefix("env://") {
        let value = std::env::var(name).ok().filter(|it| !it.is_empty());
        return value.map(Zeroizing::new).ok_or_else(|| SecretError::Unset(name.to_owned()));
    }
    if let Some(path) = reference.strip_prefix("file://") {
        let fail = |problem: String| SecretError::File { path: path.to_owned(), problem };
        let bytes = fs::metadata(path).map_err(|it| fail(it.to_string()))?.len();
        if SECRET_MAX_BYTES < bytes {
            return Err(fail(format!("{bytes} bytes; the limit is {SECRET_MAX_BYTES} bytes")));
        }
        let text = Zeroizing::new(fs::read_to_string(path).map_err(|it| fail(it.to_string()))?);
        return Ok(Zeroizing::new(text.trim_end().to_owned()));
    }
    // A secret may have been written where its reference belongs: show no more than the scheme.
    let scheme = reference.split_once("://").map_or("…", |(scheme, _)| scheme);
    Err(SecretError::Scheme(format!("{scheme}://…")))
}
