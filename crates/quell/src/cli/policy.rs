//! `quell policy`: what is watched, how it is judged, and how to write more of it.

pub mod lint;
pub mod list;
pub mod new;
pub mod show;
pub mod test;

use super::global::Global;
use crate::exit::{CliError, Exit};
use crate::output::Out;
use clap::Subcommand;

/// `quell policy`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the policies
    List(list::Args),
    /// Show one policy whole
    Show(show::Args),
    /// Tell the stories of policies' cases, and compare them with those on disk
    Test(test::Args),
    /// Check policy folders for everything that is wrong with them
    Lint(lint::Args),
    /// Make the folder of a new policy
    New(new::Args),
}

const EXAMPLES: &str = "\
Examples:
  quell policy list
  quell policy show aws.s3.bucket_public_block
  quell policy new acme.s3.owner_tag --resource AWS::S3::Bucket --dir policies
  quell policy lint policies
  quell policy test policies";

/// Runs the command.
pub fn run(args: &Args, global: &Global, out: &mut Out) -> Result<Exit, CliError> {
    match &args.command {
        Command::List(args) => list::run(args, global, out),
        Command::Show(args) => show::run(args, global, out),
        Command::Test(args) => test::run(args, global, out),
        Command::Lint(args) => lint::run(args, global, out),
        Command::New(args) => new::run(args, global, out),
    }
}
