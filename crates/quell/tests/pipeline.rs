//! What the pipeline makes of a cloud that fails in the worst moment.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests"
)]

use futures::future::BoxFuture;
use jiff::Timestamp;
use quell::clock::SystemClock;
use quell::journal::{Journal as _, MemoryJournal};
use quell::pipeline::{Ack, PeopleError, Pipeline, Scope, Selector};
use quell::simulation::SimulatedAccount;
use quell_core::change::Change;
use quell_core::decide::authorized::Authorized;
use quell_core::decide::guardrails::Guardrails;
use quell_core::decide::mode::Modes;
use quell_core::history::Status;
use quell_core::policy::Mode;
use quell_core::record::{Fact, Problem};
use quell_core::resource::{ResourceRef, State, is_region};
use quell_library::Library;
use quell_library::aws::{AccountAccess, Aws, AwsSettings};
use quell_library::cloud::{Applied, CloudError, CloudErrorKind, World};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const ACCOUNT: &str = "111122223333";
const WRITE_ROLE: &str = "arn:aws:iam::111122223333:role/quell-write";

/// A simulated account whose first change fails in one way.
struct Failing {
    account: SimulatedAccount,
    kind: CloudErrorKind,
    takes_effect: bool,
    failed: AtomicBool,
}

impl World for Failing {
    fn read<'a>(
        &'a self,
        resource: &'a ResourceRef,
    ) -> BoxFuture<'a, Result<Option<State>, CloudError>> {
        self.account.read(resource)
    }

    fn apply<'a>(
        &'a self,
        change: &'a Authorized<Change>,
        session: &'a str,
    ) -> BoxFuture<'a, Result<Applied, CloudError>> {
        Box::pin(async move {
            if self.failed.swap(true, Ordering::Relaxed) {
                return self.account.apply(change, session).await;
            }
            if self.takes_effect {
                self.account.apply(change, session).await?;
            }
            Err(CloudError {
                kind: self.kind,
                operation: change.get().action.clone(),
                message: "as the test wants it".to_owned(),
                request_id: None,
            })
        })
    }
}

struct Bench {
    pipeline: Pipeline,
    journal: Arc<MemoryJournal>,
}

impl Bench {
    /// An open bucket in an account where changes fail like this.
    fn new(kind: CloudErrorKind, takes_effect: bool) -> Bench {
        let account = SimulatedAccount::new(vec![bucket()], None).unwrap();
        let world = Failing { account, kind, takes_effect, failed: AtomicBool::new(false) };
        let journal = Arc::new(MemoryJournal::default());
        let rails = Guardrails {
            modes: Modes { default: Mode::Enforce, ..Modes::default() },
            ..Guardrails::default()
        };
        let pipeline = Pipeline::new(
            Arc::new(Library::builtin().unwrap()),
            Arc::new(world),
            Arc::clone(&journal) as Arc<dyn quell::journal::Journal>,
            Arc::new(SystemClock),
            rails,
            Scope::default(),
        );
        Bench { pipeline, journal }
    }

    async fn opened(&self) {
        let ack = self.pipeline.handle(opening().to_string().as_bytes()).await.unwrap();
        assert_eq!(ack, Ack::Done);
    }

    /// Where the one finding stands, and its attempt.
    fn stands(&self) -> (Status, String) {
        let history = self.journal.history();
        let open = history.findings().next().unwrap();
        (open.status, open.attempts.last().unwrap().clone())
    }

    async fn undo(&self, name: &str) -> Result<usize, PeopleError> {
        let undone = self.pipeline.undo(&Selector(name.to_owned()), "alice", "a test").await;
        undone.map(|it| it.len())
    }
}

fn bucket() -> State {
    State {
        resource: ResourceRef {
            kind: "AWS::S3::Bucket".to_owned(),
            id: "open".to_owned(),
            account: ACCOUNT.to_owned(),
            region: "eu-central-1".to_owned(),
        },
        tags: BTreeMap::new(),
        properties: json!({ "OwnershipControls": { "Rules": [
            { "ObjectOwnership": "BucketOwnerEnforced" } ] } }),
        facts: Value::Null,
        unknown: Default::default(),
        observed: Timestamp::now(),
    }
}

