//! `quell policy list`.

use crate::cli::global::Global;
use crate::cli::modes::most;
use crate::exit::{CliError, Exit};
use crate::output::table::{self, cell, severity_cell, word};
use crate::output::{Format, Out};
use quell_core::action::Reversibility;
use quell_core::policy::{Mode, Policy, Severity};
use quell_library::Library;
use serde::Serialize;
use std::collections::BTreeMap;

/// `quell policy list`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// How to print the list
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

const EXAMPLES: &str = "\
Examples:
  quell policy list
  quell policy list --policies 'aws.s3.*'
  quell policy list --policies ./mine --format json

`mode` is the most that the configuration lets the policy do in any account.";

/// A policy's line, as `--format json` prints it.
#[derive(Debug, Serialize)]
pub struct Line<'a> {
    id: &'a str,
    title: &'a str,
    severity: Severity,
    resource: &'a str,
    trigger_event_names: Vec<String>,
    action: Option<&'a str>,
    reversible: Option<bool>,
    also: Vec<Also<'a>>,
    mode: Mode,
    controls: &'a BTreeMap<String, Vec<String>>,
}

/// Another type of resource that the policy judges, and how it is fixed there.
#[derive(Debug, Serialize)]
struct Also<'a> {
    resource: &'a str,
    action: Option<&'a str>,
    reversible: Option<bool>,
}

/// Prints the list.
pub fn run(args: &Args, global: &Global, out: &mut Out) -> Result<Exit, CliError> {
    let config = global.acting_config()?;
    let library = Global::library(&config)?;
    let policies = library.policies().iter();
    let lines: Vec<Line<'_>> =
        policies.map(|it| line(&library, it, most(&config.guardrails.modes, it.meta()))).collect();
    if args.format == Format::Json {
        out.json(&lines)?;
        return Ok(Exit::Fine);
    }
    let mut table = table::table(&["POLICY", "SEVERITY", "MODE", "FIX", "WHAT IS WRONG"]);
    for it in &lines {
        table.add_row([
            cell(it.id),
            severity_cell(it.severity),
            cell(word(&it.mode)),
            cell(it.action.unwrap_or("-")),
            cell(it.title),
        ]);
    }
    table::write(out, &mut table)?;
    Ok(Exit::Fine)
}

/// What is said about one policy.
pub fn line<'a>(library: &Library, policy: &'a Policy, mode: Mode) -> Line<'a> {
    let meta = policy.meta();
    let mut kinds = meta.resources().map(|(resource, remediation)| Also {
        resource,
        action: remediation.map(|it| it.action.as_str()),
        reversible: library
            .action_of(policy, resource)
            .map(|it| it.meta().reversibility != Reversibility::None),
    });
    let main = kinds.next();
    Line {
        id: policy.id(),
        title: &meta.title,
        severity: meta.severity,
        resource: &meta.resource,
        trigger_event_names: policy.trigger_event_names(),
        action: main.as_ref().and_then(|it| it.action),
        reversible: main.as_ref().and_then(|it| it.reversible),
        also: kinds.collect(),
        mode,
        controls: &meta.controls,
    }
}
