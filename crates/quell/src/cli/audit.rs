//! `quell audit`: prove the ledger, read it, export it.

use super::acting::{block_on, no_ledger};
use super::global::Global;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::embedded::Embedded;
use crate::exit::{CliError, Exit};
use crate::output::{Format, Out};
use crate::runtime;
use crate::store::dynamodb::audit::{AuditError, Reader};
use crate::store::dynamodb::checkpoint::CheckpointingError;
use crate::store::error::StoreError;
use crate::store::keys::KeyError;
use crate::store::{CHAIN_DEFAULT, dynamodb, keys, reader, verify};
use camino::{Utf8Path, Utf8PathBuf};
use clap::Subcommand;
use jiff::Timestamp;
use quell_core::ledger::keys::PublicKey;
use quell_core::ledger::line::Record;
use quell_core::ledger::verify::Report;
use quell_core::record::Fact;
use quell_core::report::shown::visible;
use quell_library::aws::Aws;
use std::error::Error;
use std::io::{ErrorKind, Write as _};
use std::sync::Arc;

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
  quell audit verify --store dynamodb://quell --config quell.yaml
  quell audit checkpoint --config quell.yaml       sign the heads and keep them elsewhere
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
    /// Sign where every chain ends, and keep that as an anchor
    Checkpoint,
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
        Command::Export(args) => export(args, global, out),
        Command::Checkpoint => checkpoint(global, out),
        Command::Key(args) => key(args, out),
    }
}

fn check(args: &Verify, global: &Global, out: &mut Out) -> Result<Exit, CliError> {
    let keys = match &args.public_key {
        Some(path) => keys::public_keys(path)
            .map_err(|it| CliError::usage("the public key can't be used").because(it))?,
        None => Vec::new(),
    };
    let config = global.config()?;
    let report = match (&args.dir, &config.store.dynamodb) {
        (None, Some(_)) => check_shared(args, &config, &keys)?,
        (Some(dir), _) => check_folder(args, dir, &keys)?,
        (None, None) => check_folder(args, &global.data_dir()?, &keys)?,
    };
    match args.format {
        Format::Json => out.json(&report)?,
        Format::Text => tell(&report, out)?,
    }
    Ok(if report.intact() { Exit::Fine } else { Exit::Findings })
}

fn check_folder(args: &Verify, dir: &Utf8Path, keys: &[PublicKey]) -> Result<Report, CliError> {
    if !dir.join("ledger").is_dir() {
        return Err(no_ledger(dir));
    }
    verify::verify(dir, keys, args.anchor.as_deref()).map_err(|it| match it {
        StoreError::Anchor { .. } => CliError::usage("the anchor can't be used").because(it),
        StoreError::Io { path, source } if args.anchor.as_ref() == Some(&path) => {
            CliError::usage(format!("the anchor `{path}` can't be read")).because(source)
        }
        it => CliError::outside("the ledger can't be read").because(it),
    })
}

fn check_shared(args: &Verify, config: &Config, keys: &[PublicKey]) -> Result<Report, CliError> {
    let anchor = match &args.anchor {
        None => None,
        Some(path) => {
            let json = std::fs::read(path);
            let json = json.map_err(|it| {
                CliError::usage(format!("the anchor `{path}` can't be read")).because(it)
            })?;
            Some((path.as_str(), json))
        }
    };
    let anchor = anchor.as_ref().map(|(name, json)| (*name, json.as_slice()));
    with_reader(config, async |reader| {
        reader.verify(keys, anchor).await.map_err(|it| match it {
            AuditError::Anchor { .. } => CliError::usage("the anchor can't be used").because(it),
            it => CliError::outside("the ledger can't be read").because(it),
        })
    })
}

/// Asks the distributed store that is configured.
fn with_reader<T>(
    config: &Config,
    ask: impl AsyncFnOnce(Reader<'_>) -> Result<T, CliError>,
) -> Result<T, CliError> {
    let settings = config.store.dynamodb.clone();
    let settings = settings.ok_or_else(|| CliError::usage("no distributed store is named"))?;
    block_on(async {
        let aws = Aws::connect(config.aws_settings()).await;
        ask(Reader::new(&aws, &settings)).await
    })
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
    let mut kept = std::collections::VecDeque::new();
    for record in records(global, args.from)? {
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
            let sequence = record.sequence;
            match record.chain.as_str() {
                CHAIN_DEFAULT => write!(out, "{sequence:>8}")?,
                chain => write!(out, "{chain} {sequence:>8}")?,
            }
            writeln!(out, "  {}  {line}", record.time)?;
        }
    }
    Ok(())
}

