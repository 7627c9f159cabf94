//! HTTP: an EventBridge API destination posts events to us, with a bearer token.
//!
//! The answer comes when everything is durable: 200 means done. A body that can never be processed
//! is put aside and answered with 200 as well, so that the sender does not repeat it for a day.
//! Anything else than 200 is for the sender to repeat, which EventBridge does with growing pauses.
//!
//! Nothing of a body is read before the token is known to be right and a slot is free. Work that
//! has begun is finished though the sender hangs up, as EventBridge does after five seconds.

pub mod bounded;

use super::{Intake, Settled, Source, SourceError, stopped};
use crate::secret::Secrets;
use crate::telemetry::trace::{self, TraceId};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::{get, post};
use bounded::Bounded;
use futures::future::BoxFuture;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

/// The shortest token that is taken, in characters.
pub const TOKEN_MIN_CHARS: usize = 16;
/// How long a sender may take to send a body, in seconds.
pub const BODY_TIME_MAX_S: u64 = 10;

/// The endpoint.
pub struct Webhook {
    listener: TcpListener,
    token: Token,
}

#[derive(Clone)]
struct Door {
    intake: Arc<Intake>,
    token: Token,
    /// Held by all work under way: when the last copy is gone, all of it is finished.
    working: mpsc::Sender<()>,
}

/// What senders must bear; resolved for every request, so that it can be rotated.
#[derive(Clone)]
struct Token {
    secrets: Arc<Secrets>,
    reference: Arc<str>,
}

impl Webhook {
    /// Listens at an address. `token` refers to what senders must bear.
    pub async fn listen(
        address: &str,
        secrets: Arc<Secrets>,
        token: &str,
    ) -> Result<Webhook, SourceError> {
        let fail =
            |problem: String| SourceError { source_name: format!("webhook:{address}"), problem };
        let token = Token { secrets, reference: Arc::from(token) };
        token.digest().await.map_err(fail)?;
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
            let (working, mut finished) = mpsc::channel(1);
            let door = Door { intake, token: self.token.clone(), working };
            let router = Router::new()
                .route("/events", post(take))
                .route("/healthz", get(async || StatusCode::NO_CONTENT))
                .layer(DefaultBodyLimit::max(limit))
                .with_state(door);
            let ended = axum::serve(Bounded::new(self.listener), router)
                .with_graceful_shutdown(async move { stopped(&mut stop).await })
                .await;
            // Nothing is ever sent: this ends when all senders are gone, connected or not.
            let _: Option<()> = finished.recv().await;
            ended.map_err(|it| SourceError { source_name, problem: it.to_string() })
        })
    }
}

impl Token {
    /// Its digest; the error says why there is none to compare with.
    async fn digest(&self) -> Result<[u8; 32], String> {
        let token = self.secrets.get(&self.reference).await.map_err(|it| it.to_string())?;
        if token.expose().chars().count() < TOKEN_MIN_CHARS {
            return Err(format!("the token is shorter than {TOKEN_MIN_CHARS} characters"));
        }
        Ok(Sha256::digest(token.expose().as_bytes()).into())
    }
}

async fn take(State(door): State<Door>, request: Request) -> StatusCode {
    let wanted = match door.token.digest().await {
        Ok(wanted) => wanted,
        Err(problem) => {
            tracing::error!(problem, "no token to compare with");
            return StatusCode::SERVICE_UNAVAILABLE;
        }
    };
    let headers = request.headers();
    if !bears_token(headers, &wanted) {
        return StatusCode::UNAUTHORIZED;
    }
    // Busy is said at once, instead of holding the sender: it repeats with growing pauses.
    let Some(slot) = door.intake.free_slot() else {
        return StatusCode::SERVICE_UNAVAILABLE;
    };
    let text = |name: &str| headers.get(name).and_then(|it| it.to_str().ok());
    let trace_id = TraceId::from_headers(text("traceparent"), text("x-amzn-trace-id"));
    let reading = Bytes::from_request(request, &());
    let body = match tokio::time::timeout(Duration::from_secs(BODY_TIME_MAX_S), reading).await {
        Ok(Ok(body)) => body,
        Ok(Err(unreadable)) => return unreadable.status(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT,
    };
    // A task of its own: this future is dropped when the sender hangs up, a change must not be.
    let work = tokio::spawn(async move {
        let settled = trace::carried(trace_id, door.intake.settle("webhook", &body)).await;
        drop((slot, door.working));
        settled
    });
    match work.await {
        Ok(Settled::Forget) => StatusCode::OK,
        Ok(Settled::Again(_) | Settled::Keep) => StatusCode::SERVICE_UNAVAILABLE,
        Err(error) => {
            tracing::error!(%error, "a delivery broke off: this is a bug in Quell");
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

/// Compares digests in constant time, so that neither content nor length of the token leaks.
fn bears_token(headers: &HeaderMap, wanted: &[u8; 32]) -> bool {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|it| it.to_str().ok())
        .and_then(|it| it.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token)
        .unwrap_or_default();
    let given: [u8; 32] = Sha256::digest(given.as_bytes()).into();
    given.ct_eq(wanted).into()
}
