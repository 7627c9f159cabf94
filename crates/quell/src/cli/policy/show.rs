//! `quell policy show`: everything about one policy.

use super::list;
use crate::cli::global::{Global, unknown_policy};
use crate::cli::modes::most;
use crate::exit::{CliError, Exit};
use crate::output::table::word;
use crate::output::{Format, Out};
use quell_core::policy::{Mode, Policy, PolicyMeta};
use quell_core::report::shown::{lines, visible};
use quell_core::resource::Permission;
use quell_library::Library;
use quell_library::folder::PolicyFolder;
use quell_library::permissions::needed;
use serde::Serialize;
use std::io::{self, Write as _};

/// `quell policy show`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The policy's id
    id: String,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

const EXAMPLES: &str = "\
Examples:
  quell policy show aws.s3.bucket_public_block
  quell policy show aws.s3.bucket_public_block --format json";

#[derive(Debug, Serialize)]
struct Shown<'a> {
    policy: list::Line<'a>,
    meta: &'a PolicyMeta,
    rego: &'a str,
    cases: Vec<&'a str>,
    permissions: Vec<Permission>,
}

/// Shows one policy.
pub fn run(args: &Args, global: &Global, out: &mut Out) -> Result<Exit, CliError> {
    let config = global.acting_config()?;
    let library = Global::library(&config)?;
    let policy = library.policy(&args.id).ok_or_else(|| unknown_policy(&args.id))?;
    let folder = library.folders().iter().find(|it| it.id == args.id);
    let folder = folder.ok_or_else(|| unknown_policy(&args.id))?;
    let mode = most(&config.guardrails.modes, policy.meta());
    let permissions = permissions(&library, policy);
    match args.format {
        Format::Text => text(&library, policy, folder, &permissions, out)?,
        Format::Json => out.json(&Shown {
            policy: list::line(&library, policy, mode),
            meta: policy.meta(),
            rego: &folder.rego,
            cases: folder.cases.keys().map(String::as_str).collect(),
            permissions,
        })?,
    }
    Ok(Exit::Fine)
}

/// At most, whatever is configured: reads first, then fixes, then undo.
fn permissions(library: &Library, policy: &Policy) -> Vec<Permission> {
    let needed = needed(library, &[policy], |_| Mode::Enforce);
    let mut needed: Vec<Permission> = needed.into_iter().collect();
    needed.sort_by_key(|it| (it.purpose, it.action, it.resource));
    needed
}

fn text(
    library: &Library,
    policy: &Policy,
    folder: &PolicyFolder,
    permissions: &[Permission],
    out: &mut Out,
) -> io::Result<()> {
    let meta = policy.meta();
    writeln!(out, "{}\n{}\n", visible(policy.id()), visible(&meta.title))?;
    writeln!(out, "{}\n", lines(meta.description.trim()))?;
    writeln!(out, "severity      {}", word(&meta.severity))?;
    writeln!(out, "events        {}", visible(&policy.trigger_event_names().join(", ")))?;
    for (kind, _) in meta.resources() {
        writeln!(out, "resource      {}", visible(kind))?;
        match library.action_of(policy, kind).map(|it| it.meta()) {
            Some(action) => {
                writeln!(out, "fix           {}: {}", action.name, action.title)?;
                writeln!(out, "undo          {}", word(&action.reversibility))?;
            }
            None => writeln!(out, "fix           none: people are told")?,
        }
    }
    writeln!(out, "highest mode  {}", word(&meta.highest_mode))?;
    for (framework, controls) in &meta.controls {
        let controls = controls.join(", ");
        writeln!(out, "controls      {}: {}", visible(framework), visible(&controls))?;
    }
    if !meta.mitre.is_empty() {
        writeln!(out, "att&ck        {}", visible(&meta.mitre.join(", ")))?;
    }
    for (name, value) in &meta.params {
        writeln!(out, "parameter     {}", visible(&format!("{name} = {value}")))?;
    }
    for it in permissions {
        writeln!(out, "permission    {}: {} on {}", word(&it.purpose), it.action, it.resource)?;
    }
    let cases: Vec<&str> = folder.cases.keys().map(String::as_str).collect();
    writeln!(out, "cases         {}", visible(&cases.join(", ")))?;
    writeln!(out, "from          {}", visible(&folder.place))?;
    writeln!(out, "\ntrigger\n\n{}", lines(&format!("{:#}", meta.trigger)))?;
    writeln!(out, "\npolicy.rego\n\n{}", lines(folder.rego.trim_end()))
}
