//! `quell undo`: take a fix back, if nobody has moved the resource since.

use super::acting::{self, Person, block_on};
use super::approvals::exit;
use super::global::Global;
use crate::exit::{CliError, Exit};
use crate::output::{Format, Out};
use crate::pipeline::Selector;
use quell_core::record::Outcome;
use quell_core::report::shown::visible;
use serde::Serialize;
use std::io::Write as _;

/// `quell undo`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// A finding's or an attempt's id (or its beginning), or an event's id for all it led to
    id: String,
    #[command(flatten)]
    person: Person,
    /// How to print the outcome
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

const EXAMPLES: &str = "\
Examples:
  quell undo 3f9a --reason 'public on purpose'
  quell undo 7c1f3b1e-0c4b-4f0e-9d4e-1b1f0a2c3d4e --reason 'whole event, newest change first'

An undo is refused where the resource was moved since the fix. Undoing an IAM grant is off by
default (`guardrails.undo_iam_grants`). What was undone is not fixed again by itself for
`guardrails.undo_hold_s`.";

#[derive(Debug, Serialize)]
struct Line<'a> {
    attempt: &'a str,
    resource: String,
    facet: String,
    outcome: &'a Outcome,
}

/// Runs `quell undo`.
pub fn run(args: &Args, global: &Global, out: &mut Out) -> Result<Exit, CliError> {
    let by = args.person.by()?;
    let name = Selector(args.id.clone());
    let undone = block_on(async {
        let runtime = acting::open(global).await?;
        let undone = runtime.pipeline.undo(&name, &by, &args.person.reason).await;
        acting::close(&runtime).await?;
        undone.map_err(acting::refused)
    })?;
    let mut worst = Exit::Fine;
    for (attempt, outcome) in &undone {
        worst = worst.max(exit(outcome));
        let change = &attempt.change;
        if args.format == Format::Json {
            out.json_line(&Line {
                attempt: &attempt.id,
                resource: change.resource.to_string(),
                facet: change.facet.to_string(),
                outcome,
            })?;
            continue;
        }
        let word = match outcome {
            Outcome::Corrected { .. } => "undone and verified",
            other => other.word(),
        };
        let what = format!("{} {}", change.resource, change.facet);
        writeln!(out, "{}: {word}", visible(&what))?;
        if let Outcome::Failed { error } = outcome {
            writeln!(out, "  {}", visible(error))?;
        }
        crate::output::diff::write(out, &change.inverse())?;
    }
    Ok(worst)
}
