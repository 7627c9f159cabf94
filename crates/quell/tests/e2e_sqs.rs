//! Events from a queue: healed and deleted; what can't be processed is put aside with its reason;
//! SIGTERM ends it gracefully.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::string_slice, reason = "tests")]

mod e2e;

use e2e::violations::{ALL, Kind, Made, Place};
use e2e::{Deployed, MINISTACK_ACCOUNT, policy, text};
use futures::future::BoxFuture;
use quell::clock::SystemClock;
use quell::config::LimitsConfig;
use quell::journal::MemoryJournal;
use quell::pipeline::{Pipeline, Scope};
use quell::simulation::SimulatedAccount;
use quell::simulation::faults::Faults;
use quell::sources::sqs::Sqs;
use quell::sources::{Intake, Source as _};
use quell_core::change::Change;
use quell_core::decide::authorized::Authorized;
use quell_core::decide::guardrails::Guardrails;
use quell_core::resource::{ResourceRef, State};
use quell_library::Library;
use quell_library::aws::{self, Aws, AwsSettings};
use quell_library::cloud::{Applied, CloudError, World};
use serde_json::{Value, json};
use std::fs;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use testkit::{ADMIN_ACCESS_KEY_ID, ADMIN_SECRET_ACCESS_KEY, Background, Ministack, REGION};
use tokio::sync::watch;

const PLACE: Place = Place { account: MINISTACK_ACCOUNT };
/// How long a queue may take to run empty: many tests share few processors.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(120);
/// How long an asked process may take to end.
const STOP_TIME_MAX: Duration = Duration::from_secs(60);

struct Queue {
    deployed: Deployed,
    url: String,
}

