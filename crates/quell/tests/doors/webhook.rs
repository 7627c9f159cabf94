//! The webhook, over real connections on loopback.

use crate::intake::intake;
use crate::{event, id};
use futures::future::BoxFuture;
use jiff::Timestamp;
use quell::clock::SystemClock;
use quell::config::LimitsConfig;
use quell::demo::account::{self, BUCKET, REGION, block, bucket_ref};
use quell::demo::call::{Call, Caller};
use quell::journal::MemoryJournal;
use quell::secret::Secrets;
use quell::secret::config::SecretsConfig;
use quell::simulation::SimulatedAccount;
use quell::simulation::dice::Dice;
use quell::sources::webhook::Webhook;
use quell::sources::webhook::bounded::CONNECTIONS_MAX;
use quell::sources::{Source as _, SourceError};
use quell::telemetry::Telemetry;
use quell_core::change::Change;
use quell_core::decide::authorized::Authorized;
use quell_core::record::{Fact, Outcome};
use quell_core::resource::{ResourceRef, State};
use quell_library::aws::AwsSettings;
use quell_library::cloud::{Applied, CloudError, World};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

const TOKEN: &str = "a-token-that-is-long-enough";
/// How long anything may take that takes moments: many tests share few processors.
const TIME_MAX: Duration = Duration::from_secs(30);

/// The simulated account behind a gate: every call waits until it is open.
struct SlowCloud {
    account: Arc<SimulatedAccount>,
    waiting: Arc<Semaphore>,
    gate: watch::Receiver<bool>,
}

impl SlowCloud {
    async fn wait(&self) {
        self.waiting.add_permits(1);
        self.gate.clone().wait_for(|it| *it).await.unwrap();
    }
}

impl World for SlowCloud {
    fn read<'a>(
        &'a self,
        resource: &'a ResourceRef,
    ) -> BoxFuture<'a, Result<Option<State>, CloudError>> {
        Box::pin(async move {
            self.wait().await;
            self.account.read(resource).await
        })
    }

    fn apply<'a>(
        &'a self,
        change: &'a Authorized<Change>,
        session: &'a str,
    ) -> BoxFuture<'a, Result<Applied, CloudError>> {
        self.account.apply(change, session)
    }
}

fn secrets() -> Secrets {
    Secrets::new(
        SecretsConfig::default(),
        AwsSettings::default(),
        Arc::new(SystemClock),
        Arc::new(Telemetry::default()),
    )
}

/// A listening webhook.
struct Door {
    address: String,
    account: Arc<SimulatedAccount>,
    journal: Arc<MemoryJournal>,
    /// One permit per call that has come to the cloud.
    waiting: Arc<Semaphore>,
    gate: watch::Sender<bool>,
    stop: watch::Sender<bool>,
    running: JoinHandle<Result<(), SourceError>>,
    _folder: tempfile::TempDir,
}

impl Door {
    async fn open(limits: LimitsConfig) -> Door {
        let folder = tempfile::tempdir().unwrap();
        let states = account::resources(&mut Dice::seeded(1), Timestamp::now());
        let account = Arc::new(SimulatedAccount::new(states, None).unwrap());
        let waiting = Arc::new(Semaphore::new(0));
        let (gate, closed) = watch::channel(true);
        let world = SlowCloud {
            account: Arc::clone(&account),
            waiting: Arc::clone(&waiting),
            gate: closed,
        };
        let (intake, journal) = intake(Arc::new(world), &folder.path().join("letters"), &limits);
        let token = folder.path().join("token");
        std::fs::write(&token, TOKEN).unwrap();
        let token = format!("file://{}", token.display());
        let webhook = Webhook::listen("127.0.0.1:0", Arc::new(secrets()), &token).await.unwrap();
        let address = webhook.address();
        let (stop, stopping) = watch::channel(false);
        let running = tokio::spawn(Box::new(webhook).run(intake, stopping));
        Door { address, account, journal, waiting, gate, stop, running, _folder: folder }
    }

    /// Sends the head of a request.
    async fn begin(&self, token: &str, length: usize) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        let head = format!(
            "POST /events HTTP/1.1\r\nHost: {}\r\nAuthorization: {token}\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n",
            self.address
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    }

    async fn post(&self, body: &[u8]) -> u16 {
        let mut stream = self.begin(&format!("Bearer {TOKEN}"), body.len()).await;
        stream.write_all(body).await.unwrap();
        status(stream).await
    }

    /// Somebody turns a bucket's block off; the event of that.
    fn violate(&self) -> Vec<u8> {
        let bucket = bucket_ref("acme-invoices");
        assert_eq!(bucket.kind, BUCKET);
        let off = |it: &mut State| it.properties["PublicAccessBlockConfiguration"] = block(false);
        self.account.edit(&bucket, off).unwrap();
        let request = json!({ "bucketName": bucket.id });
        let caller = Caller::User("mallory");
        let call = Call::new(caller, "s3", "DeleteBucketPublicAccessBlock", REGION, request);
        call.delivery(Timestamp::now(), &mut Dice::seeded(2))
    }

