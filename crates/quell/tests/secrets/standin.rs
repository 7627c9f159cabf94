//! A stand-in for Vault's HTTP API: the paths, headers, status codes and fields that HashiCorp's
//! API documentation gives for KV 1 and 2, tokens, AppRole, AWS login, leases and namespaces.
//!
//! It is not Vault: it has no policies, no storage and no seal, and it knows only what these tests
//! ask. What it demands of a request it demands as strictly as the documentation says.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use quell::journal::lock;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;

pub const NAMESPACE: &str = "security/quell";
pub const ROLE_ID: &str = "675a50e7-cfe0-be76-e35f-49ec009731ea";
pub const SERVER_ID: &str = "vault.example.com";

/// What the server holds, to be changed by a test.
#[derive(Default)]
pub struct Held {
    /// Tokens that are good.
    pub tokens: BTreeSet<String>,
    /// The secret id that logs in.
    pub secret_id: String,
    /// Life of a token in seconds.
    pub token_life_s: u64,
    /// KV version 2, by path.
    pub kv2: BTreeMap<String, Value>,
    /// KV version 1, by path.
    pub kv1: BTreeMap<String, Value>,
    /// Life of a lease in seconds.
    pub lease_life_s: u64,
    /// Leases that can be renewed.
    pub leases: BTreeSet<String>,
    /// Whether it answers 503 to everything.
    pub sealed: bool,
    /// How long it takes for an answer.
    pub delay: Duration,
    /// Where STS is asked who signed a login.
    pub sts: String,
    /// Who logged in by AWS.
    pub identities: Vec<String>,
    /// Every request, as `METHOD path`.
    pub requests: Vec<String>,
    made: usize,
}

impl Held {
    fn next(&mut self, what: &str) -> String {
        self.made += 1;
        format!("{what}-{}", self.made)
    }

    fn login(&mut self) -> Value {
        let token = self.next("hvs.token");
        self.tokens.insert(token.clone());
        json!({ "auth": {
            "client_token": token,
            "accessor": "accessor",
            "policies": ["default"],
            "lease_duration": self.token_life_s,
            "renewable": true,
        }})
    }

    /// How many requests to a path there were.
    pub fn count(&self, request: &str) -> usize {
        self.requests.iter().filter(|it| *it == request).count()
    }
}

/// The server.
pub struct StandIn {
    pub address: String,
    pub held: Arc<Mutex<Held>>,
}

type Shared = Arc<Mutex<Held>>;

impl StandIn {
    pub async fn start() -> StandIn {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let held = Held { token_life_s: 3600, lease_life_s: 3600, ..Held::default() };
        let held = Arc::new(Mutex::new(held));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&held));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        StandIn { address, held }
    }
}

fn errors(status: u16, errors: &[&str]) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    (status, axum::Json(json!({ "errors": errors }))).into_response()
}

fn fine(body: Value) -> Response {
    axum::Json(body).into_response()
}

async fn answer(State(held): State<Shared>, request: Request<Body>) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 1024 * 1024).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let delay = {
        let mut held = lock(&held);
        held.requests.push(format!("{} {}", head.method, head.uri.path()));
        held.delay
    };
    tokio::time::sleep(delay).await;
    let header = |name: &str| text(&head.headers, name);
    if lock(&held).sealed {
        return errors(503, &["Vault is sealed"]);
    }
    // An agent may be configured to demand it.
    if header("x-vault-request") != "true" {
        return errors(412, &["missing 'X-Vault-Request' header"]);
    }
    if header("x-vault-namespace") != NAMESPACE {
        return errors(404, &["no handler for route"]);
    }
    let path = head.uri.path().strip_prefix("/v1/").unwrap_or_default().to_owned();
    match (head.method.as_str(), path.as_str()) {
        ("POST", "auth/approle/login") => app_role(&mut lock(&held), &body),
        ("POST", "auth/aws/login") => aws(&held, &body).await,
        (method, path) => {
            let token = header("x-vault-token");
            if !lock(&held).tokens.contains(&token) {
                return errors(403, &["permission denied"]);
            }
            with_token(&mut lock(&held), method, path, &body)
        }
    }
}

