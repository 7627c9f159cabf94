//! What the sources do with a delivery that fails for the time being.

use crate::event;
use futures::future::BoxFuture;
use jiff::Timestamp;
use quell::clock::SystemClock;
use quell::config::LimitsConfig;
use quell::journal::{FleetCap, Journal, JournalError, MemoryJournal, ReserveResult, Turn};
use quell::pipeline::{Pipeline, Scope};
use quell::simulation::SimulatedAccount;
use quell::simulation::faults::Faults;
use quell::sources::files::Files;
use quell::sources::{Intake, Settled, Source as _};
use quell_core::change::Change;
use quell_core::decide::authorized::Authorized;
use quell_core::decide::guardrails::Guardrails;
use quell_core::decide::mode::Modes;
use quell_core::event::Event;
use quell_core::history::History;
use quell_core::policy::Mode;
use quell_core::record::Fact;
use quell_core::resource::{ResourceRef, State};
use quell_library::Library;
use quell_library::cloud::{Applied, CloudError, World};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::watch;

/// A door into a pipeline that fixes what it finds in `world`, and its journal.
pub fn intake(
    world: Arc<dyn World>,
    dead_letters: &Path,
    limits: &LimitsConfig,
) -> (Arc<Intake>, Arc<MemoryJournal>) {
    let journal = Arc::new(MemoryJournal::default());
    let (intake, _) = intake_over(world, Arc::clone(&journal) as _, dead_letters, limits);
    (intake, journal)
}

/// A door as [`intake`], over this journal, and what it says when the process must stop.
fn intake_over(
    world: Arc<dyn World>,
    journal: Arc<dyn Journal>,
    dead_letters: &Path,
    limits: &LimitsConfig,
) -> (Arc<Intake>, watch::Receiver<Option<String>>) {
    let pipeline = Pipeline::new(
        Arc::new(Library::builtin().unwrap()),
        world,
        journal,
        Arc::new(SystemClock),
        Guardrails {
            modes: Modes { default: Mode::Enforce, ..Modes::default() },
            ..Guardrails::default()
        },
        Scope::default(),
    );
    let (fatal, failed) = watch::channel(None);
    (Arc::new(Intake::new(Arc::new(pipeline), dead_letters, limits, fatal)), failed)
}

/// An account whose reads are all throttled.
fn throttled() -> Arc<SimulatedAccount> {
    let faults = Faults { read_throttled_percent: 100, ..Faults::default() };
    Arc::new(SimulatedAccount::new(Vec::new(), None).unwrap().failing(faults))
}

#[tokio::test]
async fn what_fails_for_now_is_delivered_again_and_put_aside_only_where_it_cannot_be() {
    let folder = tempfile::tempdir().unwrap();
    let limits = LimitsConfig { delivery_attempts_max: 2, ..LimitsConfig::default() };
    let (intake, journal) = intake(throttled(), &folder.path().join("letters"), &limits);
    let body = event(1).to_string();
    let settled = intake.settle("queue", body.as_bytes()).await;
    let Settled::Again(reason) = settled else { panic!("{settled:?}") };
    assert!(reason.contains("failed 2 times") && reason.contains("Throttling"), "{reason}");
    assert!(journal.facts().is_empty(), "{:?}", journal.facts());

    let file = folder.path().join("event.json");
    std::fs::write(&file, &body).unwrap();
    let (_stop, stopping) = watch::channel(false);
    Box::new(Files::new(vec![file], false)).run(intake, stopping).await.unwrap();
    let facts = journal.facts();
    let [(_, Fact::DeadLettered { reason, .. })] = &facts[..] else { panic!("{facts:?}") };
    assert!(reason.contains("failed 2 times"), "{reason}");
}

/// A ledger that takes nothing until it has said these errors, the last one first.
struct Stubborn {
    journal: MemoryJournal,
    errors: Mutex<Vec<JournalError>>,
}

impl Journal for Stubborn {
    fn turn<'a>(
        &'a self,
        resource: &'a ResourceRef,
        event: Option<&'a Event>,
    ) -> BoxFuture<'a, Result<Turn, JournalError>> {
        self.journal.turn(resource, event)
    }

    fn append(&self, time: Timestamp, facts: Vec<Fact>) -> BoxFuture<'_, Result<(), JournalError>> {
        match self.errors.lock().unwrap().pop() {
            Some(error) => Box::pin(async { Err(error) }),
            None => self.journal.append(time, facts),
        }
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.journal.history()
    }

    fn reserve(&self, now: Timestamp, cap: FleetCap) -> BoxFuture<'_, ReserveResult> {
        self.journal.reserve(now, cap)
    }

    fn load(&self) -> BoxFuture<'_, Result<(), JournalError>> {
        self.journal.load()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), JournalError>> {
        self.journal.close()
    }
}

