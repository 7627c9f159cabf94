//! `aws-sm://NAME[#KEY][?version-stage=STAGE]`: AWS Secrets Manager.
//!
//! Source: `GetSecretValue` in the AWS Secrets Manager API reference. A secret of bytes is taken
//! where they are UTF-8.

use super::reference::InSecretsManager;
use super::{Found, SecretError, aws};
use aws_sdk_secretsmanager::Client;
use quell_library::aws::errors::cloud_error;
use serde_json::Value;
use zeroize::{Zeroize as _, Zeroizing};

/// Reads it.
pub async fn read(
    client: &Client,
    secret: &InSecretsManager,
    reference: &str,
) -> Result<Found, SecretError> {
    let call = client.get_secret_value().secret_id(&secret.id);
    let answer =
        call.set_version_stage(secret.version_stage.clone()).send().await.map_err(|it| {
            aws::refused(&cloud_error("secretsmanager:GetSecretValue", &it), reference)
        })?;
    let text = match (answer.secret_string, answer.secret_binary) {
        (Some(text), _) => Some(text),
        (None, Some(bytes)) => String::from_utf8(bytes.into_inner()).ok(),
        (None, None) => None,
    };
    let useless =
        |problem: String| SecretError::Useless { reference: reference.to_owned(), problem };
    let text = Zeroizing::new(text.ok_or_else(|| useless("holds no text".to_owned()))?);
    match &secret.key {
        None => Found::text(reference, text),
        Some(key) => {
            // What the parser says quotes the text, so it is not told.
            let mut object: Value = serde_json::from_str(&text)
                .map_err(|_| useless(format!("is no JSON object, so it has no key `{key}`")))?;
            let value = object.get(key).and_then(Value::as_str).map(str::to_owned);
            wipe(&mut object);
            let value = value.ok_or_else(|| useless(format!("has no text under key `{key}`")))?;
            Found::text(reference, Zeroizing::new(value))
        }
    }
}

/// Wipes every text in it.
pub fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(fields) => fields.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
