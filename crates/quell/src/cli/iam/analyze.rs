//! `quell iam analyze`: who can do what through an IAM policy, statement by statement.

use crate::cli::files;
use crate::exit::{CliError, Exit};
use crate::output::table::{self, cell, word};
use crate::output::{Format, Out};
use clap::ValueEnum;
use comfy_table::{Cell, Color};
use quell_core::facts::iam_policy::{Allow, Analysis, Kind, StatementFacts, analyze_text};
use quell_core::report::shown::visible;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use std::io::{self, Write as _};

/// `quell iam analyze`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// A file with an IAM policy (`-` is standard input)
    #[arg(required_unless_present = "cases", conflicts_with = "cases")]
    policy: Option<String>,
    /// A JSON Lines file of many: {"name", "policy", "allow"}, the policy as JSON text
    #[arg(long, value_name = "FILE")]
    cases: Option<String>,
    /// What it is attached to; told from its elements where it is not given
    #[arg(long, value_enum)]
    kind: Option<AskedKind>,
    #[command(flatten)]
    inside: Inside,
    /// How to print the analysis
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Who is inside.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Who is inside (each repeatable)")]
struct Inside {
    /// An account
    #[arg(long, value_name = "ID")]
    allow_account: Vec<String>,
    /// An organization, `o-…`
    #[arg(long, value_name = "ID")]
    allow_org_id: Vec<String>,
    /// An organization path, `o-…/r-…/ou-…`, with everything below it
    #[arg(long, value_name = "PATH")]
    allow_org_path: Vec<String>,
    /// A VPC
    #[arg(long, value_name = "ID")]
    allow_vpc: Vec<String>,
    /// A VPC endpoint
    #[arg(long, value_name = "ID")]
    allow_vpc_endpoint: Vec<String>,
    /// A principal as policies write it; `*` and `?` are wildcards
    #[arg(long, value_name = "ARN")]
    allow_principal: Vec<String>,
}

/// What a policy is attached to, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
enum AskedKind {
    /// A user, group or role
    Identity,
    /// A resource
    Resource,
    /// A role, as its trust policy
    Trust,
}

const EXAMPLES: &str = "\
Examples:
  quell iam analyze bucket-policy.json --allow-account 111122223333
  aws iam get-policy-version … | jq .PolicyVersion.Document | quell iam analyze - --kind identity
  quell iam analyze --cases cases.jsonl --format json

--cases prints one line per row, in order, with the fields name, valid, public, cross_account,
admin, statements and error. A row's own `allow` (with the lists accounts, org_ids, org_paths, vpcs,
vpc_endpoints and principals) is used instead of the options above.

A statement is latent where a Deny of the same policy takes away what it comes to by itself.

Exit codes: 0 nobody from outside and no administrator (or every case was analyzed), 1 somebody is,
or AWS would refuse the policy, 2 the file cannot be read.";

/// A row of `--cases`.
#[derive(Debug, Deserialize)]
struct Row {
    #[serde(default)]
    name: Value,
    policy: Value,
    #[serde(default, deserialize_with = "allow")]
    allow: Option<Allow>,
    #[serde(default)]
    kind: Option<AskedKind>,
}

/// A list that is null is one that is not given.
fn allow<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Allow>, D::Error> {
    let Some(mut lists) = Option::<Map<String, Value>>::deserialize(input)? else {
        return Ok(None);
    };
    lists.retain(|_, list| !list.is_null());
    serde_json::from_value(Value::Object(lists)).map(Some).map_err(D::Error::custom)
}

/// The answer to a row: the order of the fields is that of the contract.
#[derive(Debug, Serialize)]
struct Answer {
    name: Value,
    valid: bool,
    public: Option<bool>,
    cross_account: Option<bool>,
    admin: Option<bool>,
    statements: Vec<StatementFacts>,
    error: Option<String>,
}

