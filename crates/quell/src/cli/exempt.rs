//! `quell exempt`: deliberate exceptions with owner, reason and expiry.

use super::acting::{self, Person, block_on};
use super::global::Global;
use crate::exit::{CliError, Exit};
use crate::output::table::{self, cell};
use crate::output::{Format, Out};
use clap::Subcommand;
use jiff::{SignedDuration, Timestamp};
use quell_core::exemption::Exemption;
use quell_core::record::{Exempted, Fact};
use quell_core::report::shown::visible;
use quell_core::scope::Scope;
use std::collections::BTreeMap;
use std::io::Write as _;

/// The longest exemption, in days.
pub const EXEMPTION_DAYS_MAX: i64 = 366;

/// `quell exempt`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  quell exempt add website --resource www-example-com --policy 'aws.s3.*' \\
      --owner web-team --days 90 --reason 'the public website'
  quell exempt list
  quell exempt remove website --reason 'moved behind the CDN'";

#[derive(Debug, Subcommand)]
enum Command {
    /// Add an exemption
    Add(Add),
    /// List exemptions, those of the configuration included
    List(List),
    /// Withdraw an exemption
    Remove(Remove),
}

#[derive(Debug, clap::Args)]
struct Add {
    /// A unique name
    id: String,
    /// Policy ids, may hold `*`; repeatable
    #[arg(long = "policy", value_name = "ID")]
    policies: Vec<String>,
    /// Account ids; repeatable
    #[arg(long = "account", value_name = "ID")]
    accounts: Vec<String>,
    /// Regions; repeatable
    #[arg(long = "region", value_name = "REGION")]
    regions: Vec<String>,
    /// Resource ids, may hold `*`; repeatable
    #[arg(long = "resource", value_name = "ID")]
    resources: Vec<String>,
    /// Elements within a resource, as findings name them; repeatable
    #[arg(long = "element", value_name = "ELEMENT")]
    elements: Vec<String>,
    /// A tag that the resource bears; repeatable
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = tag)]
    tags: Vec<(String, String)>,
    /// The person or team that owns the risk
    #[arg(long)]
    owner: String,
    /// How long it lasts
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..=EXEMPTION_DAYS_MAX))]
    days: i64,
    #[command(flatten)]
    person: Person,
}

#[derive(Debug, clap::Args)]
struct List {
    /// How to print the list
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, clap::Args)]
struct Remove {
    /// Its name
    id: String,
    #[command(flatten)]
    person: Person,
}

fn tag(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((pair.0.to_owned(), pair.1.to_owned()))
}

/// Runs `quell exempt`.
pub fn run(args: &Args, global: &Global, out: &mut Out) -> Result<Exit, CliError> {
    match &args.command {
        Command::Add(args) => add(args, global, out),
        Command::List(args) => list(args, global, out),
        Command::Remove(args) => remove(args, global, out),
    }
}

fn add(args: &Add, global: &Global, out: &mut Out) -> Result<Exit, CliError> {
    let by = args.person.by()?;
    let expires = Timestamp::now()
        .checked_add(SignedDuration::from_hours(24 * args.days))
        .map_err(|it| CliError::usage("--days").because(it))?;
    let exemption = Exemption {
        id: args.id.clone(),
        scope: Scope {
            policies: args.policies.clone(),
            accounts: args.accounts.clone(),
            regions: args.regions.clone(),
            resources: args.resources.clone(),
            elements: args.elements.clone(),
            actors: Vec::new(),
            tags: args.tags.iter().cloned().collect::<BTreeMap<_, _>>(),
        },
        owner: args.owner.clone(),
        reason: args.person.reason.clone(),
        expires,
    };
    global.acting_config()?.guardrails.check_exemption(&exemption).map_err(CliError::usage)?;
    record(global, Fact::Exempted(Exempted { exemption, by: Some(by) }))?;
    let (id, owner) = (visible(&args.id), visible(&args.owner));
    writeln!(out, "exemption `{id}`, owned by {owner}, until {expires}")?;
    Ok(Exit::Fine)
}

fn remove(args: &Remove, global: &Global, out: &mut Out) -> Result<Exit, CliError> {
    let by = args.person.by()?;
    if !acting::history(global)?.exemptions().any(|it| it.id == args.id) {
        return Err(CliError::usage(format!("there is no exemption `{}`", args.id))
            .hint("those of the configuration are removed there"));
    }
    let reason = Some(args.person.reason.clone());
    record(global, Fact::ExemptionRemoved { id: args.id.clone(), by, reason })?;
    writeln!(out, "exemption `{}` withdrawn", visible(&args.id))?;
    Ok(Exit::Fine)
}

fn record(global: &Global, fact: Fact) -> Result<(), CliError> {
    block_on(async {
        let runtime = acting::open(global).await?;
        let journal = &runtime.pipeline.journal;
        let appended = journal.append(runtime.pipeline.clock.now(), vec![fact]).await;
        acting::close(&runtime).await?;
        appended.map_err(|it| CliError::outside("the ledger failed").because(it))
    })
}

fn list(args: &List, global: &Global, out: &mut Out) -> Result<Exit, CliError> {
    let config = global.acting_config()?;
    let added = match acting::has_ledger(global)? {
        true => acting::history(global)?.exemptions().cloned().collect(),
        false => Vec::new(),
    };
    let now = Timestamp::now();
    let all: Vec<&Exemption> = config.guardrails.exemptions.iter().chain(&added).collect();
    if args.format == Format::Json {
        for it in all {
            out.json_line(it)?;
        }
        return Ok(Exit::Fine);
    }
    let mut rows = table::table(&["ID", "OWNER", "EXPIRES", "SCOPE", "REASON"]);
    for it in all {
        let expired = if it.expires <= now { " (expired)" } else { "" };
        let scope = serde_json::to_string(&it.scope).unwrap_or_default();
        let expires = format!("{}{expired}", it.expires);
        rows.add_row([&it.id, &it.owner, &expires, &scope, &it.reason].map(cell));
    }
    table::write(out, &mut rows)?;
    Ok(Exit::Fine)
}
