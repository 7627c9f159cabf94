//! The command line: one module per command, one way in and one way out.
//!
//! A command is a module with an `Args` and a `run`; [`Command`] lists them. `run` writes to the
//! given [`Out`], never to `stdout` itself, and returns how the process ends ([`Exit`]) or a
//! [`CliError`] that says what to do next. A command that needs policies takes them from
//! [`Global`], so that every command sees the same ones.
//!
//! Deliberately not here: what the commands do. They read their arguments, call the room that does
//! it, and print.

pub mod acting;
pub mod approvals;
pub mod audit;
pub mod completions;
pub mod demo;
pub mod deploy;
pub mod docs;
pub mod doctor;
pub mod exempt;
pub mod files;
pub mod findings;
pub mod gate;
pub mod global;
pub mod iam;
pub mod modes;
pub mod pattern;
pub mod policy;
pub mod replay;
pub mod run;
pub mod s3;
pub mod scan;
pub mod undo;

use crate::exit::{CliError, Exit};
use crate::output::Out;
use clap::{CommandFactory as _, Parser, Subcommand};
use global::Global;
use quell_core::report::shown::lines;
use std::io::{self, Write as _};
use std::panic;
use std::process::ExitCode;

/// Event-driven security automation for the cloud
#[derive(Debug, Parser)]
#[command(
    name = "quell",
    version,
    max_term_width = 100,
    disable_help_subcommand = true,
    after_help = EXAMPLES
)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  quell policy list                                what is watched, and how it is fixed
  quell gate plan.json                             what a Terraform plan would violate
  quell replay AWSLogs/                            what would have been found and done
  quell pattern test pattern.json event.json       does this event match, and if not, why
  quell iam                                        the exact permissions that Quell needs

Exit codes: 0 fine, 1 findings or failed check, 2 usage or configuration, 3 outside failure, 4 bug.
Every command has examples of its own: `quell COMMAND --help`.";

/// The commands, in the order in which a newcomer meets them.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch Quell at work in a simulated account: nothing to install, nothing at risk
    Demo(demo::Args),
    /// Watch events, judge them, and do what the modes allow
    Run(run::Args),
    /// Judge every resource that is there now, and do what the modes allow
    Scan(scan::Args),
    /// Judge infrastructure code before it is deployed
    Gate(gate::Args),
    /// List findings, show one, look again at what was held back
    Findings(findings::Args),
    /// List, approve or deny changes that wait for a person
    Approvals(approvals::Args),
    /// Take a fix back
    Undo(undo::Args),
    /// Add, list or withdraw deliberate exceptions
    Exempt(exempt::Args),
    /// Verify, show or export the ledger
    Audit(audit::Args),
    /// List, show, test, check and scaffold policies
    Policy(policy::Args),
    /// Tell what would have been found and done over recorded CloudTrail
    Replay(replay::Args),
    /// Try event patterns in EventBridge's language
    Pattern(pattern::Args),
    /// Print the permissions that Quell needs, or analyze what an IAM policy allows
    Iam(iam::Args),
    /// Render what a deployment has that depends on the policies
    Deploy(deploy::Args),
    /// Check configuration, ledger, credentials and roles
    Doctor(doctor::Args),
    /// Print completions for a shell
    Completions(completions::Args),
    /// Print a generated reference page
    #[command(hide = true)]
    Docs(docs::Args),
}

/// Runs the process: reads the command line, runs the command, reports how it ended.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return told_by_clap(&error),
    };
    cli.global.start_log();
    // A bug is told apart from everything else that can fail; its message is already printed.
    let ended = panic::catch_unwind(|| run(&cli));
    match ended {
        Ok(Ok(exit)) => exit.into(),
        Ok(Err(error)) if error.is_broken_pipe() => Exit::Fine.into(),
        Ok(Err(error)) => {
            complain(&cli.global, &error.report());
            error.exit().into()
        }
        Err(_) => {
            complain(&cli.global, "error: this is a bug in Quell: please report what is above");
            Exit::Bug.into()
        }
    }
}

/// The whole command line as clap sees it, for completions and the reference.
pub fn command() -> clap::Command {
    Cli::command()
}

fn run(cli: &Cli) -> Result<Exit, CliError> {
    let global = &cli.global;
    let mut out = Out::stdout(global.color);
    let exit = match &cli.command {
        Command::Demo(args) => demo::run(args, global, &mut out),
        Command::Run(args) => run::run(args, global, &mut out),
        Command::Scan(args) => scan::run(args, global, &mut out),
        Command::Gate(args) => gate::run(args, global, &mut out),
        Command::Findings(args) => findings::run(args, global, &mut out),
        Command::Approvals(args) => approvals::run(args, global, &mut out),
        Command::Undo(args) => undo::run(args, global, &mut out),
        Command::Exempt(args) => exempt::run(args, global, &mut out),
        Command::Audit(args) => audit::run(args, global, &mut out),
        Command::Policy(args) => policy::run(args, global, &mut out),
        Command::Replay(args) => replay::run(args, global, &mut out),
        Command::Pattern(args) => pattern::run(args, global, &mut out),
        Command::Iam(args) => iam::run(args, global, &mut out),
        Command::Deploy(args) => deploy::run(args, global, &mut out),
        Command::Doctor(args) => doctor::run(args, global, &mut out),
        Command::Completions(args) => completions::run(args, global, &mut out),
        Command::Docs(args) => docs::run(args, global, &mut out),
    }?;
    out.flush()?;
    Ok(exit)
}

/// Help and version are no errors; everything else that clap says is one of usage.
fn told_by_clap(error: &clap::Error) -> ExitCode {
    let exit = if error.use_stderr() { Exit::Usage } else { Exit::Fine };
    // Nobody is left to tell that the message could not be printed.
    let _ = error.print();
    exit.into()
}

/// An error on standard error. It tells of files and names that others chose.
fn complain(global: &Global, message: &str) {
    let mut stderr = anstream::AutoStream::new(io::stderr(), global.color.into());
    let (red, plain) = (anstyle::AnsiColor::Red.on_default().bold(), anstyle::Reset);
    let message = lines(message);
    let message = match message.strip_prefix("error:") {
        Some(rest) => format!("{red}error:{plain}{rest}"),
        None => message.into_owned(),
    };
    let _ = writeln!(stderr, "{message}");
}
