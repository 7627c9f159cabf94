//! `quell pattern`: EventBridge's pattern language, tried without an account.

use super::files;
use super::global::Global;
use crate::exit::{CliError, Exit};
use crate::output::{Format, Out};
use clap::Subcommand;
use event_pattern::{DuplicateKeys, Explanation, Options, Pattern};
use quell_core::report::shown::visible;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::error::Error;
use std::io::{self, Write as _};

/// `quell pattern`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Test whether events match, and explain why not
    Test(TestArgs),
}

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES_AND_ROWS)]
struct TestArgs {
    /// A file with an event pattern (`-` is standard input)
    #[arg(required_unless_present = "cases", conflicts_with = "cases")]
    pattern: Option<String>,
    /// A file with an event; without one, only the pattern is checked
    event: Option<String>,
    /// A JSON Lines file of many cases: {"name", "pattern", "event"}, the latter two as JSON text
    #[arg(long, value_name = "FILE")]
    cases: Option<String>,
    /// Refuse wildcards that EventBridge calls too complex, as PutRule and TestEventPattern do
    #[arg(long)]
    reject_complex_wildcards: bool,
    /// Refuse events without id, account, source, time, region and detail-type, as
    /// TestEventPattern does
    #[arg(long)]
    require_event_fields: bool,
    /// Refuse patterns that name one path twice; EventBridge takes the last one
    #[arg(long)]
    reject_duplicate_keys: bool,
    /// How to print the verdict
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

const EXAMPLES: &str = "\
Examples:
  quell pattern test pattern.json event.json
  quell pattern test pattern.json                     is this pattern valid?
  quell pattern test --cases cases.jsonl --format json
  quell pattern test pattern.json event.json --reject-complex-wildcards --require-event-fields

Exit codes: 0 matches (or every case was judged), 1 does not match, 2 not valid.";

const EXAMPLES_AND_ROWS: &str = "\
Examples:
  quell pattern test pattern.json event.json
  quell pattern test pattern.json                     is this pattern valid?
  quell pattern test --cases cases.jsonl --format json
  quell pattern test pattern.json event.json --reject-complex-wildcards --require-event-fields

The language itself is judged by default. Two checks that the EventBridge service adds are options:
--reject-complex-wildcards and --require-event-fields; with both, the verdicts are those of the
TestEventPattern API.

--cases prints one line per row, in order: {\"name\", \"result\", \"error\"}. The result is match,
no_match or invalid; for a row without an event it is valid or invalid.

Exit codes: 0 matches (or every case was judged), 1 does not match, 2 not valid.";

/// Runs the command.
pub fn run(args: &Args, _: &Global, out: &mut Out) -> Result<Exit, CliError> {
    let Command::Test(args) = &args.command;
    match (&args.cases, &args.pattern) {
        (Some(cases), _) => test_cases(args, cases, out),
        (None, Some(pattern)) => test_one(args, pattern, out),
        (None, None) => Err(CliError::usage("neither a pattern nor --cases is given")),
    }
}

fn options(args: &TestArgs) -> Options {
    let mut options = Options::default();
    options.reject_complex_wildcards = args.reject_complex_wildcards;
    options.require_event_fields = args.require_event_fields;
    if args.reject_duplicate_keys {
        options.duplicate_keys = DuplicateKeys::Reject;
    }
    options
}

/// A row of `--cases`.
#[derive(Debug, Deserialize)]
struct Row {
    #[serde(default)]
    name: Value,
    pattern: Value,
    #[serde(default)]
    event: Option<Value>,
}

/// The answer to a row.
#[derive(Debug, Serialize)]
struct Answer {
    name: Value,
    result: &'static str,
    error: Option<String>,
}

fn test_cases(args: &TestArgs, path: &str, out: &mut Out) -> Result<Exit, CliError> {
    let options = options(args);
    files::lines(path, |number, line| {
        let row: Row = serde_json::from_str(line).map_err(|it| {
            CliError::usage(format!("`{path}`, line {number} is no case"))
                .because(it)
                .hint("a case is {\"name\": …, \"pattern\": JSON text, \"event\": JSON text}")
        })?;
        let event = row.event.as_ref().map(json_text);
        let (result, error) = judge(&json_text(&row.pattern), event.as_deref(), &options);
        let answer = Answer { name: row.name, result, error };
        match args.format {
            Format::Json => out.json_line(&answer)?,
            Format::Text => {
                let why = answer.error.map(|it| format!(": {it}")).unwrap_or_default();
                let name = json_text(&answer.name);
                writeln!(out, "{}: {}{}", visible(&name), answer.result, visible(&why))?;
            }
        }
        Ok(())
    })?;
    Ok(Exit::Fine)
}

/// JSON as text; a string holds the text already, so that duplicate keys and the forms of numbers
/// survive.
fn json_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn judge(pattern: &str, event: Option<&str>, options: &Options) -> (&'static str, Option<String>) {
    let pattern = match Pattern::parse_with(pattern, options) {
        Ok(pattern) => pattern,
        Err(error) => return ("invalid", Some(error.to_string())),
    };
    let Some(event) = event else { return ("valid", None) };
    match pattern.matches(event.as_bytes()) {
        Ok(true) => ("match", None),
        Ok(false) => ("no_match", None),
        Err(error) => ("invalid", Some(error.to_string())),
    }
}

fn test_one(args: &TestArgs, path: &str, out: &mut Out) -> Result<Exit, CliError> {
    let text = files::text(path)?;
    let pattern = match Pattern::parse_with(&text, &options(args)) {
        Ok(pattern) => pattern,
        Err(error) => return invalid(args, out, &error, "pattern", path),
    };
    let Some(event) = &args.event else {
        match args.format {
            Format::Text => writeln!(out, "the pattern is valid")?,
            Format::Json => out.json_line(&json!({ "result": "valid", "error": null }))?,
        }
        return Ok(Exit::Fine);
    };
    let explanation = match pattern.explain(&files::bytes(event)?) {
        Ok(explanation) => explanation,
        Err(error) => return invalid(args, out, &error, "event", event),
    };
    match args.format {
        Format::Text => tell(&explanation, out)?,
        Format::Json => out.json_line(&explained(&explanation))?,
    }
    Ok(if explanation.matched() { Exit::Fine } else { Exit::Findings })
}

/// The verdict, and a line for each field that did not fit.
fn tell(explanation: &Explanation, out: &mut Out) -> io::Result<()> {
    let all = explanation.to_string();
    if explanation.misses().is_empty() {
        return writeln!(out, "{all}");
    }
    writeln!(out, "{}", all.lines().next().unwrap_or_default())?;
    for miss in explanation.misses() {
        writeln!(out, "  {}", visible(&miss.to_string()))?;
    }
    Ok(())
}

/// A program reads the verdict, a person the error.
fn invalid(
    args: &TestArgs,
    out: &mut Out,
    error: &dyn Error,
    what: &str,
    path: &str,
) -> Result<Exit, CliError> {
    if args.format == Format::Json {
        out.json_line(&json!({ "result": "invalid", "error": error.to_string() }))?;
        return Ok(Exit::Usage);
    }
    Err(CliError::usage(format!("the {what} in `{path}` is not valid")).because(error.to_string()))
}

fn explained(explanation: &Explanation) -> Value {
    let misses: Vec<Value> = explanation
        .misses()
        .iter()
        .map(|it| json!({ "path": it.path(), "wanted": it.wanted(), "found": it.found() }))
        .collect();
    json!({
        "result": if explanation.matched() { "match" } else { "no_match" },
        "error": null,
        "alternatives": explanation.alternatives(),
        "misses": misses,
    })
}
