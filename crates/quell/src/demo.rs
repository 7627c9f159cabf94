//! `quell demo`: a simulated account under attack, and Quell at work in it.
//!
//! The account, its clock and its attackers are simulated; everything else is the product as it
//! runs in production: CloudTrail records in EventBridge's envelope go through the real pipeline
//! with the real policies, and what happened lies in a real ledger, on which every other command
//! then works. The same seed tells the same story.
//!
//! Deliberately not here: anything that only the demo can do.

pub mod account;
pub mod call;
pub mod folder;
pub mod stage;
pub mod story;
pub mod show;

use crate::config::Config;
use crate::embedded::Embedded;
use crate::journal::Journal;
use crate::output::Out;
use crate::pipeline::Pipeline;
use crate::runtime::{self, RuntimeError};
use crate::simulation::SimulatedAccount;
use crate::simulation::clock::SimulatedClock;
use crate::simulation::dice::Dice;
use camino::Utf8PathBuf;
use folder::FolderError;
use jiff::Timestamp;
use stage::{Stage, StageError};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// The configuration that the demo runs with; it is written beside the ledger.
pub const CONFIG: &str = include_str!("demo/quell.yaml");

/// The pause after a step, so that a person can read along, in milliseconds.
pub const PAUSE_MS: u64 = 900;

/// How a demo is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Names, ids and addresses follow from it.
    pub seed: u64,
    /// Whether there are no pauses.
    pub fast: bool,
    /// One JSON line per record instead of a story.
    pub json: bool,
    /// The data folder; it must be empty, absent or an earlier demo's.
    pub data_dir: Utf8PathBuf,
}

/// Why there is no demo.
#[derive(Debug, Error)]
pub enum DemoError {
    /// The data folder can't be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The demo's own configuration is faulty.
    #[error("{0}")]
    Config(String),
    /// The pipeline could not be put together.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The story broke off.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// The output is gone.
    #[error(transparent)]
    Output(#[from] std::io::Error),
}

/// Runs the demo.
pub async fn run(options: &Options, out: &mut Out) -> Result<(), DemoError> {
    folder::make_fresh(&options.data_dir, CONFIG)?;
    let config = Config::parse(CONFIG).map_err(DemoError::Config)?;
    let mut dice = Dice::seeded(options.seed);
    let states = account::resources(&mut dice, start());
    let account =
        SimulatedAccount::new(states, Some(&options.data_dir)).map_err(RuntimeError::Simulation)?;
    let (account, clock) = (Arc::new(account), Arc::new(SimulatedClock::at(start())));
    let embedded = Embedded::open(&options.data_dir, Arc::clone(&clock) as _, None);
    let store = Arc::new(embedded.map_err(RuntimeError::Store)?);
    let pipeline = Pipeline::new(
        Arc::new(runtime::library(&config).map_err(RuntimeError::Policies)?),
        Arc::clone(&account) as _,
        Arc::clone(&store) as Arc<dyn Journal>,
        Arc::clone(&clock) as _,
        config.guardrails.clone(),
        runtime::scope(&config),
    );
    let mut stage = Stage::new(account, clock, pipeline, dice);
    stage.pause = Duration::from_millis(if options.fast || options.json { 0 } else { PAUSE_MS });
    let mut show = show::Show { out, options };
    show.opening(&stage)?;
    story::play(&mut stage, &mut show).await?;
    stage.account.stop(&*stage.clock).map_err(RuntimeError::Simulation)?;
    store.close().await.map_err(RuntimeError::Journal)?;
    show.closing(&stage)
}

/// When every story begins: a Monday morning. Time within the simulation is simulated.
fn start() -> Timestamp {
    Timestamp::constant(1_767_603_600, 0)
}
