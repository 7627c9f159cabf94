//! `quell audit`: prove the ledger, read it, export it.

use super::acting::no_ledger;
use super::global::Global;
use crate::exit::{CliError, Exit};
use crate::output::terminal::visible;
use crate::output::{Format, Out};
use crate::store::error::StoreError;
use crate::store::{keys, reader, verify};
use camino::{Utf8Path, Utf8PathBuf};
use clap::Subcommand;
use quell_core::ledger::line::Record;
use quell_core::ledger::verify::Report;
use quell_core::record::Fact;
use std::io::Write as _;

/// `quell audit`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  quell audit verify ./quell-data
  quell audit verify ./quell-data --public-key audit.pub.pem --anchor checkpoint.json
  quell audit show --last 20
  quell audit export > records.jsonl
  quell audit key audit.pem                        make a key that signs checkpoints

Without an anchor (a checkpoint kept elsewhere) nobody can tell whether the end was cut off.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Check that the ledger is what was written: exit 0, or 1 and the first bad record
    Verify(Verify),
    /// Show records
    Show(Show),
    /// Print every record as one JSON line, as it was written
    Export(Export),
    /// Make a signing key, and its public key beside it
    Key(Key),
}

#[derive(Debug, clap::Args)]
struct Verify {
    /// The ledger's folder [default: --data-dir]
    dir: Option<Utf8PathBuf>,
    /// Public keys (PEM) that checkpoints must be signed with
    #[arg(long, value_name = "FILE")]
    public_key: Option<Utf8PathBuf>,
    /// A checkpoint that was kept elsewhere
    #[arg(long, value_name = "CHECKPOINT")]
    anchor: Option<Utf8PathBuf>,
    /// How to print the report
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, clap::Args)]
struct Show {
    /// Only the last so many records
    #[arg(long, value_name = "N")]
    last: Option<u64>,
    /// Only records from this sequence on
    #[arg(long, value_name = "SEQUENCE", default_value_t = 1)]
    from: u64,
    /// How to print them
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, clap::Args)]
struct Export {
    /// From this sequence on
    #[arg(long, value_name = "SEQUENCE", default_value_t = 1)]
    from: u64,
}

#[derive(Debug, clap::Args)]
struct Key {
    /// Where to write the private key; it must lie outside the data folder
    path: Utf8PathBuf,
}

/// Runs `quell audit`.
pub fn run(args: &Args, global: &Global, out: &mut Out) -> Result<Exit, CliError> {
    match &args.command {
        Command::Verify(args) => check(args, global, out),
        Command::Show(args) => show(args, global, out),
        Command::Export(args) => export(args, &global.data_dir()?, out),
        Command::Key(args) => key(args, out),
    }
}

fn check(args: &Verify, global: &Global, out: &mut Out) -> Result<Exit, CliError> {
    let dir = match &args.dir {
        Some(dir) => dir.clone(),
        None => global.data_dir()?,
    };
    if !dir.join("ledger").is_dir() {
        return Err(no_ledger(&dir));
    }
    let keys = match &args.public_key {
        Some(path) => keys::public_keys(path)
            .map_err(|it| CliError::usage("the public key can't be used").because(it))?,
        None => Vec::new(),
    };
    let report = verify::verify(&dir, &keys, args.anchor.as_deref()).map_err(|it| match it {
        StoreError::Anchor { .. } => CliError::usage("the anchor can't be used").because(it),
        it => CliError::outside("the ledger can't be read").because(it),
    })?;
    match args.format {
        Format::Json => out.json(&report)?,
        Format::Text => tell(&report, out)?,
    }
    Ok(if report.intact() { Exit::Fine } else { Exit::Findings })
}

fn tell(report: &Report, out: &mut Out) -> Result<(), CliError> {
    for fault in report.faults() {
        writeln!(out, "tampered: {}", visible(&fault.to_string()))?;
    }
    let verb = if report.intact() { "verified" } else { "intact up to the fault" };
    writeln!(out, "{} records {verb}", report.records())?;
    let signed = if report.signatures_checked { "signatures checked" } else { "no key given" };
    writeln!(out, "{} checkpoints and anchors compared ({signed})", report.checkpoints)?;
    for chain in &report.chains {
        if let Some(since) = chain.unanchored_since {
            let chain = visible(chain.head.chain.as_str());
            writeln!(out, "tail unanchored since {since} (chain `{chain}`)")?;
        }
    }
    Ok(())
}

fn show(args: &Show, global: &Global, out: &mut Out) -> Result<Exit, CliError> {
    let dir = global.data_dir()?;
    let mut kept = std::collections::VecDeque::new();
    for record in records(&dir, args.from)? {
        let record = record?;
        match args.last {
            None => print(args.format, &record, out)?,
            Some(last) => {
                kept.push_back(record);
                if last < kept.len() as u64 {
                    kept.pop_front();
                }
            }
        }
    }
    for record in &kept {
        print(args.format, record, out)?;
    }
    Ok(Exit::Fine)
}

fn print(format: Format, record: &Record<Fact>, out: &mut Out) -> Result<(), CliError> {
    match format {
        Format::Json => out.json_line(record)?,
        Format::Text => {
            let line = crate::output::fact::line(&record.fact);
            writeln!(out, "{:>8}  {}  {line}", record.sequence, record.time)?;
        }
    }
    Ok(())
}

/// Records, read as they are asked for.
type Records = Box<dyn Iterator<Item = Result<Record<Fact>, CliError>>>;

fn records(dir: &Utf8Path, from: u64) -> Result<Records, CliError> {
    if !dir.join("ledger").is_dir() {
        return Err(no_ledger(dir));
    }
    let unreadable = |it: StoreError| {
        CliError::outside("the ledger can't be read")
            .because(it)
            .hint("`quell audit verify` tells what is wrong with it")
    };
    Ok(match reader::records::<Fact>(dir, from).map_err(unreadable)? {
        Some(replay) => Box::new(replay.map(move |it| it.map_err(unreadable))),
        None => Box::new(std::iter::empty()),
    })
}

/// The lines as they were written, so that their digests can be verified elsewhere.
fn export(args: &Export, dir: &Utf8Path, out: &mut Out) -> Result<Exit, CliError> {
    if !dir.join("ledger").is_dir() {
        return Err(no_ledger(dir));
    }
    reader::lines(dir, args.from, &mut |bytes| out.data()?.write_all(bytes))
        .map_err(|it| CliError::outside("the ledger can't be exported").because(it))?;
    Ok(Exit::Fine)
}

fn key(args: &Key, out: &mut Out) -> Result<Exit, CliError> {
    keys::generate(&args.path)
        .map_err(|it| CliError::outside("no key could be made").because(it))?;
    writeln!(out, "signing key {0}; public key {0}.pub", args.path)?;
    Ok(Exit::Fine)
}
