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
use quell::journal::{FleetCap, Journal, JournalError, MemoryJournal, ReserveResult, Turn};
use quell::pipeline::{
    Ack, PeopleError, Pipeline, ResumeReport, RetryFilter, RetryReport, Scope, Selector,
};
use quell::simulation::SimulatedAccount;
use quell_core::change::Change;
use quell_core::decide::Refusal;
use quell_core::decide::authorized::Authorized;
use quell_core::decide::guardrails::Guardrails;
use quell_core::decide::mode::Modes;
use quell_core::event::Event;
use quell_core::history::{History, Status};
use quell_core::policy::Mode;
use quell_core::record::{Fact, Outcome, Problem};
use quell_core::region::is_region;
use quell_core::resource::{ResourceRef, State};
use quell_library::Library;
use quell_library::aws::{AccountAccess, Aws, AwsSettings};
use quell_library::cloud::{Applied, CloudError, CloudErrorKind, World};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard};

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

    /// The process ended before facts of one kind were recorded, and another one began.
    async fn restarted_without(&mut self, is_lost: impl Fn(&Fact) -> bool) {
        let left = Arc::new(MemoryJournal::default());
        for (time, fact) in self.journal.facts() {
            if !is_lost(&fact) {
                left.append(time, vec![fact]).await.unwrap();
            }
        }
        self.pipeline.journal = Arc::clone(&left) as Arc<dyn Journal>;
        self.journal = left;
    }

    fn unfinished(&self) -> usize {
        self.journal.history().unfinished().count()
    }

    fn finding(&self) -> String {
        self.journal.history().findings().next().unwrap().finding.key.clone()
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

/// What tells how a change went, and that its event is done.
fn is_an_end(fact: &Fact) -> bool {
    matches!(fact, Fact::Concluded { .. } | Fact::Processed { .. })
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
    let key = bench.finding();
    assert_eq!(impostors(&bench, "quell-guessed").await, 1);
    assert_eq!(impostors(&bench, &format!("quell-{key}")).await, 0);
    assert_eq!(bench.stands().0, Status::Corrected);
}

#[tokio::test]
async fn our_own_call_is_no_impostors_where_a_stop_cut_its_attempt_off() {
    let mut bench = Bench::new(CloudErrorKind::Unavailable, true);
    bench.pipeline.scope.own_roles.insert(WRITE_ROLE.to_owned());
    bench.opened().await;
    bench.restarted_without(is_an_end).await;
    let key = bench.finding();
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

/// Only a person's command may use the undo role.
#[tokio::test]
async fn an_undo_that_a_stop_cut_off_is_concluded_by_people_alone() {
    for by_the_undo_again in [true, false] {
        let mut bench = Bench::new(CloudErrorKind::Invalid, true);
        bench.opened().await;
        let (_, fix) = bench.stands();
        assert_eq!(bench.undo(&fix).await.unwrap(), 1);
        let (_, undo) = bench.stands();
        let of_undo = |it: &Fact| matches!(it, Fact::Concluded { attempt, .. } if *attempt == undo);
        bench.restarted_without(of_undo).await;

        assert_eq!(bench.pipeline.resume().await.unwrap(), ResumeReport::default());
        assert_eq!(bench.unfinished(), 1);
        if by_the_undo_again {
            assert_eq!(bench.undo(&fix).await.unwrap(), 1);
        } else {
            let resumed = bench.pipeline.resume_with_undos().await.unwrap();
            assert_eq!(resumed, ResumeReport { concluded: 1, failed: 0 });
        }
        assert_eq!(bench.unfinished(), 0);
        assert_eq!(bench.stands(), (Status::Undone, undo.clone()), "no second undo was made");
    }
}

#[tokio::test]
async fn what_was_undone_before_is_said_to_be() {
    let bench = Bench::new(CloudErrorKind::Invalid, true);
    bench.opened().await;
    let (_, fix) = bench.stands();
    bench.undo(&fix).await.unwrap();
    let again = bench.undo(&fix).await;
    assert!(matches!(again, Err(PeopleError::Undone(_))), "{again:?}");
}

/// A ledger in which another writer has every resource's turn.
struct Taken(Arc<MemoryJournal>);

impl Journal for Taken {
    fn turn<'a>(
        &'a self,
        resource: &'a ResourceRef,
        _event: Option<&'a Event>,
    ) -> BoxFuture<'a, Result<Turn, JournalError>> {
        Box::pin(async move { Err(JournalError::Later(format!("{resource} is taken"))) })
    }

    fn append(&self, time: Timestamp, facts: Vec<Fact>) -> BoxFuture<'_, Result<(), JournalError>> {
        self.0.append(time, facts)
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.0.history()
    }

    fn reserve(&self, now: Timestamp, cap: FleetCap) -> BoxFuture<'_, ReserveResult> {
        self.0.reserve(now, cap)
    }

    fn load(&self) -> BoxFuture<'_, Result<(), JournalError>> {
        self.0.load()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), JournalError>> {
        self.0.close()
    }
}

