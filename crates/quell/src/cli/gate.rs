//! `quell gate`: judges infrastructure code before it is deployed.

use super::files;
use super::global::Global;
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::exit::{CliError, Exit};
use crate::gate::inputs::{self, Context, Input};
use crate::gate::judge::{Judge, settle};
use crate::gate::{fixes, ignores, rego};
use crate::output::Out;
use clap::ValueEnum;
use quell_core::plan::Place;
use quell_core::policy::Severity;
use quell_core::report::{
    Entry, Level, Problem, Report, Verdict, baseline, github, gitlab, json, junit, sarif, text,
};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;

/// `quell gate`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Plans (`terraform show -json PLAN`), Terraform's source, templates of CloudFormation, or
    /// folders of these; `-` for standard input
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
    /// A template's parameter, repeatable [default: the template's defaults]
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = pair)]
    parameters: Vec<(String, String)>,
    /// A variable of Terraform's source, repeatable [default: its files and defaults]
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = pair)]
    variables: Vec<(String, String)>,
    /// A file of variables of Terraform's source, repeatable
    #[arg(long = "var-file", value_name = "FILE")]
    variable_files: Vec<String>,
    /// The folder that Terraform's source may be read from [default: each folder that is named]
    #[arg(long, value_name = "DIR")]
    root: Option<String>,
    /// Judge the documents also by conftest's packages in this folder
    #[arg(long, value_name = "DIR")]
    rego: Option<String>,
    /// Tell also what an exemption, an ignore or the baseline covers
    #[arg(long)]
    excused: bool,
    /// Tell also how to change the source, as a patch, where that is mechanical; else why it is not
    #[arg(long)]
    diff: bool,
    /// How to print the report
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How the report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum Format {
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
pub(super) enum AskedSeverity {
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
  quell gate infra/ --var-file prod.tfvars       Terraform's source, without a plan
  quell gate template.yaml cdk.out/              CloudFormation, SAM and the CDK
  quell gate plan.json --fail-on high --unknown fail
  quell gate plan.json --policies 'aws.s3.*' --format json
  quell gate plan.json --write-baseline known.json
  quell gate plan.json --baseline known.json
  quell gate plan.json --rego policy/            also by existing packages of conftest
  quell gate infra/ --diff                       with the fix, where it is mechanical

Nothing is called and nothing is changed. The same policies judge as at run time, with the same
parameters and exemptions. Only what deploying creates or changes is judged, and what it takes a
protection from; --all judges the rest, too.

Exit codes: 0 nothing fails, 1 violations, 2 a file is faulty or is no infrastructure code, 3 a
policy could not be evaluated, or a file could not be read. The highest wins.";

/// Judges, and prints the report.
pub fn run(args: &Args, global: &Global, out: &mut Out) -> Result<Exit, CliError> {
    let config = global.acting_config()?;
    let library = Global::library(&config)?;
    let bundle = args.rego.as_deref().map(rego::load).transpose()?;
    let inputs = inputs::load(&args.paths, &context(args, &config))?;
    let now = SystemClock.now();
    let (trust, guardrails) = (config.trust(), &config.guardrails);
    let judge = Judge { library: &library, trust: &trust, guardrails, all: args.all, now };
    let (mut report, beyond) = judge.judge_with_beyond(&inputs);
    report.entries.extend(beyond);
    if let Some(bundle) = &bundle {
        rego::judge(bundle, &inputs, &mut report)?;
    }
    ignores::apply(&inputs, &mut report, now);
    settle(&mut report);
    if let Some(path) = &args.baseline {
        apply_baseline(path, &mut report)?;
    }
    if args.diff {
        fixes::tell(&judge, &inputs, &mut report);
    }
    if let Some(path) = &args.write_baseline {
        fs::write(path, baseline::write(&report))
            .map_err(|it| CliError::outside(format!("cannot write `{path}`")).because(it))?;
    }
    report.sort();
    print(args, &report, inputs, out)?;
    Ok(exit(args, &report))
}

fn context(args: &Args, config: &Config) -> Context {
    let mut accounts = config.aws.accounts.keys();
    let only = accounts.next().filter(|_| accounts.next().is_none());
    Context {
        account: args.account.clone().or_else(|| only.cloned()),
        region: args.region.clone(),
        parameters: args.parameters.iter().cloned().collect(),
        variables: args.variables.iter().cloned().collect(),
        variable_files: args.variable_files.clone(),
        root: args.root.clone(),
        documents: args.rego.is_some(),
    }
}

/// Excuses what a baseline covers, and tells where it covers what is no more.
fn apply_baseline(path: &str, report: &mut Report) -> Result<(), CliError> {
    let applied = baseline::apply(report, &files::text(path)?)
        .map_err(|it| CliError::usage(format!("`{path}` is no baseline")).because(it))?;
    if 0 < applied.gone {
        report.problems.push(Problem {
            level: Level::Warning,
            place: Some(Place { file: path.to_owned(), line: 1, column: 1 }),
            text: format!("{} of the baseline are no more: write it again", applied.gone),
        });
    }
    Ok(())
}

fn print(args: &Args, report: &Report, inputs: Vec<Input>, out: &mut Out) -> Result<(), CliError> {
    let written = match args.format {
        Format::Text => {
            let sources: BTreeMap<_, _> = inputs.into_iter().flat_map(|it| it.sources).collect();
            let options = text::Options { excused: args.excused, patches: true };
            out.write_all(text::write(report, &sources, options).as_bytes())?;
            return Ok(());
        }
        Format::Json => json::write(report),
        Format::Sarif => sarif::write(report),
        Format::Junit => junit::write(report),
        Format::Github => github::write(report),
        Format::Gitlab => gitlab::write(report),
    };
    out.data()?.write_all(written.as_bytes())?;
    Ok(())
}

fn exit(args: &Args, report: &Report) -> Exit {
    if 0 < report.summary().errors {
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

/// A name and its value.
fn pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = pair.ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