fn text(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default().to_owned()
}

fn app_role(held: &mut Held, body: &Value) -> Response {
    if body["role_id"] != ROLE_ID || body["secret_id"] != held.secret_id {
        return errors(400, &["invalid role or secret ID"]);
    }
    fine(held.login())
}

fn with_token(held: &mut Held, method: &str, path: &str, body: &Value) -> Response {
    match (method, path) {
        ("GET", "auth/token/lookup-self") => {
            fine(json!({ "data": { "ttl": held.token_life_s, "renewable": true } }))
        }
        ("POST", "auth/token/renew-self") => fine(json!({ "auth": {
            "client_token": "the same as before",
            "lease_duration": held.token_life_s,
            "renewable": true,
        }})),
        ("GET", "database/creds/app") => {
            let id = held.next("database/creds/app/lease");
            held.leases.insert(id.clone());
            fine(json!({
                "lease_id": id,
                "renewable": true,
                "lease_duration": held.lease_life_s,
                "data": { "username": format!("user-{}", held.made), "password": "lent" },
            }))
        }
        ("POST", "sys/leases/renew") => {
            let id = body["lease_id"].as_str().unwrap_or_default();
            if !held.leases.contains(id) {
                return errors(400, &["lease not found"]);
            }
            fine(json!({
                "lease_id": id,
                "renewable": true,
                "lease_duration": held.lease_life_s,
            }))
        }
        ("GET", path) => {
            if let Some(data) = path.strip_prefix("secret/data/").and_then(|it| held.kv2.get(it)) {
                let metadata = json!({ "version": 1, "destroyed": false, "deletion_time": "" });
                return fine(json!({ "data": { "data": data, "metadata": metadata } }));
            }
            match path.strip_prefix("kv/").and_then(|it| held.kv1.get(it)) {
                Some(data) => fine(json!({
                    "lease_id": "",
                    "renewable": false,
                    "lease_duration": 2_764_800,
                    "data": data,
                })),
                None => errors(404, &[]),
            }
        }
        _ => errors(405, &["unsupported operation"]),
    }
}

/// Vault sends the signed request to STS; the answer proves who signed it.
async fn aws(held: &Shared, body: &Value) -> Response {
    let part = |name: &str| {
        let text = body[name].as_str().unwrap_or_default();
        String::from_utf8(aws_smithy_types::base64::decode(text).unwrap()).unwrap()
    };
    let headers: BTreeMap<String, Vec<String>> =
        serde_json::from_str(&part("iam_request_headers")).unwrap();
    let find = |name: &str| {
        let found = headers.iter().find(|(it, _)| it.eq_ignore_ascii_case(name));
        found.and_then(|(_, it)| it.first().cloned()).unwrap_or_default()
    };
    let query = "Action=GetCallerIdentity&Version=2011-06-15";
    let signed = find("authorization");
    let signs_server_id = signed
        .split("SignedHeaders=")
        .nth(1)
        .is_some_and(|it| it.contains("x-vault-aws-iam-server-id"));
    let fits = body["role"] == "quell"
        && body["iam_http_request_method"] == "POST"
        && part("iam_request_url") == "https://sts.us-east-1.amazonaws.com/"
        && part("iam_request_body") == query
        && find("x-vault-aws-iam-server-id") == SERVER_ID
        && signs_server_id;
    if !fits {
        return errors(400, &["the signed request is not what it must be"]);
    }
    let sts = lock(held).sts.clone();
    let mut request = reqwest::Client::builder().no_proxy().build().unwrap().post(sts).body(query);
    for (name, values) in &headers {
        if !name.eq_ignore_ascii_case("content-length") {
            request = request.header(name, &values[0]);
        }
    }
    let answer = request.send().await.unwrap();
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    let arn = text.split("<Arn>").nth(1).and_then(|it| it.split("</Arn>").next());
    let (true, Some(arn)) = (status.is_success(), arn) else {
        return errors(400, &["error making upstream request"]);
    };
    let mut held = lock(held);
    held.identities.push(arn.to_owned());
    fine(held.login())
}
