//! `quell findings handoff`: hands a fix over to the code that declares the resource.
//!
//! The next apply of that code takes a fix back. Terraform's state says which declaration a
//! resource stands for; the source, where it is given, says where that is written and how to change
//! it.
//!
//! Of backends only S3 is read, as an object: no lock is taken, since nothing is written.
//! `terraform state pull` reads every one of them, with the credentials that are there already.

use super::{one, short};
use crate::cli::files;
use crate::cli::global::Global;
use crate::cli::s3;
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::exit::{CliError, Exit};
use crate::gate::fixes;
use crate::gate::inputs::{self, Context};
use crate::gate::judge::Judge;
use crate::output::{Format, Out};
use quell_core::detect::Finding;
use quell_core::history::{History, Open, Status};
use quell_core::plan::terraform::{self, state};
use quell_core::plan::{Place, Plan};
use quell_core::report::shown::{lines, visible};
use quell_core::report::{Entry, Report, Verdict};
use quell_core::resource::{Planned, ResourceRef};
use quell_library::{Library, planned};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write as _;

/// What names of IAM begin with: they are names of one account, and of no other.
const IAM: &str = "AWS::IAM::";

/// `quell findings handoff`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Finding ids or their beginnings; none means all but what is resolved or undone
    ids: Vec<String>,
    /// Terraform's state (`terraform state pull`) or a plan in JSON; `-` for standard input, or
    /// s3://BUCKET/KEY
    #[arg(long, value_name = "FILE")]
    terraform_state: String,
    /// The folder of the source, for the place and the patch
    #[arg(long, value_name = "DIR")]
    source: Option<String>,
    #[command(flatten)]
    access: s3::Access,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

const EXAMPLES: &str = "\
Examples:
  terraform state pull | quell findings handoff --terraform-state -
  quell findings handoff 3f9a --terraform-state prod.tfstate --source infra/
  quell findings handoff --terraform-state prod.tfstate --source infra/ --format json
  quell findings handoff --terraform-state s3://acme-terraform/prod.tfstate --region eu-central-1

Says for each finding which declaration its resource stands for, and the patch after which the
next apply keeps the fix. `terraform state pull` reads the state wherever it is kept. Nothing is
written.

Exit codes: 0 told, 2 there is no such state or it is none, 3 it could not be read.";

/// A finding and the declarations that its element comes from, as `--format json` prints it.
#[derive(Debug, Serialize)]
struct Handoff<'a> {
    finding: &'a str,
    policy: &'a str,
    status: Status,
    resource: &'a ResourceRef,
    declarations: Vec<Declaration>,
}

#[derive(Debug, Serialize)]
struct Declaration {
    address: String,
    place: Option<Place>,
    patch: Option<String>,
    /// Why there is no patch, where the source was given.
    note: Option<String>,
}

/// Tells where findings are declared.
pub fn run(
    args: &Args,
    global: &Global,
    history: &History,
    out: &mut Out,
) -> Result<Exit, CliError> {
    let config = global.acting_config()?;
    let library = Global::library(&config)?;
    let mut declared = Declared { plan: read(args, &config)?, planned: BTreeMap::new() };
    let source = args.source.as_deref().map(|it| judged(it, &config, &library)).transpose()?;
    let stands = |it: &&Open| !matches!(it.status, Status::Resolved | Status::Undone);
    let findings: Vec<&Open> = if args.ids.is_empty() {
        history.findings().filter(stands).collect()
    } else {
        args.ids.iter().map(|it| one(history, it)).collect::<Result<_, _>>()?
    };
    if findings.is_empty() && args.format == Format::Text {
        writeln!(out, "no finding stands open")?;
    }
    for open in findings {
        let finding = &open.finding;
        let addresses = declared.addresses(finding, &library).into_iter();
        let declaration = |it| declaration(it, &finding.policy, source.as_ref());
        let handoff = Handoff {
            finding: &finding.key,
            policy: &finding.policy,
            status: open.status,
            resource: &finding.resource,
            declarations: addresses.map(declaration).collect(),
        };
        match args.format {
            Format::Json => out.json_line(&handoff)?,
            Format::Text => write(&handoff, out)?,
        }
    }
    Ok(Exit::Fine)
}

/// A state, or a plan.
fn read(args: &Args, config: &Config) -> Result<Plan, CliError> {
    let (path, max) = (args.terraform_state.as_str(), terraform::PLAN_MAX_BYTES);
    let document = match path.starts_with(s3::SCHEME) {
        true => s3::bytes_within(path, max, args.access.settings(config.aws_settings()))?,
        false => files::bytes_within(path, max)?,
    };
    let plan = if terraform::is_plan(&document) && !state::is_state(&document) {
        terraform::read(path, &document)
    } else {
        state::read(path, &document)
    };
    plan.map_err(|it| {
        CliError::usage(format!("`{path}` is no state of Terraform"))
            .because(it)
            .hint("give what `terraform state pull` prints")
    })
}

