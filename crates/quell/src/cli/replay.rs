//! `quell replay`: what would have been found and done over recorded CloudTrail.

use super::global::Global;
use super::modes::AskedMode;
use super::s3;
use crate::exit::{CliError, Exit};
use crate::output::Out;
use crate::replay::inputs::{Inputs, Place};
use crate::replay::judge::Judge;
use crate::replay::report::Report;
use crate::replay::s3::Bucket;
use crate::replay::{Watcher, print, replay};
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use quell_core::decide::mode::Modes;
use quell_library::aws::{Aws, AwsSettings};
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::runtime::Runtime;

/// `quell replay`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Files or folders of CloudTrail (.json, .jsonl, .ndjson, gzipped or not), `-` for standard
    /// input, or s3://BUCKET/PREFIX
    #[arg(required = true)]
    paths: Vec<String>,
    /// Decide as if every policy had this mode, whatever the configuration says
    #[arg(long, value_enum, value_name = "MODE")]
    assume_mode: Option<AskedMode>,
    /// Threads that read at once [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    #[command(flatten)]
    access: s3::Access,
    /// How to print the report
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Format {
    /// A table and the sums
    #[default]
    Text,
    /// A line per finding, then a line {"summary": …}
    Json,
    /// A row per finding
    Csv,
}

/// What a judgment may take here at least, in milliseconds: a report must not hang on how busy the
/// machine is, and the limit of instructions ends a loop anyway.
const POLICY_TIME_MIN_MS: u64 = 60_000;

const EXAMPLES: &str = "\
Examples:
  quell replay AWSLogs/
  quell replay --assume-mode enforce AWSLogs/ --format json
  quell replay s3://my-trail/AWSLogs/111122223333/CloudTrail/ --region eu-central-1
  zcat trail.json.gz | quell replay -

Nothing is changed, and nothing is read but the archive: each event is judged by what it proves
alone, and decided as of its own time, with every change that would have been made taken as made.
The decision is `indeterminate` where an unknown decides.

A field of the CSV that a spreadsheet would run as a formula, or that begins with an apostrophe, has
an apostrophe in front; take one off to have the text again. The JSON holds every text as it is.

Exit codes: 0 no findings, 1 findings, 3 something could not be read (it is in the report's errors;
the rest is reported all the same). The highest wins.";

/// Replays, and prints the report.
pub fn run(args: &Args, global: &Global, out: &mut Out) -> Result<Exit, CliError> {
    let mut config = global.acting_config()?;
    let policies = &mut config.policies;
    policies.policy_time_max_ms = policies.policy_time_max_ms.max(POLICY_TIME_MIN_MS);
    let library = Global::library(&config)?;
    let judge = Judge::new(&library, config.trust());
    let mut rails = config.guardrails.clone();
    if let Some(asked) = args.assume_mode {
        rails.modes = Modes { default: asked.into(), ..Modes::default() };
    }
    // It outlives the places: their buckets are read through it.
    let runtime = runtime(args)?;
    let places = places(args, config.aws_settings(), runtime.as_ref())?;
    let progress = Progress::new(&places);
    let threads = rayon::ThreadPoolBuilder::new()
        .num_threads(args.jobs.map_or(0, usize::from))
        .build()
        .map_err(|it| CliError::outside("cannot start threads").because(it))?;
    let report = threads.install(|| replay(Inputs::of(places), &judge, &rails, &progress));
    progress.bar.finish_and_clear();
    match args.format {
        Format::Text => print::text(&report, out)?,
        Format::Json => print::json(&report, out)?,
        Format::Csv => print_csv(&report, out)?,
    }
    Ok(exit(&report))
}

/// CSV has no place for what could not be read.
fn print_csv(report: &Report, out: &mut Out) -> io::Result<()> {
    for it in &report.summary.errors {
        anstream::eprintln!("warning: {}", print::error(it));
    }
    print::csv(report, out)
}

fn exit(report: &Report) -> Exit {
    match (report.summary.error_count, report.summary.findings) {
        (0, 0) => Exit::Fine,
        (0, _) => Exit::Findings,
        _ => Exit::Outside,
    }
}

fn runtime(args: &Args) -> Result<Option<Runtime>, CliError> {
    if !args.paths.iter().any(|it| it.starts_with(s3::SCHEME)) {
        return Ok(None);
    }
    s3::runtime().map(Some)
}

fn places(
    args: &Args,
    configured: AwsSettings,
    runtime: Option<&Runtime>,
) -> Result<Vec<Place>, CliError> {
    let settings = args.access.settings(configured);
    let aws = runtime.map(|it| it.block_on(Aws::connect(settings)));
    args.paths.iter().map(|it| place(it, aws.as_ref(), runtime)).collect()
}

fn place(path: &str, aws: Option<&Aws>, runtime: Option<&Runtime>) -> Result<Place, CliError> {
    if let (Some(rest), Some(aws), Some(runtime)) = (path.strip_prefix(s3::SCHEME), aws, runtime) {
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if name.is_empty() {
            let error = CliError::usage(format!("`{path}` names no bucket"));
            return Err(error.hint("write s3://BUCKET/PREFIX"));
        }
        let bucket = Bucket::new(name, aws, runtime.handle().clone());
        return Ok(Place::Bucket { bucket, prefix: prefix.to_owned() });
    }
    if path == "-" {
        return Ok(Place::Stdin);
    }
    let path = PathBuf::from(path);
    if !path.exists() {
        return Err(CliError::usage(format!("there is no file or folder `{}`", path.display())));
    }
    Ok(Place::Path(path))
}

/// A line on a terminal's standard error; nothing anywhere else.
struct Progress {
    bar: ProgressBar,
    files: AtomicU64,
}

impl Progress {
    fn new(places: &[Place]) -> Progress {
        let files = AtomicU64::new(0);
        if !io::stderr().is_terminal() {
            return Progress { bar: ProgressBar::hidden(), files };
        }
        let (bar, style) = match bytes_of(places) {
            Some(bytes) => (
                ProgressBar::new(bytes),
                "{bar:30} {bytes} of {total_bytes} ({bytes_per_sec}), {msg} files, {eta} left",
            ),
            None => (
                ProgressBar::new_spinner(),
                "{spinner} {bytes} ({bytes_per_sec}), {msg} files, {elapsed}",
            ),
        };
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Progress { bar, files }
    }
}

/// How much there is to read, where that can be known beforehand.
fn bytes_of(places: &[Place]) -> Option<u64> {
    if !places.iter().all(|it| matches!(it, Place::Path(_))) {
        return None;
    }
    let inputs = Inputs::of(places.to_vec());
    Some(inputs.filter_map(|it| it.ok()?.bytes()).sum())
}

impl Watcher for Progress {
    fn bytes_read(&self, bytes: usize) {
        self.bar.inc(bytes as u64);
    }

    fn input_done(&self) {
        let files = self.files.fetch_add(1, Ordering::Relaxed) + 1;
        self.bar.set_message(files.to_string());
    }
}
