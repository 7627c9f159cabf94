//! `env://NAME`: a variable of the environment. It can't change while the process runs.

use super::{Found, SecretError};
use std::env;
use zeroize::Zeroizing;

/// Reads it.
pub fn read(name: &str, reference: &str) -> Result<Found, SecretError> {
    let reference = reference.to_owned();
    match env::var(name) {
        Ok(value) if !value.is_empty() => Found::text(&reference, Zeroizing::new(value)),
        Err(env::VarError::NotUnicode(_)) => {
            Err(SecretError::Useless { reference, problem: "is not UTF-8".to_owned() })
        }
        Ok(_) | Err(env::VarError::NotPresent) => {
            let problem = format!("environment variable `{name}` is not set");
            Err(SecretError::NotFound { reference, problem })
        }
    }
}