/// What the source says, with the patches.
fn judged(folder: &str, config: &Config, library: &Library) -> Result<Report, CliError> {
    let inputs = inputs::load(&[folder.to_owned()], &Context::default())?;
    let (trust, guardrails, now) = (config.trust(), &config.guardrails, SystemClock.now());
    let judge = Judge { library, trust: &trust, guardrails, all: false, now };
    let mut report = judge.judge(&inputs);
    fixes::tell(&judge, &inputs, &mut report);
    Ok(report)
}

/// What a state declares, as resources of each account and region that findings are of.
struct Declared {
    plan: Plan,
    planned: BTreeMap<(String, String), Vec<Planned>>,
}

impl Declared {
    /// The addresses that a finding's element comes from; none where the state does not hold it.
    fn addresses(&mut self, finding: &Finding, library: &Library) -> Vec<String> {
        let resource = &finding.resource;
        let place = (resource.account.clone(), resource.region.clone());
        let planned = self.planned.entry(place).or_insert_with(|| {
            let (account, region) = (resource.account.clone(), resource.region.clone());
            let plan = Plan { account: Some(account), region: Some(region), ..self.plan.clone() };
            planned(&plan)
        });
        let reads = library.policy(&finding.policy).map(|it| it.meta().reads.as_slice());
        let reads = reads.unwrap_or_default();
        let is_it = |it: &&Planned| {
            let found = &it.state.resource;
            found.kind == resource.kind
                && found.id == resource.id
                && is_there(&self.plan, &it.address, resource)
        };
        let of_it = planned.iter().filter(is_it);
        let parts = of_it.flat_map(|it| it.parts_of(&finding.element, reads));
        let mut addresses: Vec<String> = parts.map(|it| it.address).collect();
        addresses.sort();
        addresses.dedup();
        addresses
    }
}

/// Whether what is declared under an address is in the resource's account and region, as its ARN
/// tells. Without one, a name that other accounts may use as well is nobody's.
fn is_there(plan: &Plan, address: &str, resource: &ResourceRef) -> bool {
    let declared = plan.declared.iter().find(|it| it.address == address);
    let arn = declared.and_then(|it| it.last().get("arn")).and_then(Value::as_str);
    let Some(arn) = arn else { return !resource.kind.starts_with(IAM) };
    let mut parts = arn.split(':').skip(3);
    let is = |told: Option<&str>, wanted: &str| told.is_none_or(|it| it.is_empty() || it == wanted);
    is(parts.next(), &resource.region) && is(parts.next(), &resource.account)
}

/// What the source says of a declaration.
fn declaration(address: String, policy: &str, source: Option<&Report>) -> Declaration {
    let Some(report) = source else {
        return Declaration { address, place: None, patch: None, note: None };
    };
    let is_it = |it: &&Entry| it.rule.id == policy && it.address.as_ref() == Some(&address);
    let Some(entry) = report.entries.iter().find(is_it) else {
        let note = "the source does not declare it, or keeps the policy there already";
        return Declaration { address, place: None, patch: None, note: Some(note.to_owned()) };
    };
    let (place, patch) = (entry.place.clone(), entry.patch.clone());
    let begin = format!("no patch for {policy}: ");
    let why = || {
        let mut problems = report.problems.iter().filter(|it| it.place == place);
        problems.find_map(|it| it.text.strip_prefix(&begin)).map(str::to_owned)
    };
    let note = match (&patch, &entry.verdict) {
        (Some(_), _) => None,
        (None, Verdict::Violation) => why(),
        (None, verdict) => verdict.excuse().or_else(|| Some(entry.reason.clone())),
    };
    Declaration { address, place, patch, note }
}

fn write(it: &Handoff<'_>, out: &mut Out) -> Result<(), CliError> {
    let (id, resource) = (short(it.finding), it.resource.to_string());
    writeln!(out, "{id}  {}  {}", visible(it.policy), visible(&resource))?;
    if it.declarations.is_empty() {
        writeln!(out, "  not declared in this state")?;
    }
    for it in &it.declarations {
        writeln!(out, "  declared as {}", visible(&it.address))?;
        if let Some(Place { file, line, column }) = &it.place {
            writeln!(out, "  written at {}:{line}:{column}", visible(file))?;
        }
        if let Some(note) = &it.note {
            writeln!(out, "  no patch: {}", visible(note))?;
        }
        for line in it.patch.iter().flat_map(|it| it.lines()) {
            writeln!(out, "    {}", lines(line))?;
        }
    }
    Ok(())
}
