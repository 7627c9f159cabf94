//! `quell iam`: what Quell itself needs, and what somebody's IAM policy allows.

pub mod analyze;
pub mod needed;

use super::global::Global;
use crate::exit::{CliError, Exit};
use crate::output::Out;
use clap::Subcommand;

/// `quell iam`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    needed: needed::Args,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell who can do what through an IAM policy: public, cross-account, admin, and why
    Analyze(analyze::Args),
}

const EXAMPLES: &str = "\
Examples:
  quell iam                                              what the enabled policies need, as a table
  quell iam --mode enforce --format json                 policy documents, if all enforce
  quell iam --policies 'aws.s3.*' --format terraform
  quell iam analyze bucket-policy.json                   who gets in through this policy?";

/// Runs the command.
pub fn run(args: &Args, global: &Global, out: &mut Out) -> Result<Exit, CliError> {
    match &args.command {
        None => needed::run(&args.needed, global, out),
        Some(Command::Analyze(args)) => analyze::run(args, out),
    }
}
