//! `quell demo`: Quell at work in a simulated account, with nothing to install.

use super::acting::block_on;
use super::global::Global;
use crate::demo::folder::{self, FolderError};
use crate::demo::{self, DemoError, Options};
use crate::exit::{CliError, Exit};
use crate::output::Out;

/// `quell demo`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Do not pause between the steps
    #[arg(long)]
    fast: bool,
    /// Ids, addresses and delays follow from it: the same seed tells the same story
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// One JSON document per record, and a summary at the end; implies --fast
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  quell demo                                       a story of attacks and fixes, to read along
  quell demo --fast --data-dir ./demo              at once, with the account kept in ./demo
  quell demo --json | jq 'select(.line == \"summary\")'

The account and its clock are simulated, the pipeline, the policies and the ledger are the real
ones. The data folder (by default `quell-demo` among the temporary files) is made fresh each time;
a folder that holds anything but an earlier demo is refused.";

/// Runs `quell demo`.
pub fn run(args: &Args, global: &Global, out: &mut Out) -> Result<Exit, CliError> {
    let data_dir = match global.given_data_dir() {
        Some(given) => given.to_owned(),
        None => folder::default().map_err(|it| failed(it.into()))?,
    };
    let options = Options { seed: args.seed, fast: args.fast, json: args.json, data_dir };
    block_on(async { demo::run(&options, out).await.map_err(failed) })?;
    Ok(Exit::Fine)
}

fn failed(error: DemoError) -> CliError {
    match error {
        DemoError::Output(error) => error.into(),
        DemoError::Folder(error @ FolderError::NotADemo(_)) => {
            CliError::usage(error.to_string()).hint("name an empty or a new folder with --data-dir")
        }
        DemoError::Runtime(error) => super::acting::cannot_open(error),
        other => CliError::outside("the demo broke off").because(other),
    }
}
