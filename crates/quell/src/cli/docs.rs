//! `quell docs`: the reference pages, printed by the binary that they describe.
//!
//! `cargo xtask codegen` puts them in their places under `docs/reference`.

use super::global::{Global, bad_policy};
use crate::docs;
use crate::exit::{CliError, Exit};
use crate::output::Out;
use clap::ValueEnum;
use quell_library::Library;
use std::io::Write as _;

/// `quell docs`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which page
    #[arg(value_enum)]
    page: Page,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Page {
    /// Every command and option
    Cli,
    /// Every setting of the configuration file
    Config,
    /// Every exit code
    ExitCodes,
    /// Every input and variable of the serverless function
    Function,
    /// Every metric and every alarm
    Metrics,
    /// Every permission, by action and resource type
    Permissions,
    /// Every built-in policy
    Policies,
    /// The JSON schema of the configuration file
    Schema,
}

/// Prints the page.
pub fn run(args: &Args, _: &Global, out: &mut Out) -> Result<Exit, CliError> {
    let page = match args.page {
        Page::Cli => docs::cli::page(&super::command()),
        Page::Config => docs::config::page(),
        Page::Schema => docs::config::schema(),
        Page::ExitCodes => docs::exit_codes::page(),
        Page::Function => docs::function::page(),
        Page::Metrics => docs::metrics::page(),
        Page::Permissions => docs::permissions::page(),
        Page::Policies => docs::policies::page(&Library::builtin().map_err(bad_policy)?),
    };
    out.write_all(page.as_bytes())?;
    Ok(Exit::Fine)
}
