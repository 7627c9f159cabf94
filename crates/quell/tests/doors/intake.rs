//! What the sources do with a delivery that fails for the time being.

use crate::event;
use quell::clock::SystemClock;
use quell::config::LimitsConfig;
use quell::journal::MemoryJournal;
use quell::pipeline::{Pipeline, Scope};
use quell::simulation::SimulatedAccount;
use quell::simulation::faults::Faults;
use quell::sources::files::Files;
use quell::sources::{Intake, Settled, Source as _};
use quell_core::decide::guardrails::Guardrails;
use quell_core::decide::mode::Modes;
use quell_core::policy::Mode;
use quell_core::record::Fact;
use quell_library::Library;
use quell_library::cloud::World;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::watch;

/// A door into a pipeline that fixes what it finds in `world`, and its journal.
pub fn intake(
    world: Arc<dyn World>,
    dead_letters: &Path,
    limits: &LimitsConfig,
) -> (Arc<Intake>, Arc<MemoryJournal>) {
    let journal = Arc::new(MemoryJournal::default());
    let pipeline = Pipeline::new(
        Arc::new(Library::builtin().unwrap()),
        world,
        Arc::clone(&journal) as _,
        Arc::new(SystemClock),
        Guardrails {
            modes: Modes { default: Mode::Enforce, ..Modes::default() },
            ..Guardrails::default()
        },
        Scope::default(),
    );
    let (fatal, _) = watch::channel(None);
    (Arc::new(Intake::new(Arc::new(pipeline), dead_letters, limits, fatal)), journal)
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