/// Records, read as they are asked for.
type Records = Box<dyn Iterator<Item = Result<Record<Fact>, CliError>>>;

fn records(global: &Global, from: u64) -> Result<Records, CliError> {
    let config = global.config()?;
    if config.store.dynamodb.is_some() {
        let records =
            with_reader(&config, async |reader| reader.records().await.map_err(unreadable))?;
        return Ok(Box::new(records.into_iter().filter(move |it| from <= it.sequence).map(Ok)));
    }
    let dir = global.data_dir()?;
    if !dir.join("ledger").is_dir() {
        return Err(no_ledger(&dir));
    }
    Ok(match reader::records::<Fact>(&dir, from).map_err(unreadable)? {
        Some(replay) => Box::new(replay.map(|it| it.map_err(unreadable))),
        None => Box::new(std::iter::empty()),
    })
}

fn unreadable(error: impl Error + Send + Sync + 'static) -> CliError {
    CliError::outside("the ledger can't be read")
        .because(error)
        .hint("`quell audit verify` tells what is wrong with it")
}

/// The lines as they were written, so that their digests can be verified elsewhere.
fn export(args: &Export, global: &Global, out: &mut Out) -> Result<Exit, CliError> {
    let config = global.config()?;
    if config.store.dynamodb.is_some() {
        let lines =
            with_reader(&config, async |reader| reader.lines(args.from).await.map_err(unreadable))?;
        let data = out.data()?;
        for line in lines {
            writeln!(data, "{line}")?;
        }
        return Ok(Exit::Fine);
    }
    let dir = global.data_dir()?;
    if !dir.join("ledger").is_dir() {
        return Err(no_ledger(&dir));
    }
    reader::lines(&dir, args.from, &mut |bytes| out.data()?.write_all(bytes))
        .map_err(|it| CliError::outside("the ledger can't be exported").because(it))?;
    Ok(Exit::Fine)
}

fn checkpoint(global: &Global, out: &mut Out) -> Result<Exit, CliError> {
    let config = global.config()?;
    let failed =
        |it: Box<dyn Error + Send + Sync>| CliError::outside("no checkpoint was made").because(it);
    let (checkpoint, place) = block_on(async {
        let secrets = runtime::secrets(&config, Arc::new(SystemClock), Arc::default());
        if let Some(settings) = &config.store.dynamodb {
            let aws = Aws::connect(config.aws_settings()).await;
            let now = Timestamp::now();
            let made = dynamodb::checkpoint::make(&aws, settings, &secrets, now).await;
            let kept = made.map_err(|it| match it {
                it @ CheckpointingError::Setting { .. } => {
                    CliError::usage("no checkpoint can be made").because(it)
                }
                it => failed(Box::new(it)),
            })?;
            return Ok((kept.checkpoint, kept.url));
        }
        let dir = global.data_dir()?;
        if !dir.join("ledger").is_dir() {
            return Err(no_ledger(&dir));
        }
        let key = runtime::signing_key(&config, &secrets, &dir).await;
        let key = key.map_err(super::acting::cannot_open)?;
        let store = Embedded::open(&dir, Arc::new(SystemClock), key)
            .map_err(|it| super::acting::cannot_open(it.into()))?;
        let made = store.checkpoint().await.map_err(|it| match it {
            StoreError::NoSigningKey => CliError::usage("no checkpoint can be made")
                .because(it)
                .hint("`quell audit key` makes a key; name it as `store.signing_key`"),
            it => failed(Box::new(it)),
        })?;
        Ok((made, dir.join("checkpoints").into_string()))
    })?;
    for head in &checkpoint.heads {
        writeln!(out, "{head}")?;
    }
    writeln!(out, "signed with {}, kept in {place}", checkpoint.key_id)?;
    Ok(Exit::Fine)
}

fn key(args: &Key, out: &mut Out) -> Result<Exit, CliError> {
    keys::generate(&args.path).map_err(no_key)?;
    writeln!(out, "signing key {0}; public key {0}.pub", args.path)?;
    Ok(Exit::Fine)
}

/// A place where no key can be is the user's slip; a disk that refuses is the world's.
fn no_key(error: KeyError) -> CliError {
    let kind = match &error {
        KeyError::Io { source, .. } => Some(source.kind()),
        _ => None,
    };
    match kind {
        Some(ErrorKind::AlreadyExists) => CliError::usage("no key could be made")
            .because(error)
            .hint("a key is never written over: name another file"),
        Some(ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            CliError::usage("no key could be made").because(error)
        }
        _ => CliError::outside("no key could be made").because(error),
    }
}