/// Runs the command.
pub fn run(args: &Args, out: &mut Out) -> Result<Exit, CliError> {
    let allow = args.inside.allow();
    let kind = args.kind.map(Kind::from);
    match (&args.cases, &args.policy) {
        (Some(cases), _) => analyze_cases(args.format, cases, kind, &allow, out),
        (None, Some(policy)) => {
            let analysis = analyze_text(&files::text(policy)?, kind, &allow);
            let flags = [analysis.public, analysis.cross_account, analysis.admin];
            let harmless = analysis.valid && flags.iter().all(|it| *it == Some(false));
            print(args.format, Answer::new(Value::from(policy.as_str()), analysis), out)?;
            Ok(if harmless { Exit::Fine } else { Exit::Findings })
        }
        (None, None) => Err(CliError::usage("neither a policy nor --cases is given")),
    }
}

fn analyze_cases(
    format: Format,
    path: &str,
    kind: Option<Kind>,
    allow: &Allow,
    out: &mut Out,
) -> Result<Exit, CliError> {
    files::lines(path, |number, line| {
        let row: Row = serde_json::from_str(line).map_err(|it| {
            CliError::usage(format!("`{path}`, line {number} is no case"))
                .because(it)
                .hint("a case is {\"name\": …, \"policy\": JSON text, \"allow\": {…}}")
        })?;
        let text = row.policy.as_str().map_or_else(|| row.policy.to_string(), str::to_owned);
        let kind = row.kind.map(Kind::from).or(kind);
        let analysis = analyze_text(&text, kind, row.allow.as_ref().unwrap_or(allow));
        print(format, Answer::new(row.name, analysis), out)?;
        Ok(())
    })?;
    Ok(Exit::Fine)
}

fn print(format: Format, answer: Answer, out: &mut Out) -> io::Result<()> {
    if format == Format::Json {
        return out.json_line(&answer);
    }
    let name = answer.name.as_str().map_or_else(|| answer.name.to_string(), str::to_owned);
    let says = [
        ("public", answer.public),
        ("cross-account", answer.cross_account),
        ("admin", answer.admin),
    ];
    let says: Vec<&str> =
        says.iter().filter(|(_, it)| *it == Some(true)).map(|(word, _)| *word).collect();
    let verdict = match (answer.public, says.is_empty()) {
        (None, _) => "not readable".to_owned(),
        (_, true) => "nobody from outside, no administrator".to_owned(),
        (_, false) => says.join(", "),
    };
    writeln!(out, "{}: {verdict}", visible(&name))?;
    if let Some(error) = &answer.error {
        writeln!(out, "AWS would refuse it: {}", visible(error))?;
    }
    let mut rows = table::table(&["STATEMENT", "EFFECT", "VERDICT", "WHY"]);
    for it in &answer.statements {
        let name = it.sid.clone().unwrap_or_else(|| format!("#{}", it.index));
        let verdict = verdict_cell(it);
        rows.add_row([cell(&name), cell(word(&it.effect)), verdict, cell(&it.reason)]);
    }
    if answer.statements.is_empty() { Ok(()) } else { table::write(out, &mut rows) }
}

fn verdict_cell(statement: &StatementFacts) -> Cell {
    match (statement.public, statement.cross_account, statement.admin) {
        (true, _, _) => cell("public").fg(Color::Red),
        (_, true, _) => cell("cross-account").fg(Color::Yellow),
        (_, _, true) => cell("admin").fg(Color::Red),
        _ if statement.latent.is_some() => cell("latent"),
        _ => cell("-"),
    }
}

impl Answer {
    fn new(name: Value, it: Analysis) -> Answer {
        Answer {
            name,
            valid: it.valid,
            public: it.public,
            cross_account: it.cross_account,
            admin: it.admin,
            statements: it.statements,
            error: it.error,
        }
    }
}

impl Inside {
    fn allow(&self) -> Allow {
        let set = |list: &[String]| list.iter().cloned().collect();
        Allow {
            accounts: set(&self.allow_account),
            org_ids: set(&self.allow_org_id),
            org_paths: set(&self.allow_org_path),
            vpcs: set(&self.allow_vpc),
            vpc_endpoints: set(&self.allow_vpc_endpoint),
            principals: set(&self.allow_principal),
        }
    }
}

impl From<AskedKind> for Kind {
    fn from(asked: AskedKind) -> Kind {
        match asked {
            AskedKind::Identity => Kind::Identity,
            AskedKind::Resource => Kind::Resource,
            AskedKind::Trust => Kind::Trust,
        }
    }
}
