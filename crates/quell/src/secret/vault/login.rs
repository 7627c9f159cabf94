//! Who we are for Vault: a token, an AppRole, or our IAM role.
//!
//! For AWS IAM we sign a request to `sts:GetCallerIdentity` and give it to Vault, which sends it:
//! the answer proves who signed. Source: "AWS auth method (API)", login, in HashiCorp's
//! documentation.

use super::http::{Answer, Http};
use super::{Life, life, system_time};
use crate::secret::aws::AwsStores;
use crate::secret::config::{AppRole, AwsIam, VaultAuth};
use crate::secret::reference::Reference;
use crate::secret::{Secret, SecretError};
use aws_sdk_ssm::config::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_types::base64;
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Map, Value, json};

/// What AWS is asked; Vault takes nothing else.
const IDENTITY_QUERY: &str = "Action=GetCallerIdentity&Version=2011-06-15";
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";
const SERVER_ID: &str = "X-Vault-AWS-IAM-Server-ID";

/// How we log in.
pub enum Login {
    /// With a token that somebody gave us.
    Token(String),
    /// By AppRole.
    AppRole(AppRole),
    /// By AWS IAM.
    AwsIam(AwsIam),
}

/// A token and how long it is good.
pub struct Token {
    pub secret: Secret,
    pub renewable: bool,
    /// Without one, it never ends.
    pub life: Option<Life>,
}

impl Login {
    /// The one way that is configured.
    pub fn new(auth: &VaultAuth) -> Result<Login, String> {
        match (auth.token.clone(), auth.app_role.clone(), auth.aws_iam.clone()) {
            (Some(token), None, None) => Ok(Login::Token(token)),
            (None, Some(it), None) => Ok(Login::AppRole(it)),
            (None, None, Some(it)) => Ok(Login::AwsIam(it)),
            _ => Err("secrets.vault.auth: give exactly one way to log in".to_owned()),
        }
    }

    /// A token from a login. `own` leads to our secrets and credentials outside Vault.
    pub async fn token(
        &self,
        http: &Http,
        own: &AwsStores,
        reference: &str,
        now: Timestamp,
    ) -> Result<Token, SecretError> {
        let (mount, body) = match self {
            Login::Token(token) => {
                let secret = outside_vault(own, token).await?;
                return looked_up(http, secret, reference, now).await;
            }
            Login::AppRole(it) => {
                let secret_id = outside_vault(own, &it.secret_id).await?;
                (&it.mount, json!({"role_id": it.role_id, "secret_id": secret_id.expose()}))
            }
            Login::AwsIam(it) => {
                let credentials = own.credentials(reference).await?;
                let proof = identity_proof(it, credentials, now).map_err(|problem| {
                    SecretError::Useless { reference: reference.to_owned(), problem }
                })?;
                (&it.mount, proof)
            }
        };
        let mut body = body;
        let path = format!("auth/{mount}/login");
        let answer = http.call(Method::POST, &path, None, Some(&body)).await;
        crate::secret::aws_sm::wipe(&mut body);
        let auth = answer.map_err(|it| it.of(reference))?.part("auth");
        Ok(token(&auth, auth.text("client_token"), now))
    }
}

/// The same token with a longer life.
pub async fn renewed(
    http: &Http,
    old: &Token,
    now: Timestamp,
) -> Result<Token, super::http::Problem> {
    let path = "auth/token/renew-self";
    let mut answer = http.call(Method::POST, path, Some(&old.secret), Some(&json!({}))).await?;
    let auth = answer.part("auth");
    Ok(token(&auth, old.secret.expose().to_owned(), now))
}

/// A token that was given to us: Vault knows how long it is good.
async fn looked_up(
    http: &Http,
    secret: Secret,
    reference: &str,
    now: Timestamp,
) -> Result<Token, SecretError> {
    let call = http.call(Method::GET, "auth/token/lookup-self", Some(&secret), None);
    let data = call.await.map_err(|it| it.of(reference))?.part("data");
    Ok(Token { secret, renewable: data.flag("renewable"), life: life(now, data.number("ttl")) })
}

fn token(auth: &Answer, secret: String, now: Timestamp) -> Token {
    Token {
        secret: Secret::new(secret),
        renewable: auth.flag("renewable"),
        life: life(now, auth.number("lease_duration")),
    }
}

async fn outside_vault(own: &AwsStores, reference: &str) -> Result<Secret, SecretError> {
    let parsed = Reference::parse(reference)?;
    Ok(own.read_outside_vault(&parsed, reference).await?.secret)
}

/// A signed request that proves who we are, as Vault takes it.
fn identity_proof(
    config: &AwsIam,
    credentials: Credentials,
    now: Timestamp,
) -> Result<Value, String> {
    let (host, region) = match &config.sts_region {
        Some(region) => (format!("sts.{region}.amazonaws.com"), region.as_str()),
        None => ("sts.amazonaws.com".to_owned(), "us-east-1"),
    };
    let url = format!("https://{host}/");
    let length = IDENTITY_QUERY.len().to_string();
    let mut headers =
        vec![("Host", host.as_str()), ("Content-Type", FORM), ("Content-Length", &length)];
    if let Some(id) = &config.server_id {
        headers.push((SERVER_ID, id));
    }
    let failed = |_| "the proof of identity can't be signed".to_owned();
    let identity = credentials.into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("sts")
        .time(system_time(now))
        .settings(SigningSettings::default())
        .build()
        .map_err(|it| it.to_string())?
        .into();
    let body = SignableBody::Bytes(IDENTITY_QUERY.as_bytes());
    let request =
        SignableRequest::new("POST", &url, headers.iter().copied(), body).map_err(failed)?;
    let (signed, _) = sign(request, &params).map_err(failed)?.into_parts();
    let all = headers.iter().copied().chain(signed.headers());
    let all: Map<String, Value> =
        all.map(|(name, value)| (name.to_owned(), json!([value]))).collect();
    Ok(json!({
        "role": config.role,
        "iam_http_request_method": "POST",
        "iam_request_url": base64::encode(&url),
        "iam_request_body": base64::encode(IDENTITY_QUERY),
        "iam_request_headers": base64::encode(Value::Object(all).to_string()),
    }))
}
