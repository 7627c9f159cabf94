//! `quell gate`: judges infrastructure code before it is deployed.

use super::files;
use super::global::Global;
use crate::clock::{Clock as _, SystemClock};
use crate::exit::{CliError, Exit};
use crate::gate::baseline;
use crate::gate::inputs::{self, Context};
use crate::gate::judge::{Entry, Judge, Verdict};
use crate::gate::report::{self, Report};
use crate::output::Out;
use clap::ValueEnum;
use quell_core::policy::Severity;
use std::fs;

/// `quell gate`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Plans (the output of `terraform show -json PLAN`), folders of them, or `-` for standard
    /// input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<String>,
    /// Judge also what deploying does not change
    #[arg(long)]
    all: bool,
    /// What it means where a verdict hangs on a value that is not known before deployment
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    unknown: OnUnknown,
    /// The least severity that fails
    #[arg(long, value_enum, default_value_t, value_name = "SEVERITY")]
    fail_on: AskedSeverity,
    /// Fail only for what is not in this file
    #[arg(long, value_name = "FILE")]
    baseline: Option<String>,
    /// Write what there is now to this file, and do not fail for it
    #[arg(long, value_name = "FILE", conflicts_with = "baseline")]
    write_baseline: Option<String>,
    /// The account that is deployed to, where the code does not tell
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// The region that is deployed to, where the code does not tell
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// How to print the report
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How the report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Format {
    /// For people
    #[default]
    Text,
    /// One JSON document
    Json,
    /// SARIF 2.1.0
    Sarif,
    /// JUnit's XML
    Junit,
    /// Annotations of GitHub Actions
    Github,
    /// GitLab's code quality report
    Gitlab,
}

/// What an unknown means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum OnUnknown {
    /// It is reported
    #[default]
    Warn,
    /// It fails, as a violation of its policy's severity would
    Fail,
}

/// A severity, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum AskedSeverity {
    /// Everything
    Informational,
    /// Not by itself a way in, or without effect at the moment
    Low,
    /// A weakness that needs another one to hurt
    #[default]
    Medium,
    /// Data or control is exposed
    High,
    /// Data or control is exposed to everyone, or the audit trail is blind
    Critical,
}

impl From<AskedSeverity> for Severity {
    fn from(asked: AskedSeverity) -> Severity {
        match asked {
            AskedSeverity::Informational => Severity::Informational,
            AskedSeverity::Low => Severity::Low,
            AskedSeverity::Medium => Severity::Medium,
            AskedSeverity::High => Severity::High,
            AskedSeverity::Critical => Severity::Critical,
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  terraform show -json plan.out | quell gate -
  quell gate plan.json --fail-on high --unknown fail
  quell gate plan.json --policies 'aws.s3.*' --format json
  quell gate plan.json --write-baseline known.json
  quell gate plan.json --baseline known.json

Nothing is called and nothing is changed. The same policies judge as at run time, with the same
parameters and exemptions. Only what deploying creates or changes is judged, and what it takes a
protection from; --all judges the rest, too.

Exit codes: 0 nothing fails, 1 violations, 2 a file is faulty or is no infrastructure code, 3 a
policy could not be evaluated, or a file could not be read. The highest wins.";

/// Judges, and prints the report.
pub fn run(args: &Args, global: &Global, out: &mut Out) -> Result<Exit, CliError> {
    let config = global.acting_config()?;
    let library = Global::library(&config)?;
    let mut accounts = config.aws.accounts.keys();
    let only = accounts.next().filter(|_| accounts.next().is_none());
    let context = Context {
        account: args.account.clone().or_else(|| only.cloned()),
        region: args.region.clone(),
    };
    let inputs = inputs::load(&args.paths, &context)?;
    let now = SystemClock.now();
    let (trust, guardrails) = (config.trust(), &config.guardrails);
    let judge = Judge { library: &library, trust: &trust, guardrails, all: args.all, now };
    let mut judged = judge.judge(&inputs);
    if let Some(path) = &args.baseline {
        baseline::apply(&mut judged, &files::text(path)?)
            .map_err(|it| CliError::usage(format!("`{path}` is no baseline")).because(it))?;
    }
    if let Some(path) = &args.write_baseline {
        fs::write(path, baseline::write(&judged))
            .map_err(|it| CliError::outside(format!("cannot write `{path}`")).because(it))?;
    }
    let report = report::of(judged, now);
    match args.format {
        Format::Text => report::text(&report, out)?,
        Format::Json => out.json(&report)?,
        _ => return Err(CliError::usage("this format cannot be written yet")),
    }
    Ok(exit(args, &report))
}

fn exit(args: &Args, report: &Report) -> Exit {
    let it = report.summary;
    if 0 < it.errors {
        return Exit::Outside;
    }
    let least = Severity::from(args.fail_on);
    let fails = |it: &Entry| match it.verdict {
        Verdict::Violation => least <= it.severity,
        Verdict::Unknown => args.unknown == OnUnknown::Fail && least <= it.severity,
        _ => false,
    };
    let writes = args.write_baseline.is_some();
    if !writes && report.entries.iter().any(fails) { Exit::Findings } else { Exit::Fine }
}