/// Only a ledger that is broken ends the process; one that is busy, or that refuses this one fact,
/// takes the next.
#[tokio::test]
async fn a_dead_letter_that_is_not_taken_ends_the_process_only_where_the_ledger_is_broken() {
    let folder = tempfile::tempdir().unwrap();
    let limits = LimitsConfig { delivery_attempts_max: 2, ..LimitsConfig::default() };
    let door = |errors: &[JournalError]| {
        let errors = Mutex::new(errors.to_vec());
        let journal = Arc::new(Stubborn { journal: MemoryJournal::default(), errors });
        let over: Arc<dyn Journal> = journal.clone();
        let (intake, failed) = intake_over(throttled(), over, folder.path(), &limits);
        (intake, failed, journal)
    };
    let (later, refused) = (
        JournalError::Later("busy".to_owned()),
        JournalError::Refused("the fact is too large".to_owned()),
    );
    let broken = JournalError::Broken("no disk".to_owned());

    let (intake, failed, journal) = door(std::slice::from_ref(&later));
    assert_eq!(intake.settle("queue", b"{").await, Settled::Again("busy".to_owned()));
    assert!(failed.borrow().is_none() && journal.journal.facts().is_empty());
    assert_eq!(intake.settle("queue", b"{").await, Settled::Forget);
    assert_eq!((journal.journal.facts().len(), intake.put_aside_count()), (1, 1));

    let (intake, failed, journal) = door(&[refused]);
    assert_eq!(intake.settle("queue", b"{").await, Settled::Forget);
    let facts = journal.journal.facts();
    let [(_, Fact::DeadLettered { reason, .. })] = &facts[..] else { panic!("{facts:?}") };
    assert!(failed.borrow().is_none() && reason == "the fact is too large", "{reason}");

    let (intake, failed, _) = door(&[broken]);
    assert_eq!(intake.settle("queue", b"{").await, Settled::Keep);
    assert!(failed.borrow().is_some());

    // A file is not delivered again: it waits, and then the process stops rather than lose it.
    let (intake, failed, journal) = door(std::slice::from_ref(&later));
    assert_eq!(intake.put_aside_for_good("file", b"{", "why".to_owned()).await, Settled::Forget);
    assert!(failed.borrow().is_none() && journal.journal.facts().len() == 1);
    let (intake, failed, _) = door(&[later.clone(), later]);
    assert_eq!(intake.put_aside_for_good("file", b"{", "why".to_owned()).await, Settled::Keep);
    assert!(failed.borrow().is_some());
}

/// A cloud that leads to a bug of ours.
struct Panicking;

impl World for Panicking {
    fn read<'a>(
        &'a self,
        _resource: &'a ResourceRef,
    ) -> BoxFuture<'a, Result<Option<State>, CloudError>> {
        panic!("as the test wants it")
    }

    fn apply<'a>(
        &'a self,
        _change: &'a Authorized<Change>,
        _session: &'a str,
    ) -> BoxFuture<'a, Result<Applied, CloudError>> {
        panic!("as the test wants it")
    }
}

/// What broke off is not done, and nobody may think that it is.
#[tokio::test]
async fn a_source_whose_work_broke_off_does_not_end_well() {
    let folder = tempfile::tempdir().unwrap();
    let letters = folder.path().join("letters");
    let (intake, journal) = intake(Arc::new(Panicking), &letters, &LimitsConfig::default());
    let file = folder.path().join("events.jsonl");
    std::fs::write(&file, format!("{{\"not\": \"closed\"\n{}\n", event(1))).unwrap();
    let (_stop, stopping) = watch::channel(false);
    let ended = Box::new(Files::new(vec![file], false)).run(intake, stopping).await;
    let problem = ended.unwrap_err().problem;
    assert!(problem.contains("bug in Quell"), "{problem}");
    let facts = journal.facts();
    assert!(matches!(facts[..], [(_, Fact::DeadLettered { .. })]), "the other went on: {facts:?}");
}
