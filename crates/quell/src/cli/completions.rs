//! `quell completions`: what a shell needs to complete our commands.

use super::global::Global;
use crate::exit::{CliError, Exit};
use crate::output::Out;
use clap_complete::Shell;
use std::io::Write as _;

/// `quell completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The shell
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  quell completions bash > ~/.local/share/bash-completion/completions/quell
  quell completions zsh > ~/.zfunc/_quell
  quell completions fish > ~/.config/fish/completions/quell.fish";

/// Prints the script.
pub fn run(args: &Args, _: &Global, out: &mut Out) -> Result<Exit, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "quell", &mut script);
    out.write_all(&script)?;
    Ok(Exit::Fine)
}
