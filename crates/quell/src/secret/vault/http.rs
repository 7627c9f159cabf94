//! Vault's HTTP API: one request, one answer, within limits.

use crate::secret::aws_sm::wipe;
use crate::secret::config::VaultConfig;
use crate::secret::{Secret, SecretError};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, Method, StatusCode, Url, redirect};
use serde_json::Value;
use std::fs;
use zeroize::Zeroizing;

/// Largest answer, in bytes.
pub const ANSWER_MAX_BYTES: usize = 1024 * 1024;

const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");
/// Agents and proxies may demand it against forged requests.
const REQUEST: HeaderName = HeaderName::from_static("x-vault-request");

/// The client.
pub struct Http {
    client: Client,
    address: Url,
}

/// Why there is no answer to use; says status and path, never a body.
#[derive(Debug)]
pub enum Problem {
    /// 403.
    Denied(String),
    /// 404.
    NotFound(String),
    /// Sealed, standby, overloaded, or not reached.
    Unavailable(String),
    /// Anything else: asking again does not help.
    Useless(String),
}

impl Problem {
    /// Whether the same request may be answered later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Problem::Unavailable(_))
    }

    /// As the error about a reference.
    pub fn of(self, reference: &str) -> SecretError {
        let reference = reference.to_owned();
        match self {
            Problem::Denied(problem) => SecretError::Denied { reference, problem },
            Problem::NotFound(problem) => SecretError::NotFound { reference, problem },
            Problem::Unavailable(problem) => SecretError::Unavailable { reference, problem },
            Problem::Useless(problem) => SecretError::Useless { reference, problem },
        }
    }
}

/// A parsed answer, wiped when dropped.
pub struct Answer(Value);

impl Answer {
    /// Takes a part out of it.
    pub fn take(&mut self, path: &[&str]) -> Value {
        let part = path.iter().try_fold(&mut self.0, |it, key| it.get_mut(key));
        part.map_or(Value::Null, Value::take)
    }

    /// A text, empty where there is none.
    pub fn text(&self, key: &str) -> String {
        self.0.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// A number, 0 where there is none.
    pub fn number(&self, key: &str) -> u64 {
        self.0.get(key).and_then(Value::as_u64).unwrap_or(0)
    }

    /// A flag, false where there is none.
    pub fn flag(&self, key: &str) -> bool {
        self.0.get(key).and_then(Value::as_bool).unwrap_or(false)
    }

    /// A part as an answer of its own.
    pub fn part(&mut self, key: &str) -> Answer {
        Answer(self.take(&[key]))
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

impl Http {
    /// A client for the configured server. The error says what is wrong with the settings.
    pub fn new(config: &VaultConfig) -> Result<Http, String> {
        let address = config.url()?;
        let mut headers = HeaderMap::from_iter([(REQUEST, HeaderValue::from_static("true"))]);
        if let Some(namespace) = &config.namespace {
            let namespace = HeaderValue::from_str(namespace)
                .map_err(|_| "secrets.vault.namespace: is no namespace".to_owned())?;
            headers.insert(NAMESPACE, namespace);
        }
        // Neither a proxy of the environment nor a redirect may see the token.
        let mut client = Client::builder()
            .default_headers(headers)
            .no_proxy()
            .redirect(redirect::Policy::none());
        if let Some(path) = &config.ca_file {
            let fail = |it: String| format!("secrets.vault.ca_file `{}`: {it}", path.display());
            let pem = fs::read(path).map_err(|it| fail(it.to_string()))?;
            let authorities =
                Certificate::from_pem_bundle(&pem).map_err(|it| fail(it.to_string()))?;
            if authorities.is_empty() {
                return Err(fail("holds no certificate".to_owned()));
            }
            client = client.tls_certs_only(authorities);
        }
        let client = client.build().map_err(|it| format!("TLS can't be used: {}", chain(&it)))?;
        Ok(Http { client, address })
    }

    /// Sends a request to `/v1/{path}`.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        token: Option<&Secret>,
        body: Option<&Value>,
    ) -> Result<Answer, Problem> {
        let url = self.url(path)?;
        let mut request = self.client.request(method, url);
        if let Some(token) = token {
            let mut value = HeaderValue::from_str(token.expose())
                .map_err(|_| Problem::Useless("the token can't be a header".to_owned()))?;
            value.set_sensitive(true);
            request = request.header(TOKEN, value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let unreachable = |it: reqwest::Error| {
            Problem::Unavailable(format!("`{path}` got no answer: {}", chain(&it.without_url())))
        };
        let mut response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let mut bytes = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if ANSWER_MAX_BYTES < bytes.len() + chunk.len() {
                let limit = format!("the answer exceeds {ANSWER_MAX_BYTES} bytes");
                return Err(Problem::Useless(limit));
            }
            bytes.extend_from_slice(&chunk);
        }
        judge(status, path)?;
        if bytes.is_empty() {
            return Ok(Answer(Value::Null));
        }
        // What the parser says quotes the text, so it is not told.
        let answer = serde_json::from_slice(&bytes);
        answer.map(Answer).map_err(|_| Problem::Useless(format!("`{path}` answered no JSON")))
    }

    fn url(&self, path: &str) -> Result<Url, Problem> {
        let mut url = self.address.clone();
        let wrong = || Problem::Useless("the address can't bear a path".to_owned());
        let mut segments = url.path_segments_mut().map_err(|()| wrong())?;
        segments.pop_if_empty().push("v1").extend(path.split('/'));
        drop(segments);
        Ok(url)
    }
}

/// What a status means. Source: "HTTP status codes" in Vault's HTTP API documentation.
fn judge(status: StatusCode, path: &str) -> Result<(), Problem> {
    let said = format!("`{path}` answered {status}");
    match status.as_u16() {
        200..300 => Ok(()),
        // A standby that does not forward: passing, like every failover.
        300..400 => Err(Problem::Unavailable(format!(
            "{said}: redirects are not followed, name the active node or its load balancer"
        ))),
        403 => Err(Problem::Denied(said)),
        404 => Err(Problem::NotFound(said)),
        // 412: not replicated yet. 429, 472, 473: standby or too many requests.
        412 | 429 | 472 | 473 => Err(Problem::Unavailable(said)),
        500.. => Err(Problem::Unavailable(said)),
        _ => Err(Problem::Useless(said)),
    }
}

/// An error with all its causes: reqwest's own text alone says only "error sending request".
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |it| it.source());
    causes.fold(error.to_string(), |text, it| format!("{text}: {it}"))
}