#[tokio::test]
async fn a_resource_that_another_writer_has_ends_neither_start_nor_retry() {
    let mut bench = Bench::new(CloudErrorKind::Invalid, true);
    bench.opened().await;
    bench.restarted_without(is_an_end).await;
    bench.pipeline.journal = Arc::new(Taken(Arc::clone(&bench.journal)));
    let resumed = bench.pipeline.resume().await.unwrap();
    assert_eq!(resumed, ResumeReport { concluded: 0, failed: 1 });

    let mut bench = Bench::new(CloudErrorKind::NotFound, false);
    bench.opened().await;
    bench.pipeline.journal = Arc::new(Taken(Arc::clone(&bench.journal)));
    let retried = bench.pipeline.retry(&RetryFilter::default()).await.unwrap();
    assert_eq!(retried, RetryReport { looked_at: 1, failed: 1, ..RetryReport::default() });
}

#[tokio::test]
async fn an_approval_that_expired_is_asked_for_again() {
    let mut bench = Bench::new(CloudErrorKind::Invalid, true);
    bench.pipeline.rails.modes.default = Mode::Approve;
    bench.pipeline.rails.approval_expires_s = 0;
    bench.opened().await;
    let key = bench.finding();
    let name = Selector(key.clone());
    let late = bench.pipeline.approve(&name, "alice", "a test").await;
    assert!(matches!(late, Err(PeopleError::Refused(Refusal::Expired(_)))), "{late:?}");

    bench.pipeline.rails.approval_expires_s = 3600;
    let waits = RetryReport { looked_at: 1, open: 1, ..RetryReport::default() };
    let all = RetryFilter::default();
    assert_eq!(bench.pipeline.retry(&all).await.unwrap(), waits);
    // Now it waits in time; it is looked at again only where it is named.
    assert_eq!(bench.pipeline.retry(&all).await.unwrap(), RetryReport::default());
    let named = RetryFilter { keys: vec![key], ..RetryFilter::default() };
    assert_eq!(bench.pipeline.retry(&named).await.unwrap(), waits);
    let approved = bench.pipeline.approve(&name, "alice", "a test").await.unwrap();
    assert!(matches!(approved, Outcome::Corrected { .. }), "{approved:?}");
}

/// A delivery may hold any number of wrong records, and each may quote what is wrong.
#[tokio::test]
async fn the_reason_of_a_dead_letter_is_bounded() {
    let bench = Bench::new(CloudErrorKind::Invalid, true);
    let many = format!("{{\"Records\":[{}]}}", vec!["1"; 1_000].join(","));
    let ack = bench.pipeline.handle(many.as_bytes()).await.unwrap();
    let Ack::DeadLetter(reason) = ack else { panic!("{ack:?}") };
    assert!(reason.len() < 16 * 1024 && reason.ends_with("and 990 more"), "{reason}");
    let mut long = opening();
    long["eventTime"] = json!("yesterday".repeat(10_000));
    let ack = bench.pipeline.handle(long.to_string().as_bytes()).await.unwrap();
    let Ack::DeadLetter(reason) = ack else { panic!("{ack:?}") };
    assert!(reason.len() < 2 * 1024, "{reason}");
}
