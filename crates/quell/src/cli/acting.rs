//! What commands that read or change the ledger share: opening it, and saying who asks.

use super::global::Global;
use crate::config::Config;
use crate::exit::CliError;
use crate::journal::lock;
use crate::pipeline::PeopleError;
use crate::runtime::{Runtime, RuntimeError};
use crate::store::Projection;
use crate::store::dynamodb::audit::Reader;
use crate::store::error::StoreError;
use crate::store::reader;
use camino::Utf8Path;
use quell_core::decide::Refusal;
use quell_core::history::History;
use quell_core::ledger::line::Record;
use quell_core::record::Fact;
use quell_library::aws::Aws;
use std::env;
use std::future::Future;
use std::sync::Mutex;

/// Who asks, and why: recorded with what is done.
#[derive(Debug, clap::Args)]
pub struct Person {
    /// Who asks [default: the user's name]
    #[arg(long, value_name = "WHO", env = "QUELL_PERSON", hide_env_values = true)]
    by: Option<String>,
    /// Why; recorded in the ledger
    #[arg(long, value_name = "WHY")]
    pub reason: String,
}

impl Person {
    /// Who asks.
    pub fn by(&self) -> Result<String, CliError> {
        let found = self.by.clone().or_else(|| env::var("USER").ok());
        found.filter(|it| !it.trim().is_empty()).ok_or_else(|| {
            CliError::usage("nobody is named who asks for this")
                .hint("name yourself with --by or QUELL_PERSON")
        })
    }
}

/// Runs a command's asynchronous part.
pub fn block_on<T>(work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|it| CliError::outside("no threads could be started").because(it))?;
    let ended = runtime.block_on(work);
    // A read of standard input can't be interrupted, and must not hold up the end.
    runtime.shutdown_background();
    ended
}

/// Opens everything that acts.
pub async fn open(global: &Global) -> Result<Runtime, CliError> {
    open_with(global.acting_config()?, global).await
}

/// Opens everything that acts, by this configuration.
pub async fn open_with(config: Config, global: &Global) -> Result<Runtime, CliError> {
    let runtime = Runtime::open(config, &global.data_dir()?).await.map_err(cannot_open)?;
    let loaded = runtime.store.load().await;
    loaded.map_err(|it| CliError::outside("the ledger can't be read").because(it))?;
    if runtime.config.store.dynamodb.is_some() {
        // The embedded store's history was there, and taken over, when it was opened.
        runtime.telemetry.remember(&runtime.store.history());
    }
    Ok(runtime)
}

/// Why nothing could be opened, with what to do next.
pub fn cannot_open(error: RuntimeError) -> CliError {
    match error {
        RuntimeError::Policies(error) => super::global::bad_policy(error),
        RuntimeError::Store(error @ StoreError::Locked { .. }) => {
            CliError::outside("the ledger can't be opened")
                .because(error)
                .hint("stop `quell run` first; started again, it takes up where it stopped")
        }
        RuntimeError::Store(error) => CliError::outside("the ledger can't be opened")
            .because(error)
            .hint("`quell audit verify` tells what is wrong with it"),
        RuntimeError::Organization(error) => {
            CliError::outside("the organization's accounts can't be listed")
                .because(error)
                .hint("who asks needs what `quell iam` prints for the organization")
        }
        other => CliError::usage("nothing can be started").because(other),
    }
}

/// Closes the store; what it took is durable.
pub async fn close(runtime: &Runtime) -> Result<(), CliError> {
    let closed = runtime.store.close().await;
    closed.map_err(|it| CliError::outside("the ledger was not closed cleanly").because(it))
}

/// A request of a person's that was not carried out.
pub fn refused(error: PeopleError) -> CliError {
    match error {
        PeopleError::Refused(it @ Refusal::Moved) => CliError::usage(it.to_string())
            .hint("`quell findings retry ID` reads it again and asks for what it demands now"),
        PeopleError::Refused(it) => CliError::usage(it.to_string())
            .hint("`quell findings list` shows what there is, with ids"),
        PeopleError::Ambiguous { .. } | PeopleError::Undone(_) => {
            CliError::usage(error.to_string())
        }
        PeopleError::Cloud(it) => CliError::outside("the cloud did not answer").because(it),
        PeopleError::Journal(it) => CliError::outside("the ledger failed").because(it),
    }
}

/// Whether there is a ledger to read.
pub fn has_ledger(global: &Global) -> Result<bool, CliError> {
    let shared = global.config()?.store.dynamodb.is_some();
    Ok(shared || global.data_dir()?.join("ledger").is_dir())
}

/// The history, read beside its writers.
pub fn history(global: &Global) -> Result<History, CliError> {
    let config = global.config()?;
    let Some(settings) = &config.store.dynamodb else { return history_in(&global.data_dir()?) };
    block_on(async {
        let aws = Aws::connect(config.aws_settings()).await;
        let records = Reader::new(&aws, settings).records().await;
        let records = records.map_err(|it| {
            CliError::outside(format!("the ledger of `{}` can't be read", settings.name))
                .because(it)
                .hint("`quell audit verify` tells what is wrong with it")
        })?;
        let mut history = History::default();
        for it in &records {
            history.apply(it.time, &it.fact);
        }
        Ok(history)
    })
}

/// The history in a folder, read without its lock.
fn history_in(dir: &Utf8Path) -> Result<History, CliError> {
    struct Fold(Mutex<History>);
    impl Projection<Fact> for Fold {
        fn apply(&mut self, record: &Record<Fact>) {
            lock(&self.0).apply(record.time, &record.fact);
        }
    }
    if !dir.join("ledger").is_dir() {
        return Err(no_ledger(dir));
    }
    let mut fold = Fold(Mutex::new(History::default()));
    reader::fold::<Fact, Fold>(dir, &mut fold).map_err(|it| {
        CliError::outside(format!("the ledger in `{dir}` can't be read"))
            .because(it)
            .hint("`quell audit verify` tells what is wrong with it")
    })?;
    Ok(fold.0.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// There is no ledger in the data folder.
pub fn no_ledger(dir: &Utf8Path) -> CliError {
    CliError::usage(format!("there is no ledger in `{dir}`"))
        .hint("name its folder with --data-dir, or tables with --store; `quell run` makes one")
}
