//! `quell scan`: every resource of the watched accounts and regions, looked at without an event.

use super::acting::{block_on, close, open};
use super::findings::short;
use super::gate::{AskedSeverity, Format};
use super::global::Global;
use super::run::stop_signal;
use crate::exit::{CliError, Exit};
use crate::output::table::{self, cell, severity_cell, word};
use crate::output::{Out, count};
use crate::pipeline::Pipeline;
use crate::runtime::Runtime;
use crate::scan::report::ScanReport;
use crate::scan::{self, Step, What, told};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::{SignedDuration, Timestamp};
use quell_core::policy::Severity;
use quell_core::report::shown::visible;
use quell_core::report::{Report, github, gitlab, json, junit, sarif};
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::Ordering;
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
    /// Tell, and fail for, only violations that did not stand open before: a time such as
    /// 2026-11-23T08:00:00Z, or a duration before now such as 24h
    #[arg(long, value_name = "WHEN", value_parser = since)]
    since: Option<Since>,
    /// Go on where the last scan of the same things stopped, at most a day ago
    #[arg(long)]
    resume: bool,
    /// The least severity of a violation that fails
    #[arg(
        long,
        value_enum,
        default_value_t = AskedSeverity::Informational,
        value_name = "SEVERITY"
    )]
    fail_on: AskedSeverity,
    /// How to print the report
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Since when violations are told.
#[derive(Debug, Clone, Copy)]
enum Since {
    At(Timestamp),
    Ago(SignedDuration),
}

const EXAMPLES: &str = "\
Examples:
  quell scan --config quell.yaml                   everything that the enabled policies judge
  quell scan --config quell.yaml --policies 'aws.s3.*' --region eu-central-1
  quell scan --config quell.yaml --time-max-s 600 --format json
  quell scan --config quell.yaml --resume          go on where that one stopped
  quell scan --config quell.yaml --fail-on high --format junit > scan.xml
  quell scan --config quell.yaml --since 24h       only what is new since yesterday

Each resource takes the path of an event: the modes and guardrails decide what is fixed. Findings
whose resource is compliant or gone are closed. On SIGTERM or Ctrl-C it begins nothing new, ends
what is under way, and reports.

Exit codes: 0 nothing violates, 1 violations (fixed by now or not, exempt ones aside), 2 the
configuration is faulty, 3 something could not be seen or judged, or the scan stopped. The highest
wins.";

/// Scans, and prints the report.
pub fn run(args: &Args, global: &Global, out: &mut Out) -> Result<Exit, CliError> {
    let (scanned, report) = block_on(async {
        let runtime = open(global).await?;
        let scanned = scanned(args, &runtime).await;
        let told = scanned.map(|it| (told::report(&runtime.pipeline, &it), it));
        close(&runtime).await?;
        told.map(|(report, scanned)| (scanned, report))
    })?;
    print(args.format, &scanned, &report, out)?;
    Ok(exit(&scanned, args.fail_on.into()))
}

async fn scanned(args: &Args, runtime: &Runtime) -> Result<ScanReport, CliError> {
    let pipeline = &runtime.pipeline;
    let now = pipeline.clock.now();
    let limit = |s: u32| now.checked_add(SignedDuration::from_secs(s.into())).ok();
    let what = What {
        accounts: args.accounts.clone(),
        regions: args.regions.clone(),
        until: args.time_max_s.and_then(limit),
        since: args.since.map(|it| match it {
            Since::At(time) => time,
            Since::Ago(duration) => now.checked_sub(duration).unwrap_or(Timestamp::MIN),
        }),
        resume: args.resume,
        ..What::within(&runtime.config.limits)
    };
    if scan::places(pipeline, &what).is_empty() {
        return Err(CliError::usage("there is no account and region to scan").hint(
            "list accounts under `aws.accounts`, or name the `aws.organization` that they are \
                 of, and regions under `aws.regions`",
        ));
    }
    pipeline.resume().await.map_err(ledger_failed)?;
    let bar = progress();
    let report = until_stopped(pipeline, &what, &bar).await;
    bar.finish_and_clear();
    report.map(|it| ScanReport { left_out: runtime.left_out.clone(), ..it })
}

