//! `quell scan`: every resource of the watched accounts and regions, looked at without an event.

use super::acting::{block_on, close, open};
use super::findings::short;
use super::global::Global;
use crate::exit::{CliError, Exit};
use crate::output::table::{self, cell, severity_cell, word};
use crate::output::{Format, Out, count};
use crate::runtime::Runtime;
use crate::scan::{self, ScanReport, Step, What};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::SignedDuration;
use quell_core::report::shown::visible;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

/// `quell scan`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// An account to scan, of those that are configured; repeatable [default: all of them]
    #[arg(long = "account", value_name = "ID")]
    accounts: Vec<String>,
    /// A region to scan, of `aws.regions` or the home of global services; repeatable [default: all
    /// of them]
    #[arg(long = "region", value_name = "REGION")]
    regions: Vec<String>,
    /// Begin no further resource after this time, in seconds
    #[arg(long, value_name = "S")]
    time_max_s: Option<u32>,
    /// How to print the report
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

const EXAMPLES: &str = "\
Examples:
  quell scan --config quell.yaml                   everything that the enabled policies judge
  quell scan --config quell.yaml --policies 'aws.s3.*' --region eu-central-1
  quell scan --config quell.yaml --time-max-s 600 --format json

Each resource takes the path of an event: the modes and guardrails decide what is fixed. Findings
whose resource is compliant or gone are closed.

Exit codes: 0 nothing violates, 1 violations (fixed by now or not), 3 something could not be seen,
or the time was over. The highest wins.";

/// Scans, and prints the report.
pub fn run(args: &Args, global: &Global, out: &mut Out) -> Result<Exit, CliError> {
    let report = block_on(async {
        let runtime = open(global).await?;
        let scanned = scanned(args, &runtime).await;
        close(&runtime).await?;
        scanned
    })?;
    match args.format {
        Format::Json => out.json(&report)?,
        Format::Text => text(&report, out)?,
    }
    Ok(exit(&report))
}

async fn scanned(args: &Args, runtime: &Runtime) -> Result<ScanReport, CliError> {
    let pipeline = &runtime.pipeline;
    let limit = |s: u32| pipeline.clock.now().checked_add(SignedDuration::from_secs(s.into())).ok();
    let what = What {
        accounts: args.accounts.clone(),
        regions: args.regions.clone(),
        until: args.time_max_s.and_then(limit),
    };
    if scan::places(pipeline, &what).is_empty() {
        return Err(CliError::usage("there is no account and region to scan")
            .hint("list accounts under `aws.accounts` and regions under `aws.regions`"));
    }
    let failed = |it| CliError::outside("the ledger failed").because(it);
    pipeline.resume().await.map_err(failed)?;
    let bar = progress();
    let report = scan::scan(pipeline, &what, &|step, so_far| tell(&bar, step, so_far)).await;
    bar.finish_and_clear();
    report.map_err(failed)
}

/// A line on a terminal's standard error; nothing anywhere else.
fn progress() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}, {elapsed}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn tell(bar: &ProgressBar, step: &Step, so_far: &ScanReport) {
    let resources = count(so_far.resources, "resource", "resources");
    let violations = count(so_far.violations, "violation", "violations");
    let (place, kind) = (&step.place, &step.kind);
    bar.set_message(format!(
        "{} {} {kind} ({resources}, {violations} so far)",
        place.account, place.region
    ));
}

fn text(report: &ScanReport, out: &mut Out) -> io::Result<()> {
    if !report.found.is_empty() {
        let mut rows = table::table(&["ID", "SEVERITY", "STATUS", "POLICY", "RESOURCE", "WHY"]);
        for it in &report.found {
            rows.add_row([
                cell(short(&it.key)),
                severity_cell(it.severity),
                cell(word(&it.status)),
                cell(&it.policy),
                cell(&it.resource.id),
                cell(&it.reason),
            ]);
        }
        table::write(out, &mut rows)?;
        writeln!(out)?;
    }
    for it in &report.failed {
        let (place, kind) = (&it.step.place, &it.step.kind);
        let resource = it.resource.as_deref().unwrap_or("could not be listed");
        let what = format!("{} {} {kind} {resource}: {}", place.account, place.region, it.error);
        writeln!(out, "error: {}", visible(&what))?;
    }
    if let Some(it) = &report.stopped {
        let (place, kind) = (&it.step.place, &it.step.kind);
        let before = it.before.as_deref().unwrap_or("all");
        let what = format!("{} {} {kind}, before {before}", place.account, place.region);
        writeln!(out, "stopped at {}", visible(&what))?;
    }
    writeln!(
        out,
        "{}: {}, {} corrected, {} resolved, {}",
        count(report.resources, "resource", "resources"),
        count(report.violations, "violation", "violations"),
        report.corrected,
        report.resolved,
        count(report.errors, "error", "errors")
    )
}

fn exit(report: &ScanReport) -> Exit {
    match (report.errors, report.violations) {
        _ if report.stopped.is_some() => Exit::Outside,
        (0, 0) => Exit::Fine,
        (0, _) => Exit::Findings,
        _ => Exit::Outside,
    }
}
