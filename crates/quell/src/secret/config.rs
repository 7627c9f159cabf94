//! The configuration's section `secrets`.

use super::reference::Reference;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::path::PathBuf;

/// How references to secrets are resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SecretsConfig {
    /// How long a secret is used before it is looked up again, in seconds: how soon a rotation is
    /// picked up.
    pub secret_ttl_s: u64,
    /// How long the last value stands in while its store can't be reached, in seconds since it
    /// was read; 0 never lets it.
    pub secret_stale_max_s: u64,
    /// How long a look-up that failed is not repeated, in seconds.
    pub secret_retry_s: u64,
    /// Longest time of one look-up, in milliseconds.
    pub secret_time_max_ms: u64,
    /// HashiCorp Vault, for references `vault://`.
    pub vault: Option<VaultConfig>,
}

impl Default for SecretsConfig {
    fn default() -> SecretsConfig {
        SecretsConfig {
            secret_ttl_s: 300,
            secret_stale_max_s: 3600,
            secret_retry_s: 5,
            secret_time_max_ms: 10_000,
            vault: None,
        }
    }
}

/// HashiCorp Vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VaultConfig {
    /// Its address, such as `https://vault.example.com:8200`; plain HTTP only on loopback.
    pub address: String,
    /// The namespace (Vault Enterprise), such as `security/quell`.
    #[serde(default)]
    pub namespace: Option<String>,
    /// PEM file with the authorities that may have signed its certificate; else the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Mounts that are read as they are: KV version 1, and engines that lend, such as `database`.
    /// All others are KV version 2.
    #[serde(default)]
    pub unversioned_mounts: Vec<String>,
    /// Who we are: exactly one of its settings.
    pub auth: VaultAuth,
}

/// Who we are for Vault: exactly one of these.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct VaultAuth {
    /// Reference to a token, not in Vault itself: `file:///run/vault/token` for an agent's sink.
    pub token: Option<String>,
    /// An AppRole.
    pub app_role: Option<AppRole>,
    /// Our IAM role, by AWS' signature.
    pub aws_iam: Option<AwsIam>,
}

/// Login by AppRole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AppRole {
    /// Where the method is mounted.
    #[serde(default = "app_role_mount")]
    pub mount: String,
    /// The role's id, which is no secret.
    pub role_id: String,
    /// Reference to the secret id, not in Vault itself.
    pub secret_id: String,
}

/// Login by AWS IAM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AwsIam {
    /// Where the method is mounted.
    #[serde(default = "aws_iam_mount")]
    pub mount: String,
    /// The role in Vault.
    pub role: String,
    /// What Vault demands in `X-Vault-AWS-IAM-Server-ID`, if it does.
    #[serde(default)]
    pub server_id: Option<String>,
    /// Region of the STS endpoint that Vault is configured to ask; else the global one.
    #[serde(default)]
    pub sts_region: Option<String>,
}

fn app_role_mount() -> String {
    "approle".to_owned()
}

fn aws_iam_mount() -> String {
    "aws".to_owned()
}

impl SecretsConfig {
    /// Checks what the types can't say; the error names the setting.
    pub fn check(&self) -> Result<(), String> {
        if self.secret_time_max_ms == 0 {
            return Err("secret_time_max_ms: must be at least 1".to_owned());
        }
        self.vault.as_ref().map_or(Ok(()), |it| it.check().map_err(|it| format!("vault.{it}")))
    }

    /// The references that it holds itself.
    pub fn references(&self) -> impl Iterator<Item = &str> {
        let auth = self.vault.as_ref().map(|it| &it.auth);
        let token = auth.and_then(|it| it.token.as_deref());
        let secret_id = auth.and_then(|it| it.app_role.as_ref()).map(|it| it.secret_id.as_str());
        [token, secret_id].into_iter().flatten()
    }
}

impl VaultConfig {
    fn check(&self) -> Result<(), String> {
        self.url()?;
        let auth = &self.auth;
        let given = [auth.token.is_some(), auth.app_role.is_some(), auth.aws_iam.is_some()];
        if given.iter().filter(|it| **it).count() != 1 {
            return Err("auth: give exactly one of `token`, `app_role` and `aws_iam`".to_owned());
        }
        let app_role = auth.app_role.as_ref().map(|it| &it.secret_id);
        let references = [("token", auth.token.as_ref()), ("app_role.secret_id", app_role)];
        for (name, reference) in references {
            let Some(reference) = reference else { continue };
            let parsed = Reference::parse(reference).map_err(|it| format!("auth.{name}: {it}"))?;
            if let Reference::Vault(_) = parsed {
                return Err(format!("auth.{name}: the way into Vault can't lie in Vault"));
            }
        }
        Ok(())
    }

    /// The address; a token does not travel in the clear beyond this machine.
    pub fn url(&self) -> Result<reqwest::Url, String> {
        let url: reqwest::Url = self
            .address
            .parse()
            .map_err(|_| "address: write it like `https://vault.example.com:8200`".to_owned())?;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let is_loopback =
            host == "localhost" || host.parse::<IpAddr>().is_ok_and(|it| it.is_loopback());
        let bare = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        match url.scheme() {
            _ if !bare => Err("address: no user, password or query may stand in it".to_owned()),
            "https" => Ok(url),
            "http" if is_loopback => Ok(url),
            _ => Err("address: must be `https://`; plain HTTP only on loopback".to_owned()),
        }
    }
}