    /// How each change ended.
    fn outcomes(&self) -> Vec<Outcome> {
        let facts = self.journal.facts().into_iter();
        facts
            .filter_map(|(_, it)| match it {
                Fact::Concluded { outcome, .. } => Some(outcome),
                _ => None,
            })
            .collect()
    }

    fn has_processed(&self, event: &str) -> bool {
        self.journal
            .facts()
            .iter()
            .any(|(_, it)| matches!(it, Fact::Processed { event: found, .. } if found == event))
    }
}

async fn status(mut stream: TcpStream) -> u16 {
    let mut answer = Vec::new();
    timeout(TIME_MAX, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    let answer = String::from_utf8(answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn an_event_is_answered_when_it_is_durable() {
    let door = Door::open(LimitsConfig::default()).await;
    let event = event(1);
    assert_eq!(door.post(event.to_string().as_bytes()).await, 200);
    assert!(door.has_processed(&id(&event)));
    assert_eq!(door.post(b"{\"never\": \"an event\"}").await, 200);
    let facts = door.journal.facts();
    assert!(matches!(facts.last(), Some((_, Fact::DeadLettered { .. }))), "{facts:?}");
}

#[tokio::test]
async fn who_has_no_token_is_refused_before_a_body_is_read() {
    let door = Door::open(LimitsConfig::default()).await;
    let near = [format!("Basic {TOKEN}"), format!("Bearer {TOKEN}x")];
    for token in ["", "Bearer ", "Bearer wrong", &near[0], &near[1]] {
        // Nothing of the body is ever sent: the answer must not wait for it.
        let stream = door.begin(token, 1_000_000).await;
        assert_eq!(status(stream).await, 401, "`{token}`");
    }
    let body = event(1).to_string();
    let mut stream = door.begin("Bearer wrong", body.len()).await;
    stream.write_all(body.as_bytes()).await.unwrap();
    assert_eq!(status(stream).await, 401);
    assert!(door.journal.facts().is_empty());
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let limits = LimitsConfig { delivery_max_bytes: 1_000, ..LimitsConfig::default() };
    let door = Door::open(limits).await;
    assert_eq!(door.post(&[b' '; 1_001]).await, 413);
    assert!(door.journal.facts().is_empty());
}

#[tokio::test]
async fn who_comes_while_all_slots_are_taken_is_told_so_at_once() {
    let limits = LimitsConfig { deliveries_at_once_max: 1, ..LimitsConfig::default() };
    let door = Arc::new(Door::open(limits).await);
    door.gate.send_replace(false);
    let first = tokio::spawn({
        let door = Arc::clone(&door);
        async move { door.post(event(1).to_string().as_bytes()).await }
    });
    timeout(TIME_MAX, door.waiting.acquire()).await.unwrap().unwrap().forget();
    assert_eq!(door.post(event(2).to_string().as_bytes()).await, 503);
    door.gate.send_replace(true);
    assert_eq!(first.await.unwrap(), 200);
    assert!(!door.has_processed(&id(&event(2))));
    assert_eq!(door.post(event(2).to_string().as_bytes()).await, 200);
}

#[tokio::test]
async fn connections_are_bounded() {
    let door = Door::open(LimitsConfig::default()).await;
    let mut idle = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        idle.push(TcpStream::connect(&door.address).await.unwrap());
    }
    let body = event(1).to_string();
    let waiting = timeout(Duration::from_millis(500), door.post(body.as_bytes())).await;
    assert!(waiting.is_err(), "{waiting:?}");
    idle.clear();
    assert_eq!(door.post(body.as_bytes()).await, 200);
}

/// EventBridge hangs up after five seconds; a change that has begun is not left without its end.
#[tokio::test]
async fn what_has_begun_is_finished_though_the_caller_hangs_up() {
    let mut door = Door::open(LimitsConfig::default()).await;
    door.gate.send_replace(false);
    let body = door.violate();
    let mut stream = door.begin(&format!("Bearer {TOKEN}"), body.len()).await;
    stream.write_all(&body).await.unwrap();
    timeout(TIME_MAX, door.waiting.acquire()).await.unwrap().unwrap().forget();
    drop(stream);
    door.stop.send_replace(true);
    let ended = timeout(Duration::from_millis(500), &mut door.running).await;
    assert!(ended.is_err(), "it stopped with work under way");
    assert_eq!(door.outcomes(), []);
    door.gate.send_replace(true);
    timeout(TIME_MAX, &mut door.running).await.unwrap().unwrap().unwrap();
    assert!(matches!(door.outcomes()[..], [Outcome::Corrected { .. }]), "{:?}", door.outcomes());
}
