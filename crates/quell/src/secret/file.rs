//! `file:///path`: a file, such as one that Kubernetes or systemd mounts. White space at its end is
//! not part of the secret.

use super::{Found, SECRET_MAX_BYTES, SecretError};
use std::fs::File;
use std::io::{self, Read as _};
use zeroize::Zeroizing;

/// Reads it. Such files are small and in memory, so this does not wait for a disk.
pub fn read(path: &str, reference: &str) -> Result<Found, SecretError> {
    let mut text = Zeroizing::new(String::new());
    // One byte more than fits tells that it is too large.
    let limit = SECRET_MAX_BYTES as u64 + 1;
    let read = File::open(path).and_then(|it| it.take(limit).read_to_string(&mut text));
    if let Err(error) = read {
        let (reference, problem) = (reference.to_owned(), error.to_string());
        return Err(match error.kind() {
            io::ErrorKind::NotFound => SecretError::NotFound { reference, problem },
            io::ErrorKind::PermissionDenied => SecretError::Denied { reference, problem },
            _ => SecretError::Useless { reference, problem },
        });
    }
    if SECRET_MAX_BYTES < text.len() {
        let problem = format!("the limit is {SECRET_MAX_BYTES} bytes");
        return Err(SecretError::Useless { reference: reference.to_owned(), problem });
    }
    Found::text(reference, Zeroizing::new(text.trim_end().to_owned()))
}
