//! `quell findings`: what was found and where it stands; look again at what was held back; hand a
//! fix over to the code.

mod handoff;

use super::acting::{self, block_on};
use super::global::Global;
use crate::exit::{CliError, Exit};
use crate::output::table::{self, cell, severity_cell, word};
use crate::output::{Format, Out};
use crate::pipeline::{RetryFilter, RetryReport};
use crate::runtime::Runtime;
use clap::Subcommand;
use quell_core::history::{History, Open, Status};
use quell_core::record::Attempt;
use quell_core::report::shown::visible;
use serde::Serialize;
use std::io::Write as _;

/// `quell findings`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  quell findings list                              what stands open
  quell findings list --all --format json          everything, for machines
  quell findings show 3f9a                         one finding, by the beginning of its id
  quell findings retry                             look again at what a guardrail held back
  quell findings retry --fleet-changes-max 500     and allow that many changes for it
  quell findings handoff --terraform-state FILE    where it is declared, so that a fix stays";

#[derive(Debug, Subcommand)]
enum Command {
    /// List findings
    List(List),
    /// Show one finding with its changes
    Show(Show),
    /// Re-read and re-decide what was withheld, failed, could not be judged or was not answered
    Retry(Retry),
    /// Name the declarations behind findings, and the patches that keep their fixes
    Handoff(handoff::Args),
}

#[derive(Debug, clap::Args)]
struct List {
    /// Those that are settled too
    #[arg(long)]
    all: bool,
    /// How to print the list
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, clap::Args)]
struct Show {
    /// The finding's id, or its beginning
    id: String,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, clap::Args)]
struct Retry {
    /// Finding ids or their beginnings; none means all
    ids: Vec<String>,
    /// Raise the fleet-wide cap for this run
    #[arg(long, value_name = "N")]
    fleet_changes_max: Option<usize>,
    /// How to print the outcome
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// A finding with its attempts, as `--format json` prints it.
#[derive(Debug, Serialize)]
struct Told<'a> {
    finding: &'a Open,
    attempts: Vec<&'a Attempt>,
}

/// Runs `quell findings`.
pub fn run(args: &Args, global: &Global, out: &mut Out) -> Result<Exit, CliError> {
    match &args.command {
        Command::List(args) => list(args, &acting::history(global)?, out),
        Command::Show(args) => show(args, &acting::history(global)?, out),
        Command::Retry(args) => retry(args, global, out),
        Command::Handoff(args) => handoff::run(args, global, &acting::history(global)?, out),
    }
}

fn list(args: &List, history: &History, out: &mut Out) -> Result<Exit, CliError> {
    let wanted = |it: &&Open| args.all || it.status.is_open();
    let mut findings: Vec<&Open> = history.findings().filter(wanted).collect();
    findings.sort_by(|left, right| {
        right.finding.severity.cmp(&left.finding.severity).then(left.updated.cmp(&right.updated))
    });
    if args.format == Format::Json {
        for it in findings {
            out.json_line(it)?;
        }
        return Ok(Exit::Fine);
    }
    let mut rows = table::table(&["ID", "SEVERITY", "STATUS", "POLICY", "RESOURCE", "WHY"]);
    for it in &findings {
        rows.add_row([
            cell(short(&it.finding.key)),
            severity_cell(it.finding.severity),
            cell(word(&it.status)),
            cell(&it.finding.policy),
            cell(&it.finding.resource.id),
            cell(why(it)),
        ]);
    }
    table::write(out, &mut rows)?;
    writeln!(out, "{} {}", findings.len(), if args.all { "findings" } else { "open findings" })?;
    Ok(Exit::Fine)
}

/// The verdict's reason where it still holds, else the finding's own.
fn why(open: &Open) -> String {
    let verdict = open.verdict.why();
    match open.status {
        Status::Corrected | Status::Resolved | Status::Undone => open.finding.reason.clone(),
        _ if verdict.is_empty() => open.finding.reason.clone(),
        _ => verdict,
    }
}

