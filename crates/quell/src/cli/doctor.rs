//! `quell doctor`: is everything there that a run needs, and may it act?

use super::acting;
use super::global::Global;
use crate::clock::SystemClock;
use crate::config::{Config, DynamoConfig};
use crate::exit::{CliError, Exit};
use crate::organization;
use crate::output::{Format, Out};
use crate::runtime;
use crate::simulation;
use crate::store::dynamodb::audit::Reader;
use crate::store::verify;
use anstyle::AnsiColor;
use jiff::{SignedDuration, Timestamp};
use quell_core::report::shown::visible;
use quell_library::aws::Aws;
use serde::Serialize;
use std::io::Write as _;
use std::sync::Arc;

/// How far ahead an ending exemption is warned of, in days.
pub const EXEMPTION_WARNING_DAYS: i64 = 14;

/// `quell doctor`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Check without calling the cloud
    #[arg(long)]
    offline: bool,
    /// How to print the report
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

const EXAMPLES: &str = "\
Examples:
  quell doctor --config quell.yaml
  quell doctor --config quell.yaml --offline --format json

Exit code 1 if a check failed; warnings alone end with 0.";

/// One check's result.
#[derive(Debug, Serialize)]
struct Check {
    name: String,
    result: Health,
    detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Health {
    Fine,
    Warning,
    Failed,
}

/// Runs all checks; one that fails does not hide the others.
pub fn run(args: &Args, global: &Global, out: &mut Out) -> Result<Exit, CliError> {
    let mut config = global.acting_config()?;
    let mut checks = Vec::new();
    let policies = runtime::library(&config).map(|it| format!("{} enabled", it.policies().len()));
    checks.push(check("policies", policies.map_err(|it| it.to_string())));
    checks.push(match &config.store.dynamodb {
        Some(settings) => shared_ledger(&config, settings, args.offline)?,
        None => ledger(global)?,
    });
    checks.extend(acting::block_on(secrets(&config, args.offline, global))?);
    checks.push(exemptions(&config));
    // A simulated account has no cloud behind it.
    let simulated = simulation::is_simulated(&global.data_dir()?);
    if config.aws.organization.is_some() && !simulated {
        checks.push(organization(&mut config, args.offline)?);
    }
    checks.push(accounts(&config));
    if !args.offline && !simulated && !config.aws.accounts.is_empty() {
        checks.extend(acting::block_on(async { Ok(cloud(&config).await) })?);
    }
    print(args.format, &checks, out)?;
    let failed = checks.iter().any(|it| it.result == Health::Failed);
    Ok(if failed { Exit::Findings } else { Exit::Fine })
}

fn check(name: &str, result: Result<String, String>) -> Check {
    let (result, detail) = match result {
        Ok(detail) => (Health::Fine, detail),
        Err(detail) => (Health::Failed, detail),
    };
    Check { name: name.to_owned(), result, detail }
}

fn ledger(global: &Global) -> Result<Check, CliError> {
    let dir = global.data_dir()?;
    if !dir.join("ledger").is_dir() {
        let detail = format!("none yet in `{dir}`; the first run makes it");
        return Ok(Check { name: "ledger".to_owned(), result: Health::Warning, detail });
    }
    let report = verify::verify(&dir, &[], None).map_err(|it| it.to_string());
    Ok(check(
        "ledger",
        report.and_then(|it| match it.faults().next() {
            Some(fault) => Err(fault.to_string()),
            None => Ok(format!("{} records verified in `{dir}`", it.records())),
        }),
    ))
}

fn shared_ledger(
    config: &Config,
    settings: &DynamoConfig,
    offline: bool,
) -> Result<Check, CliError> {
    let name = &settings.name;
    if offline {
        let detail = format!("`{name}` was not asked");
        return Ok(Check { name: "ledger".to_owned(), result: Health::Warning, detail });
    }
    let heads = acting::block_on(async {
        let aws = Aws::connect(config.aws_settings()).await;
        Ok(Reader::new(&aws, settings).heads().await)
    })?;
    let heads = heads.map_err(|it| it.to_string()).map(|it| {
        let records: u64 = it.iter().map(|it| it.sequence).sum();
        format!("{records} records in {} chains of `{name}`", it.len())
    });
    Ok(check("ledger", heads))
}

/// Whether each secret resolves; never what it is.
async fn secrets(config: &Config, offline: bool, global: &Global) -> Result<Vec<Check>, CliError> {
    let secrets = runtime::secrets(config, Arc::new(SystemClock), Arc::default());
    let mut checks = Vec::new();
    for (setting, reference) in config.secret_references() {
        let far = !reference.starts_with("env://") && !reference.starts_with("file://");
        if offline && far {
            let detail = "not looked up: offline".to_owned();
            checks.push(Check { name: setting.to_owned(), result: Health::Warning, detail });
            continue;
        }
        let found = if setting == "store.signing_key" {
            let key = runtime::signing_key(config, &secrets, &global.data_dir()?).await;
            key.map(drop).map_err(|it| it.to_string())
        } else {
            secrets.get(reference).await.map(drop).map_err(|it| it.to_string())
        };
        checks.push(check(setting, found.map(|()| "resolves".to_owned())));
    }
    Ok(checks)
}

fn exemptions(config: &Config) -> Check {
    let soon = SignedDuration::from_hours(24 * EXEMPTION_WARNING_DAYS);
    let soon = Timestamp::now().checked_add(soon).unwrap_or(Timestamp::MAX);
    let ending = config.exemptions_ending_before(soon);
    let (result, detail) = match ending.is_empty() {
        true => (Health::Fine, format!("{} configured", config.guardrails.exemptions.len())),
        false => (Health::Warning, format!("ended or ending soon: {}", ending.join(", "))),
    };
    Check { name: "exemptions".to_owned(), result, detail }
}

/// Whether the organization tells its accounts, which are then among the configured ones.
fn organization(config: &mut Config, offline: bool) -> Result<Check, CliError> {
    let name = "organization".to_owned();
    if offline {
        let detail = "its accounts were not asked for: offline".to_owned();
        return Ok(Check { name, result: Health::Warning, detail });
    }
    let listed = config.aws.accounts.len();
    let joined = acting::block_on(async { Ok(organization::join(config).await) })?;
    let (result, detail) = match joined {
        Err(error) => (Health::Failed, error.to_string()),
        Ok(left_out) if left_out.is_empty() => {
            (Health::Fine, format!("{} accounts", config.aws.accounts.len() - listed))
        }
        Ok(left_out) => (Health::Warning, format!("not looked at: {}", left_out.join(", "))),
    };
    Ok(Check { name, result, detail })
}

fn accounts(config: &Config) -> Check {
    let accounts = &config.aws.accounts;
    let bare = accounts.iter().filter(|(_, it)| it.write_role.is_none()).map(|(id, _)| id.as_str());
    let bare: Vec<&str> = bare.collect();
    let (result, detail) = match (accounts.is_empty(), bare.is_empty()) {
        (true, _) => {
            (Health::Warning, "none configured: every event would be put aside".to_owned())
        }
        (false, false) => {
            (Health::Warning, format!("without a write_role, so not narrowed: {}", bare.join(", ")))
        }
        (false, true) => (Health::Fine, format!("{} configured", accounts.len())),
    };
    Check { name: "accounts".to_owned(), result, detail }
}

/// Who we are in each account: proves credentials, trust and external id.
async fn cloud(config: &Config) -> Vec<Check> {
    let aws = Aws::connect(config.aws_settings()).await;
    let mut checks = Vec::new();
    for account in config.aws.accounts.keys() {
        let who = aws.who_reads(account).await;
        let who = who.map(|arn| format!("reads as {arn}")).map_err(|it| it.to_string());
        checks.push(check(&format!("account {account}"), who));
    }
    checks
}

fn print(format: Format, checks: &[Check], out: &mut Out) -> Result<(), CliError> {
    for it in checks {
        if format == Format::Json {
            out.json_line(it)?;
            continue;
        }
        let (color, word) = match it.result {
            Health::Fine => (AnsiColor::Green, "ok"),
            Health::Warning => (AnsiColor::Yellow, "warn"),
            Health::Failed => (AnsiColor::Red, "FAIL"),
        };
        let detail = one_line(&it.detail);
        let style = color.on_default();
        writeln!(out, "{style}{word:<5}{style:#} {:<22} {}", visible(&it.name), visible(&detail))?;
    }
    Ok(())
}

/// Some errors, such as those of credentials, have lines of their own.
fn one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|it| !it.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_several_lines_is_told_in_one() {
        let error = "no credentials:\n  tried the environment\n\n  tried the profile\n";
        assert_eq!(one_line(error), "no credentials: tried the environment tried the profile");
    }
}