/// Scans to the end, or until a signal asks to stop.
async fn until_stopped(
    pipeline: &Pipeline,
    what: &What,
    bar: &ProgressBar,
) -> Result<ScanReport, CliError> {
    let tell = |step: &Step, so_far: &ScanReport| tell(bar, step, so_far);
    let scanning = scan::scan(pipeline, what, &tell);
    tokio::pin!(scanning);
    tokio::select! {
        report = &mut scanning => return report.map_err(ledger_failed),
        () = stop_signal() => {}
    }
    tracing::warn!("stopping: nothing new is begun");
    what.stop.store(true, Ordering::Relaxed);
    tokio::select! {
        report = &mut scanning => report.map_err(ledger_failed),
        // Who asks twice does not want to wait.
        () = stop_signal() => Err(CliError::outside("the scan was cut off")
            .hint("`quell scan --resume` goes on from there; what was under way is concluded")),
    }
}

fn ledger_failed(error: crate::journal::JournalError) -> CliError {
    CliError::outside("the ledger failed").because(error)
}

/// A line on a terminal's standard error; nothing anywhere else.
fn progress() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    let template = "{spinner} {pos}/{len} {wide_msg} {elapsed}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn tell(bar: &ProgressBar, step: &Step, so_far: &ScanReport) {
    let resources = count(so_far.resources, "resource", "resources");
    let violations = count(so_far.violations, "violation", "violations");
    let (place, kind) = (&step.place, &step.kind);
    bar.set_length(so_far.steps_in_all as u64);
    bar.set_position(so_far.steps as u64);
    bar.set_message(format!(
        "{} {} {kind} ({resources}, {violations} so far)",
        place.account, place.region
    ));
}

fn print(
    format: Format,
    scanned: &ScanReport,
    report: &Report,
    out: &mut Out,
) -> Result<(), CliError> {
    let written = match format {
        Format::Text => return Ok(text(scanned, out)?),
        Format::Json => {
            let mut document = json::document(report);
            if let Some(fields) = document.as_object_mut() {
                fields.insert("scan".to_owned(), serde_json::json!(scanned));
            }
            return Ok(out.json(&document)?);
        }
        Format::Sarif => sarif::write(report),
        Format::Junit => junit::write(report),
        Format::Github => github::write(report),
        Format::Gitlab => gitlab::write(report),
    };
    Ok(out.data()?.write_all(written.as_bytes())?)
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
    for it in &report.left_out {
        writeln!(out, "not looked at: {}", visible(it))?;
    }
    if let Some(why) = &report.begun_anew {
        writeln!(out, "began anew: {}", visible(why))?;
    }
    if let Some(mark) = &report.resumed_after {
        let (place, resource) = (&mark.step.place, &mark.resource);
        let what = format!("{} {} {} {resource}", place.account, place.region, mark.step.kind);
        writeln!(out, "went on after {}", visible(&what))?;
    }
    for it in &report.failed {
        writeln!(out, "error: {}", visible(&told::failed(it)))?;
    }
    if let Some(it) = &report.stopped {
        writeln!(out, "{}; --resume goes on from there", visible(&told::stopped(it)))?;
    }
    let known = match report.known {
        0 => String::new(),
        known => format!(" ({known} known before)"),
    };
    writeln!(
        out,
        "{}: {}{known}, {} corrected, {} resolved, {}",
        count(report.resources, "resource", "resources"),
        count(report.violations, "violation", "violations"),
        report.corrected,
        report.resolved,
        count(report.errors, "error", "errors")
    )
}

fn exit(report: &ScanReport, fail_on: Severity) -> Exit {
    let fails = report.worst.is_some_and(|worst| fail_on <= worst);
    match (report.stopped.is_some() || 0 < report.errors, fails) {
        (true, _) => Exit::Outside,
        (false, true) => Exit::Findings,
        (false, false) => Exit::Fine,
    }
}

/// A time, or a duration before now.
fn since(text: &str) -> Result<Since, String> {
    if let Ok(time) = text.parse() {
        return Ok(Since::At(time));
    }
    let ago = text.parse().ok().filter(|it: &SignedDuration| !it.is_negative());
    ago.map(Since::Ago).ok_or_else(|| {
        "write a time with its zone (2026-11-23T08:00:00Z), or hours, minutes or seconds (24h)"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_time_or_a_duration() {
        assert!(matches!(since("2026-11-23T08:00:00Z"), Ok(Since::At(_))));
        let ago = |text: &str| match since(text) {
            Ok(Since::Ago(duration)) => duration,
            other => panic!("{other:?}"),
        };
        assert_eq!(ago("24h"), SignedDuration::from_hours(24));
        assert_eq!(ago("1h 30m"), SignedDuration::from_mins(90));
        for wrong in ["", "yesterday", "-24h", "2026-11-23", "24"] {
            assert!(since(wrong).is_err(), "{wrong}");
        }
    }
}
