//! What commands that read or change the ledger share: opening it, and saying who asks.

use super::global::Global;
use crate::exit::CliError;
use crate::journal::lock;
use crate::pipeline::PeopleError;
use crate::runtime::{Runtime, RuntimeError};
use crate::store::Projection;
use crate::store::error::StoreError;
use crate::store::reader;
use quell_core::history::History;
use quell_core::ledger::line::Record;
use quell_core::record::Fact;
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
    let config = global.acting_config()?;
    Runtime::open(config, &global.data_dir()?).await.map_err(cannot_open)
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
        PeopleError::Refused(it) => CliError::usage(it.to_string())
            .hint("`quell findings list` shows what there is, with ids"),
        PeopleError::Ambiguous { .. } => CliError::usage(error.to_string()),
        PeopleError::Cloud(it) => CliError::outside("the cloud did not answer").because(it),
        PeopleError::Journal(it) => CliError::outside("the ledger failed").because(it),
    }
}

/// The history, read beside a writer without its lock. An empty one where there is no ledger.
pub fn history(global: &Global) -> Result<History, CliError> {
    struct Fold(Mutex<History>);
    impl Projection<Fact> for Fold {
        fn apply(&mut self, record: &Record<Fact>) {
            lock(&self.0).apply(record.time, &record.fact);
        }
    }
    let dir = global.data_dir()?;
    if !dir.join("ledger").is_dir() {
        return Err(no_ledger(&dir));
    }
    let mut fold = Fold(Mutex::new(History::default()));
    reader::fold::<Fact, Fold>(&dir, &mut fold).map_err(|it| {
        CliError::outside(format!("the ledger in `{dir}` can't be read"))
            .because(it)
            .hint("`quell audit verify` tells what is wrong with it")
    })?;
    Ok(fold.0.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// There is no ledger in the data folder.
pub fn no_ledger(dir: &camino::Utf8Path) -> CliError {
    CliError::usage(format!("there is no ledger in `{dir}`"))
        .hint("name its folder with --data-dir; `quell run` and `quell demo` make one")
}