fn show(args: &Show, history: &History, out: &mut Out) -> Result<Exit, CliError> {
    let open = one(history, &args.id)?;
    let attempts: Vec<&Attempt> =
        open.attempts.iter().filter_map(|it| history.attempt(it)).collect();
    if args.format == Format::Json {
        out.json(&Told { finding: open, attempts })?;
        return Ok(Exit::Fine);
    }
    let finding = &open.finding;
    writeln!(out, "finding    {}", finding.key)?;
    writeln!(out, "policy     {} ({})", visible(&finding.policy), word(&finding.severity))?;
    writeln!(out, "resource   {}", visible(&finding.resource.to_string()))?;
    writeln!(out, "element    {}", visible(&finding.element))?;
    writeln!(out, "reason     {}", visible(&finding.reason))?;
    writeln!(out, "status     {} since {}", word(&open.status), open.updated)?;
    writeln!(out, "decision   {} {}", open.verdict.word(), visible(&open.verdict.why()))?;
    writeln!(out, "seen       {} times, first at {}", open.occurrences, open.first_seen)?;
    for it in attempts {
        let outcome = history.outcome(&it.id).map_or("not concluded", |it| it.word());
        let what = format!("{} {} {}", it.id, it.change.action, it.change.facet);
        writeln!(out, "attempt    {}: {outcome}", visible(&what))?;
    }
    if let Some(change) = &open.change {
        crate::output::diff::write(out, change)?;
    }
    Ok(Exit::Fine)
}

fn one<'a>(history: &'a History, id: &str) -> Result<&'a Open, CliError> {
    let fits = |it: &&Open| it.finding.key.starts_with(id) || it.finding.uid.starts_with(id);
    let found: Vec<&Open> = history.findings().filter(fits).collect();
    match found.as_slice() {
        [one] => Ok(one),
        [] => Err(unknown(id)),
        many => Err(CliError::usage(format!("`{id}` fits {} findings", many.len()))
            .hint("give more of its beginning")),
    }
}

fn retry(args: &Retry, global: &Global, out: &mut Out) -> Result<Exit, CliError> {
    let report = block_on(async {
        let mut config = global.acting_config()?;
        if let Some(cap) = args.fleet_changes_max {
            config.guardrails.fleet_changes_max = cap;
            config.guardrails.override_breaker = true;
        }
        let runtime = acting::open_with(config, global).await?;
        let retried = look_again(args, &runtime).await;
        acting::close(&runtime).await?;
        retried
    })?;
    match args.format {
        Format::Json => out.json_line(&report)?,
        Format::Text => writeln!(
            out,
            "{} looked at again: {} settled, {} still open, {} could not be looked at",
            report.looked_at, report.settled, report.open, report.failed
        )?,
    }
    Ok(match (report.failed, report.open) {
        (0, 0) => Exit::Fine,
        (0, _) => Exit::Findings,
        _ => Exit::Outside,
    })
}

async fn look_again(args: &Retry, runtime: &Runtime) -> Result<RetryReport, CliError> {
    let pipeline = &runtime.pipeline;
    for id in &args.ids {
        let history = pipeline.journal.history();
        if !history.findings().any(|it| it.finding.key.starts_with(id)) {
            return Err(unknown(id));
        }
    }
    let failed = |it| CliError::outside("the ledger failed").because(it);
    // A person's command: an undo that a stop cut off is concluded, too.
    let resumed = pipeline.resume_with_undos().await.map_err(failed)?;
    let filter = RetryFilter { keys: args.ids.clone(), policies: Vec::new() };
    let mut report = pipeline.retry(&filter).await.map_err(failed)?;
    report.failed += resumed.failed;
    Ok(report)
}

fn unknown(id: &str) -> CliError {
    CliError::usage(format!("there is no finding `{id}`"))
        .hint("`quell findings list --all` shows the ids")
}

/// Enough of an id to name it by.
pub fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}
