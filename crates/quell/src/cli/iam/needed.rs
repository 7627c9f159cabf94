//! `quell iam` without a subcommand: the exact permissions of the enabled policies and modes.
//!
//! Reading is needed in every mode, writing and undoing only where the configuration lets a policy
//! fix something: one document per role. Two more are for roles that do more than answer events:
//! what scans list goes to the reading role; what heartbeats write, where the configuration has
//! any, goes to the writing one. Where it has an organization, who asks for its accounts needs one
//! more. All of it is derived from the permissions that stand beside the calls that need them.

use crate::cli::global::Global;
use crate::cli::modes::{AskedMode, most};
use crate::exit::{CliError, Exit};
use crate::output::Out;
use crate::output::table::{self, cell, word};
use clap::ValueEnum;
use quell_core::policy::Policy;
use quell_core::resource::{Permission, Purpose};
use quell_library::aws::organization::PERMISSIONS;
use quell_library::permissions::{document, fill_wide, needed};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::io::{self, Write as _};

/// Options of `quell iam`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print what is needed if every policy had this mode, whatever the configuration says
    #[arg(long, value_enum)]
    mode: Option<AskedMode>,
    /// The account that the roles are for
    #[arg(long, default_value = "*")]
    account: String,
    /// The AWS partition
    #[arg(long, default_value = "aws", value_parser = ["aws", "aws-cn", "aws-us-gov"])]
    partition: String,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Format {
    /// A table
    #[default]
    Text,
    /// {"read", "list", "write", "heartbeat", "undo", "organization"}: IAM policy documents, null
    /// where none is needed
    Json,
    /// Terraform's aws_iam_policy_document data sources
    Terraform,
}

/// The documents, with the names that the output gives them.
const ROLES: [(Purpose, &str); 6] = [
    (Purpose::Read, "read"),
    (Purpose::List, "list"),
    (Purpose::Write, "write"),
    (Purpose::Heartbeat, "heartbeat"),
    (Purpose::Undo, "undo"),
    (Purpose::Organization, "organization"),
];

/// Prints the permissions.
pub fn run(args: &Args, global: &Global, out: &mut Out) -> Result<Exit, CliError> {
    let config = global.acting_config()?;
    let library = Global::library(&config)?;
    let policies: Vec<&Policy> = library.policies().iter().collect();
    let mut all = needed(&library, &policies, |policy| match args.mode {
        Some(asked) => asked.into(),
        None => most(&config.guardrails.modes, policy.meta()),
    });
    if config.heartbeat.is_none() {
        all.retain(|it| it.purpose != Purpose::Heartbeat);
    }
    if config.aws.organization.is_some() {
        all.extend(PERMISSIONS);
    }
    match args.format {
        Format::Text => text(args, &all, out)?,
        Format::Json => out.json(&json(args, &all))?,
        Format::Terraform => terraform(&all, out)?,
    }
    Ok(Exit::Fine)
}

fn of_role(all: &BTreeSet<Permission>, purpose: Purpose) -> BTreeSet<Permission> {
    all.iter().filter(|it| it.purpose == purpose).copied().collect()
}

fn json(args: &Args, all: &BTreeSet<Permission>) -> Value {
    let mut documents = Map::new();
    for (purpose, name) in ROLES {
        let permissions = of_role(all, purpose);
        let document = if permissions.is_empty() {
            Value::Null
        } else {
            document(&permissions, fill_wide(&args.partition, &args.account))
        };
        documents.insert(name.to_owned(), document);
    }
    Value::Object(documents)
}

fn text(args: &Args, all: &BTreeSet<Permission>, out: &mut Out) -> io::Result<()> {
    let fill = fill_wide(&args.partition, &args.account);
    let mut rows = table::table(&["ROLE", "ACTION", "RESOURCE", "CONDITION"]);
    // Several resource types may need the same, each by its own template.
    let mut told = BTreeSet::new();
    for (purpose, _) in ROLES {
        for it in of_role(all, purpose) {
            let condition = it.condition.map_or(String::new(), |(operator, key, value)| {
                format!("{operator} {key} = {}", fill(value))
            });
            let row = [word(&it.purpose), it.action.to_owned(), fill(it.resource), condition];
            if told.insert(row.clone()) {
                rows.add_row(row.map(cell));
            }
        }
    }
    table::write(out, &mut rows)?;
    if of_role(all, Purpose::Write).is_empty() {
        writeln!(out, "\nNo policy may fix anything, so no role to write or undo is needed.")?;
    }
    Ok(())
}

fn terraform(all: &BTreeSet<Permission>, out: &mut Out) -> io::Result<()> {
    writeln!(out, "data \"aws_partition\" \"current\" {{}}\n")?;
    writeln!(out, "data \"aws_caller_identity\" \"current\" {{}}")?;
    for (purpose, name) in ROLES {
        let permissions = of_role(all, purpose);
        if permissions.is_empty() {
            continue;
        }
        writeln!(out, "\ndata \"aws_iam_policy_document\" \"quell_{name}\" {{")?;
        let partition = "${data.aws_partition.current.partition}";
        let account = "${data.aws_caller_identity.current.account_id}";
        let document = document(&permissions, fill_wide(partition, account));
        let statements = document.get("Statement").and_then(Value::as_array);
        for statement in statements.into_iter().flatten() {
            terraform_statement(statement, out)?;
        }
        writeln!(out, "}}")?;
    }
    Ok(())
}

fn terraform_statement(statement: &Value, out: &mut Out) -> io::Result<()> {
    let field = |name: &str| statement.get(name).cloned().unwrap_or(Value::Null);
    writeln!(out, "  statement {{")?;
    writeln!(out, "    actions   = {}", spaced(&field("Action")))?;
    writeln!(out, "    resources = [{}]", field("Resource"))?;
    for (operator, keys) in field("Condition").as_object().into_iter().flatten() {
        for (key, value) in keys.as_object().into_iter().flatten() {
            writeln!(out, "    condition {{")?;
            writeln!(out, "      test     = \"{operator}\"")?;
            writeln!(out, "      variable = \"{key}\"")?;
            writeln!(out, "      values   = [{value}]")?;
            writeln!(out, "    }}")?;
        }
    }
    writeln!(out, "  }}")
}

/// A list of texts as Terraform's formatter lays it out.
fn spaced(list: &Value) -> String {
    let texts: Vec<String> =
        list.as_array().into_iter().flatten().map(ToString::to_string).collect();
    format!("[{}]", texts.join(", "))
}