fn opening() -> Value {
    json!({
        "eventVersion": "1.09", "eventID": "e-1", "eventTime": Timestamp::now().to_string(),
        "eventName": "DeleteBucketPublicAccessBlock", "eventSource": "s3.amazonaws.com",
        "awsRegion": "eu-central-1", "eventType": "AwsApiCall", "recipientAccountId": ACCOUNT,
        "userIdentity": { "type": "IAMUser", "arn": format!("arn:aws:iam::{ACCOUNT}:user/eve"),
            "accountId": ACCOUNT },
        "requestParameters": { "bucketName": "open" }, "responseElements": null
    })
}

#[tokio::test]
async fn a_call_that_misses_something_does_not_prove_that_the_resource_is_gone() {
    let bench = Bench::new(CloudErrorKind::NotFound, false);
    bench.opened().await;
    assert_eq!(bench.stands().0, Status::Failed);
}

#[tokio::test]
async fn a_fix_that_took_effect_and_reported_a_failure_can_be_undone() {
    for kind in [CloudErrorKind::Invalid, CloudErrorKind::Unavailable] {
        let bench = Bench::new(kind, true);
        bench.opened().await;
        let (status, attempt) = bench.stands();
        assert_eq!(status, Status::Corrected, "{kind:?}");
        assert_eq!(bench.undo(&attempt).await.unwrap(), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn an_undo_needs_a_name_that_was_meant() {
    let bench = Bench::new(CloudErrorKind::Invalid, true);
    bench.opened().await;
    let (_, attempt) = bench.stands();
    for name in ["", &attempt[..1], &attempt[..3], "zzzz"] {
        let refused = bench.undo(name).await;
        assert!(matches!(refused, Err(PeopleError::Refused(_))), "{name}: {refused:?}");
    }
    assert_eq!(bench.undo(&attempt[..4]).await.unwrap(), 1);
}

/// The facts that an event leads to, by kind.
async fn told(event: Value) -> Vec<Fact> {
    let bench = Bench::new(CloudErrorKind::Invalid, true);
    assert_eq!(bench.pipeline.handle(event.to_string().as_bytes()).await.unwrap(), Ack::Done);
    bench.journal.facts().into_iter().map(|(_, it)| it).collect()
}

/// A success of EC2 with these parameters.
fn authorized(parameters: Value) -> Value {
    let mut event = opening();
    event["eventName"] = json!("AuthorizeSecurityGroupIngress");
    event["eventSource"] = json!("ec2.amazonaws.com");
    event["requestParameters"] = parameters;
    event
}

#[tokio::test]
async fn an_event_that_names_nothing_to_look_at_is_no_pass() {
    for parameters in [
        json!({ "groupId": 5, "ipPermissions": "x" }),
        json!([]),
        Value::Null,
        json!({ "groupName": "web" }),
    ] {
        let facts = told(authorized(parameters.clone())).await;
        let unjudged = facts.iter().filter(|it| {
            matches!(it, Fact::Failed { problem: Problem::Indeterminate, policy: Some(_), .. })
        });
        assert_eq!(unjudged.count(), 2, "one per policy: {parameters}\n{facts:?}");
        assert!(matches!(facts.last(), Some(Fact::Processed { .. })), "{facts:?}");
    }
}

#[tokio::test]
async fn an_event_about_the_bucket_of_another_account_is_nothing_of_ours() {
    let mut event = opening();
    event["resources"] = json!([{ "type": "AWS::S3::Bucket", "accountId": "999999999999",
        "ARN": "arn:aws:s3:::theirs" }]);
    let facts = told(event).await;
    assert!(matches!(facts.as_slice(), [Fact::Processed { findings: 0, .. }]), "{facts:?}");
}

/// Such an event must be put aside at once: trying again does not make it a region.
#[tokio::test]
async fn what_is_no_region_is_never_called() {
    let mut settings = AwsSettings::default();
    settings.accounts.insert(ACCOUNT.to_owned(), AccountAccess::default());
    let aws = Aws::connect(settings).await;
    for region in
        ["../../evil", "us-east-1.evil.com/", "", "-", "us-east-1\n", "US-EAST-1", "us--1"]
    {
        let error = aws.reader_in(ACCOUNT, region).await.unwrap_err();
        assert!(!error.is_transient() && error.message.contains("region"), "{region}: {error}");
    }
    for region in ["eu-central-1", "us-gov-west-1", "us-isob-east-1", "eusc-de-east-1"] {
        assert!(is_region(region), "{region}");
    }
}

#[tokio::test]
async fn the_same_event_again_does_nothing() {
    let bench = Bench::new(CloudErrorKind::Invalid, true);
    bench.opened().await;
    let before = bench.journal.facts().len();
    bench.opened().await;
    assert_eq!(bench.journal.facts().len(), before);
}

/// A fix under our role, in a session of this name, with a request id that nobody told us.
fn under_our_name(session: &str) -> Value {
    let mut event = opening();
    event["eventID"] = json!(format!("e-{session}"));
    event["eventName"] = json!("PutBucketPublicAccessBlock");
    event["requestID"] = json!("untold");
    event["userIdentity"] = json!({
        "type": "AssumedRole",
        "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/quell-write/{session}"),
        "accountId": ACCOUNT,
        "sessionContext": { "sessionIssuer": { "type": "Role", "arn": WRITE_ROLE } },
    });
    event
}

/// How many alerts such an event leads to.
async fn impostors(bench: &Bench, session: &str) -> usize {
    let count = |journal: &MemoryJournal| {
        journal.facts().iter().filter(|(_, it)| matches!(it, Fact::Impostor { .. })).count()
    };
    let before = count(&bench.journal);
    let body = under_our_name(session).to_string();
    assert_eq!(bench.pipeline.handle(body.as_bytes()).await.unwrap(), Ack::Done);
    count(&bench.journal) - before
}

#[tokio::test]
async fn our_own_call_is_no_impostors_where_its_answer_was_lost() {
    let mut bench = Bench::new(CloudErrorKind::Unavailable, true);
    bench.pipeline.scope.own_roles.insert(WRITE_ROLE.to_owned());
    bench.opened().await;
    let key = bench.journal.history().findings().next().unwrap().finding.key.clone();
    assert_eq!(impostors(&bench, "quell-guessed").await, 1);
    assert_eq!(impostors(&bench, &format!("quell-{key}")).await, 0);
    assert_eq!(bench.stands().0, Status::Corrected);
}

#[tokio::test]
async fn our_own_call_is_no_impostors_where_a_stop_cut_its_attempt_off() {
    let mut bench = Bench::new(CloudErrorKind::Unavailable, true);
    bench.pipeline.scope.own_roles.insert(WRITE_ROLE.to_owned());
    bench.opened().await;
    // The process ended before it could record how the change went.
    let cut_off = Arc::new(MemoryJournal::default());
    for (time, fact) in bench.journal.facts() {
        if !matches!(fact, Fact::Concluded { .. } | Fact::Processed { .. }) {
            cut_off.append(time, vec![fact]).await.unwrap();
        }
    }
    bench.pipeline.journal = Arc::clone(&cut_off) as Arc<dyn quell::journal::Journal>;
    bench.journal = cut_off;
    let key = bench.journal.history().findings().next().unwrap().finding.key.clone();
    assert_eq!(impostors(&bench, &format!("quell-{key}")).await, 0);
    let resumed = bench.journal.facts().into_iter().filter(|(_, it)| {
        matches!(it, Fact::Concluded { resumed: true, request_ids, .. } if request_ids.is_empty())
    });
    assert_eq!(resumed.count(), 1, "the event itself resumed it");
    assert_eq!(impostors(&bench, "quell-guessed").await, 1);
}

/// A cloud in which we may read nothing.
struct Denied;

fn denied() -> CloudError {
    CloudError {
        kind: CloudErrorKind::Denied,
        operation: "s3:GetBucketAcl".to_owned(),
        message: "as the test wants it".to_owned(),
        request_id: None,
    }
}

impl World for Denied {
    fn read<'a>(
        &'a self,
        _resource: &'a ResourceRef,
    ) -> BoxFuture<'a, Result<Option<State>, CloudError>> {
        Box::pin(async { Err(denied()) })
    }

    fn apply<'a>(
        &'a self,
        _change: &'a Authorized<Change>,
        _session: &'a str,
    ) -> BoxFuture<'a, Result<Applied, CloudError>> {
        Box::pin(async { Err(denied()) })
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_told_once_however_often_its_event_comes() {
    let mut bench = Bench::new(CloudErrorKind::Invalid, true);
    bench.pipeline.world = Arc::new(Denied);
    let body = opening().to_string();
    for _ in 0..5 {
        let ack = bench.pipeline.handle(body.as_bytes()).await.unwrap();
        assert!(matches!(ack, Ack::DeadLetter(_)), "{ack:?}");
        let facts = bench.journal.facts();
        let unread =
            |it: &&(Timestamp, Fact)| matches!(it.1, Fact::Failed { problem: Problem::Read, .. });
        assert_eq!(facts.iter().filter(unread).count(), 1, "{facts:?}");
    }
}
