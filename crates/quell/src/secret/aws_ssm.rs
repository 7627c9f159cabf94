//! `aws-ssm://NAME`: a parameter of AWS Systems Manager, decrypted. `NAME:VERSION` and `NAME:LABEL`
//! are AWS' own.
//!
//! Source: `GetParameter` in the AWS Systems Manager API reference.

use super::{Found, SecretError, aws};
use aws_sdk_ssm::Client;
use quell_library::aws::errors::cloud_error;
use zeroize::Zeroizing;

/// Reads it.
pub async fn read(client: &Client, name: &str, reference: &str) -> Result<Found, SecretError> {
    let call = client.get_parameter().name(name).with_decryption(true);
    let answer = call
        .send()
        .await
        .map_err(|it| aws::refused(&cloud_error("ssm:GetParameter", &it), reference))?;
    let value = answer.parameter.and_then(|it| it.value).ok_or_else(|| SecretError::Useless {
        reference: reference.to_owned(),
        problem: "holds no value".to_owned(),
    })?;
    Found::text(reference, Zeroizing::new(value))
}