impl Queue {
    fn new(name: &str) -> Queue {
        let endpoint = Ministack::shared(true).unwrap().endpoint();
        let deployed = Deployed::with_roles(&endpoint, name);
        let queue = json!({ "QueueName": format!("{name}-queue") });
        let url = text(&deployed.admin.call("sqs", "create_queue", queue)["QueueUrl"]);
        let may = policy(&[json!({
            "Effect": "Allow",
            "Action": ["sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "sqs:DeleteMessage"],
            "Resource": format!("arn:aws:sqs:us-east-1:{MINISTACK_ACCOUNT}:{name}-queue"),
        })]);
        deployed.allow_runner("queue", &may);
        Queue { deployed, url }
    }

    fn send(&self, body: &str) {
        let message = json!({ "QueueUrl": self.url, "MessageBody": body });
        self.deployed.admin.call("sqs", "send_message", message);
    }

    /// How many messages wait or are being worked on.
    fn length(&self) -> usize {
        self.lengths().iter().sum()
    }

    /// How many messages wait, and how many somebody has received and not yet deleted.
    fn lengths(&self) -> [usize; 2] {
        let names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
        let wanted = json!({ "QueueUrl": self.url, "AttributeNames": names });
        let found = self.deployed.admin.call("sqs", "get_queue_attributes", wanted);
        names.map(|it| text(&found["Attributes"][it]).parse().unwrap())
    }

    fn run(&self) -> Background {
        let endpoint = self.deployed.endpoint();
        self.deployed.spawn(&["run", "--sqs", &self.url, "--endpoint-url", endpoint])
    }

    fn wait_until_empty(&self) {
        let started = Instant::now();
        while 0 < self.length() {
            assert!(started.elapsed() < DRAIN_TIME_MAX, "{} messages are left", self.length());
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn violation(&self, name: &str) -> Made {
        let kind: &Kind = ALL.iter().find(|it| it.name == name).unwrap();
        (kind.make)(&self.deployed.admin, &PLACE, &format!("{}-{name}", self.deployed.name))
    }
}

fn stop(running: Background) {
    running.terminate().unwrap();
    let ran = running.wait(STOP_TIME_MAX).unwrap();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

#[test]
fn messages_are_healed_and_deleted() {
    let queue = Queue::new("healed");
    let violations = ["block-gone", "admin-port", "attached-user"].map(|it| queue.violation(it));
    let running = queue.run();
    for it in &violations {
        queue.send(&it.event.to_string());
        queue.send(&it.event.to_string());
    }
    queue.wait_until_empty();
    for it in &violations {
        assert_eq!(it.look(&queue.deployed.admin), it.sound, "{}", it.event);
    }
    stop(running);
    assert_eq!(queue.deployed.facts_of("attempted").len(), 3, "a second delivery does nothing");
    assert_eq!(queue.deployed.facts_of("dead_lettered"), Vec::<Value>::new());
    queue.deployed.must(&["audit", "verify"]);
}

#[test]
fn poison_is_put_aside_with_its_reason_and_the_stream_goes_on() {
    let queue = Queue::new("poison");
    let made = queue.violation("block-gone");
    let changed = |change: fn(&mut Value)| {
        let mut event = made.event.clone();
        change(&mut event);
        event.to_string()
    };
    let poison = [
        ("{\"not\": \"closed\"".to_owned(), "EOF"),
        ("[]".to_owned(), "a JSON list"),
        // The envelope says whose event it is; the record must agree.
        (changed(|it| it["account"] = json!("999988887777")), "999988887777"),
        // Nobody has told us that this account is ours.
        (
            changed(|it| {
                it["account"] = json!("999988887777");
                it["detail"]["recipientAccountId"] = json!("999988887777");
                it["detail"]["userIdentity"]["accountId"] = json!("999988887777");
            }),
            "account `999988887777` is not configured",
        ),
    ];
    for (body, _) in &poison {
        queue.send(body);
    }
    queue.send(&made.event.to_string());
    let running = queue.run();
    queue.wait_until_empty();
    assert_eq!(made.look(&queue.deployed.admin), made.sound);
    stop(running);

    let letters = queue.deployed.facts_of("dead_lettered");
    assert_eq!(letters.len(), poison.len(), "{letters:#?}");
    for (body, why) in &poison {
        let kept = |it: &&Value| {
            let file = queue.deployed.data().join("dead-letters").join(text(&it["file"]));
            fs::read(file).unwrap() == body.as_bytes()
        };
        let letter = letters.iter().find(kept).unwrap_or_else(|| panic!("not kept: {body}"));
        let reason = text(&letter["reason"]);
        assert!(reason.contains(why), "{body}: {reason}");
    }
}

/// An intake of so many slots over this world, and its journal.
fn intake(
    queue: &Queue,
    world: Arc<dyn World>,
    limits: &LimitsConfig,
) -> (Arc<Intake>, Arc<MemoryJournal>) {
    let journal = Arc::new(MemoryJournal::default());
    let pipeline = Pipeline::new(
        Arc::new(Library::builtin().unwrap()),
        world,
        Arc::clone(&journal) as _,
        Arc::new(SystemClock),
        Guardrails::default(),
        Scope::default(),
    );
    let (fatal, _) = watch::channel(None);
    let letters = queue.deployed.path("letters");
    let intake = Intake::new(Arc::new(pipeline), letters.as_std_path(), limits, fatal);
    (Arc::new(intake), journal)
}

/// The queue as a source in this process.
async fn source(queue: &Queue) -> Sqs {
    // SAFETY: nothing in this process reads the environment other than through `std::env`, which
    // takes turns.
    unsafe {
        std::env::set_var("AWS_ACCESS_KEY_ID", ADMIN_ACCESS_KEY_ID);
        std::env::set_var("AWS_SECRET_ACCESS_KEY", ADMIN_SECRET_ACCESS_KEY);
    }
    let endpoint_url = Some(queue.deployed.endpoint().to_owned());
    let aws = Aws::connect(AwsSettings { endpoint_url, ..AwsSettings::default() }).await;
    Sqs::new(aws::queue::Queue::new(&aws.own(REGION), &queue.url))
}

/// A cloud that throttles for a while must not empty the queue into a folder.
#[tokio::test(flavor = "multi_thread")]
async fn what_fails_for_the_time_being_stays_in_the_queue() {
    let queue = Queue::new("throttled");
    queue.send(&queue.violation("block-gone").event.to_string());
    let faults = Faults { read_throttled_percent: 100, ..Faults::default() };
    let world = SimulatedAccount::new(Vec::new(), None).unwrap().failing(faults);
    let limits = LimitsConfig { delivery_attempts_max: 1, ..LimitsConfig::default() };
    let (intake, journal) = intake(&queue, Arc::new(world), &limits);
    let (stop, stopping) = watch::channel(false);
    let source = source(&queue).await;
    let running = tokio::spawn(Box::new(source).run(intake, stopping));
    let started = Instant::now();
    while queue.lengths() != [0, 1] {
        assert!(started.elapsed() < DRAIN_TIME_MAX, "nobody has taken the message");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stop.send_replace(true);
    // It ends when what it works on is settled.
    running.await.unwrap().unwrap();
    assert_eq!(queue.length(), 1);
    assert!(journal.facts().is_empty(), "{:?}", journal.facts());
}

/// The simulated account behind a gate: every read waits until it is open.
struct Gated {
    account: SimulatedAccount,
    gate: watch::Receiver<bool>,
}

impl World for Gated {
    fn read<'a>(
        &'a self,
        resource: &'a ResourceRef,
    ) -> BoxFuture<'a, Result<Option<State>, CloudError>> {
        Box::pin(async move {
            self.gate.clone().wait_for(|it| *it).await.unwrap();
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

/// A message that waits here for a slot uses up its receives; in the queue, another could take it.
#[tokio::test(flavor = "multi_thread")]
async fn no_more_is_received_than_is_worked_on() {
    let queue = Queue::new("slots");
    let event = queue.violation("block-gone").event;
    for number in 0..5 {
        let mut event = event.clone();
        event["detail"]["eventID"] = json!(format!("e-{number}"));
        queue.send(&event.to_string());
    }
    let (gate, closed) = watch::channel(false);
    let account = SimulatedAccount::new(Vec::new(), None).unwrap();
    let limits = LimitsConfig { deliveries_at_once_max: 1, ..LimitsConfig::default() };
    let (intake, _) = intake(&queue, Arc::new(Gated { account, gate: closed }), &limits);
    let (stop, stopping) = watch::channel(false);
    let source = source(&queue).await;
    let running = tokio::spawn(Box::new(source).run(intake, stopping));
    let started = Instant::now();
    while queue.lengths()[1] == 0 {
        assert!(started.elapsed() < DRAIN_TIME_MAX, "nobody has taken a message");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(queue.lengths(), [4, 1]);
    gate.send_replace(true);
    while 0 < queue.length() {
        assert!(started.elapsed() < DRAIN_TIME_MAX, "{} messages are left", queue.length());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stop.send_replace(true);
    running.await.unwrap().unwrap();
}
