//! `quell deploy`: what a deployment has that depends on the policies.

use super::global::Global;
use crate::deploy::{self, cloudformation, terraform};
use crate::exit::{CliError, Exit};
use crate::output::Out;
use camino::{Utf8Path, Utf8PathBuf};
use clap::{Subcommand, ValueEnum};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;

/// `quell deploy`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the generated files of a deployment: event rules, IAM policies, alarms, dashboard
    Render(RenderArgs),
}

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
struct RenderArgs {
    /// The folder to write to: a copy of this project's `deploy`
    #[arg(long, value_name = "DIR")]
    out: Utf8PathBuf,
    /// Write only these; by default the files of Terraform and of CloudFormation
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Write nothing; fail where a file is not as it would be written
    #[arg(long)]
    check: bool,
}

const EXAMPLES: &str = "\
Examples:
  quell deploy render --out deploy                       for the enabled policies
  quell deploy render --out deploy --policies ./mine     private policies as well
  quell deploy render --out deploy --check               are the files fresh?
  quell deploy render --out . --format json              deployment.json, for tools of your own";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// terraform/aws/modules: generated.tf and generated/*.json
    Terraform,
    /// cloudformation: hub.yaml and spoke.yaml
    Cloudformation,
    /// deployment.json: event patterns and IAM policy documents with open names
    Json,
}

/// Runs the command.
pub fn run(args: &Args, global: &Global, out: &mut Out) -> Result<Exit, CliError> {
    match &args.command {
        Command::Render(args) => render(args, global, out),
    }
}

fn render(args: &RenderArgs, global: &Global, out: &mut Out) -> Result<Exit, CliError> {
    let library = Global::library(&global.acting_config()?)?;
    let deployment = deploy::deployment(&library)
        .map_err(|it| CliError::usage("the policies can't be deployed").because(it))?;
    let mut files = BTreeMap::new();
    if matches!(args.format, None | Some(Format::Terraform)) {
        files.extend(below("terraform/aws/modules", terraform::files(&deployment)));
    }
    if matches!(args.format, None | Some(Format::Cloudformation)) {
        files.extend(below("cloudformation", cloudformation::files(&deployment)));
    }
    if args.format == Some(Format::Json) {
        let text = format!("{:#}\n", deploy::as_json(&deployment));
        files.insert("deployment.json".to_owned(), text);
    }
    let mut fresh = true;
    for (path, text) in files {
        let path = args.out.join(path);
        if args.check {
            if fs::read_to_string(&path).ok().as_ref() != Some(&text) {
                writeln!(out, "{path}:1: is not as `quell deploy render` writes it")?;
                fresh = false;
            }
            continue;
        }
        write(&path, &text)?;
        writeln!(out, "wrote {path}")?;
    }
    Ok(if fresh { Exit::Fine } else { Exit::Findings })
}

fn below(folder: &str, files: BTreeMap<String, String>) -> BTreeMap<String, String> {
    files.into_iter().map(|(path, text)| (format!("{folder}/{path}"), text)).collect()
}

fn write(path: &Utf8Path, text: &str) -> Result<(), CliError> {
    let folder = path.parent().unwrap_or(Utf8Path::new("."));
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, text))
        .map_err(|it| CliError::outside(format!("cannot write `{path}`")).because(it))
}
