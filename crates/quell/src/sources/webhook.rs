//! HTTP: an EventBridge API destination posts events to us, with a bearer token.
//!
//! The answer comes when everything is durable: 200 means done. A body that can never be processed
//! is put aside and answered with 200 as well, so that the sender does not repeat it for a day.

use super::{Intake, Settled, Source, SourceError, stopped};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::{get, post};
use futures::future::BoxFuture;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use subtle::ConstantTimeEq;
use tokio::net::TcpListener;
use tokio::sync::watch;
use zeroize::Zeroizing;

/// The shortest token that is taken, in characters.
pub const TOKEN_MIN_CHARS: usize = 16;

/// The endpoint.
pub struct Webhook {
    listener: TcpListener,
    token: Zeroizing<String>,
}

#[derive(Clone)]
struct Door {
    intake: Arc<Intake>,
    token_digest: Arc<[u8; 32]>,
}

impl Webhook {
    /// Listens at an address. `token` is what senders must bear.
    pub async fn listen(address: &str, token: Zeroizing<String>) -> Result<Webhook, SourceError> {
        let fail =
            |problem: String| SourceError { source_name: format!("webhook:{address}"), problem };
        if token.chars().count() < TOKEN_MIN_CHARS {
            return Err(fail(format!("the token is shorter than {TOKEN_MIN_CHARS} characters")));
        }
        let listener = TcpListener::bind(address).await.map_err(|it| fail(it.to_string()))?;
        Ok(Webhook { listener, token })
    }

    /// Where it listens.
    pub fn address(&self) -> String {
        self.listener.local_addr().map(|it| it.to_string()).unwrap_or_default()
    }
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Webhook").field("address", &self.address()).finish_non_exhaustive()
    }
}

impl Source for Webhook {
    fn name(&self) -> String {
        format!("webhook:{}", self.address())
    }

    fn run(
        self: Box<Self>,
        intake: Arc<Intake>,
        mut stop: watch::Receiver<bool>,
    ) -> BoxFuture<'static, Result<(), SourceError>> {
        Box::pin(async move {
            let source_name = self.name();
            let limit = intake.delivery_max_bytes();
            let door = Door {
                intake,
                token_digest: Arc::new(Sha256::digest(self.token.as_bytes()).into()),
            };
            let router = Router::new()
                .route("/events", post(take))
                .route("/healthz", get(async || StatusCode::NO_CONTENT))
                .layer(DefaultBodyLimit::max(limit))
                .with_state(door);
            axum::serve(self.listener, router)
                .with_graceful_shutdown(async move { stopped(&mut stop).await })
                .await
                .map_err(|it| SourceError { source_name, problem: it.to_string() })
        })
    }
}

async fn take(State(door): State<Door>, headers: HeaderMap, body: Bytes) -> StatusCode {
    if !bears_token(&headers, &door.token_digest) {
        return StatusCode::UNAUTHORIZED;
    }
    // Busy is said at once, instead of holding the sender: it repeats with backoff.
    let Some(_slot) = door.intake.slot().await else {
        return StatusCode::SERVICE_UNAVAILABLE;
    };
    match door.intake.settle("webhook", &body).await {
        Settled::Forget => StatusCode::OK,
        Settled::Keep => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// Compares digests in constant time, so that neither content nor length of the token leaks.
fn bears_token(headers: &HeaderMap, wanted: &[u8; 32]) -> bool {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|it| it.to_str().ok())
        .and_then(|it| it.strip_prefix("Bearer "))
        .unwrap_or_default();
    let given: [u8; 32] = Sha256::digest(given.as_bytes()).into();
    given.ct_eq(wanted).into()
}
