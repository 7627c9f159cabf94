//! `quell approvals`: what waits for a person, with its exact change.

use super::acting::{self, Person, block_on};
use super::findings::short;
use super::global::Global;
use crate::exit::{CliError, Exit};
use crate::output::{Format, Out};
use crate::pipeline::Selector;
use clap::Subcommand;
use quell_core::history::{Open, Status};
use quell_core::record::{Outcome, Verdict};
use quell_core::report::shown::visible;
use std::io::Write as _;

/// `quell approvals`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  quell approvals list
  quell approvals approve 3f9a --reason 'agreed with the owner'
  quell approvals deny 3f9a --reason 'public on purpose, exemption follows'

An approval binds to the change that is shown: if the resource moves, it must be approved again.";

#[derive(Debug, Subcommand)]
enum Command {
    /// List what waits, with its change
    List(List),
    /// Make a waiting change
    Approve(Answer),
    /// Refuse a waiting change
    Deny(Answer),
}

#[derive(Debug, clap::Args)]
struct List {
    /// How to print the list
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, clap::Args)]
struct Answer {
    /// The finding's id, or its beginning
    id: String,
    #[command(flatten)]
    person: Person,
}

/// Runs `quell approvals`.
pub fn run(args: &Args, global: &Global, out: &mut Out) -> Result<Exit, CliError> {
    match &args.command {
        Command::List(args) => list(args, global, out),
        Command::Approve(args) => approve(args, global, out),
        Command::Deny(args) => deny(args, global, out),
    }
}

fn list(args: &List, global: &Global, out: &mut Out) -> Result<Exit, CliError> {
    let history = acting::history(global)?;
    let waits = |it: &&Open| it.status == Status::AwaitingApproval;
    let waiting: Vec<&Open> = history.findings().filter(waits).collect();
    for it in &waiting {
        if args.format == Format::Json {
            out.json_line(it)?;
            continue;
        }
        let finding = &it.finding;
        let resource = finding.resource.to_string();
        let (policy, resource) = (visible(&finding.policy), visible(&resource));
        writeln!(out, "{}  {policy}  {resource}", visible(short(&finding.key)))?;
        writeln!(out, "  {}", visible(&finding.reason))?;
        if let Verdict::AwaitApproval { reason, expires } = &it.verdict {
            let reason = reason.to_string();
            writeln!(out, "  {}; an approval is taken until {expires}", visible(&reason))?;
        }
        if let Some(change) = &it.change {
            crate::output::diff::write(out, change)?;
        }
    }
    if args.format == Format::Text {
        writeln!(out, "{} waiting", waiting.len())?;
    }
    Ok(Exit::Fine)
}

fn approve(args: &Answer, global: &Global, out: &mut Out) -> Result<Exit, CliError> {
    let by = args.person.by()?;
    let name = Selector(args.id.clone());
    let outcome = block_on(async {
        let runtime = acting::open(global).await?;
        let outcome = runtime.pipeline.approve(&name, &by, &args.person.reason).await;
        acting::close(&runtime).await?;
        outcome.map_err(acting::refused)
    })?;
    writeln!(out, "approved by {}: {}", visible(&by), outcome.word())?;
    Ok(exit(&outcome))
}

fn deny(args: &Answer, global: &Global, out: &mut Out) -> Result<Exit, CliError> {
    let by = args.person.by()?;
    let name = Selector(args.id.clone());
    block_on(async {
        let runtime = acting::open(global).await?;
        let denied = runtime.pipeline.deny(&name, &by, &args.person.reason).await;
        acting::close(&runtime).await?;
        denied.map_err(acting::refused)
    })?;
    writeln!(out, "denied by {}", visible(&by))?;
    Ok(Exit::Fine)
}

/// How a person's request ends the process.
pub fn exit(outcome: &Outcome) -> Exit {
    match outcome {
        Outcome::Corrected { .. } | Outcome::AlreadyCompliant | Outcome::Gone => Exit::Fine,
        Outcome::Uncorrected { .. } | Outcome::Conflict { .. } => Exit::Findings,
        Outcome::Failed { .. } => Exit::Outside,
    }
}
