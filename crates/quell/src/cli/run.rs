//! `quell run`: the long-running service, and the run over files that ends by itself.

use super::acting::{block_on, close, open};
use super::global::Global;
use crate::config::{HeartbeatConfig, SqsConfig, WebhookConfig};
use crate::exit::{CliError, Exit};
use crate::heartbeat::heartbeat;
use crate::journal::Journal;
use crate::output::Out;
use crate::pipeline::{ResumeReport, RetryFilter, RetryReport, after_grace_since};
use crate::runtime::Runtime;
use crate::sources::files::Files;
use crate::sources::sqs::Sqs;
use crate::sources::webhook::Webhook;
use crate::sources::{Intake, Source, SourceError};
use jiff::Timestamp;
use quell_core::reason::Reason;
use quell_core::record::Verdict;
use quell_core::report::shown::visible;
use quell_library::aws::queue::Queue;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

/// How often it is asked whether the breaker has closed, or a pipeline had its time, and withheld
/// findings can be looked at again, in seconds.
pub const RETRY_PERIOD_S: u64 = 30;

/// `quell run`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Files or folders of events to read, `-` for standard input; besides the configured sources
    paths: Vec<PathBuf>,
    /// Look for new files until stopped
    #[arg(long)]
    follow: bool,
    /// An SQS queue to poll, besides the configured ones; repeatable
    #[arg(long = "sqs", value_name = "URL")]
    queues: Vec<String>,
    /// Another AWS endpoint, for an emulator or a proxy
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  quell run --config quell.yaml                    all configured sources, until stopped
  quell run --config quell.yaml events/            every event in a folder, then end
  zcat trail.json.gz | quell run --config quell.yaml -
  quell run --config quell.yaml --sqs https://sqs.eu-central-1.amazonaws.com/111122223333/quell

On SIGTERM or Ctrl-C it takes nothing new, finishes what it works on, and ends.";

/// Runs until the sources end or a signal comes.
pub fn run(args: &Args, global: &Global, out: &mut Out) -> Result<Exit, CliError> {
    block_on(async {
        let mut runtime = open_with(args, global).await?;
        let ended = serve(args, &mut runtime, out).await;
        close(&runtime).await?;
        ended
    })
}

async fn open_with(args: &Args, global: &Global) -> Result<Runtime, CliError> {
    let Some(url) = &args.endpoint_url else { return open(global).await };
    let mut config = global.acting_config()?;
    config.aws.endpoint_url = Some(url.clone());
    super::acting::open_with(config, global).await
}

async fn serve(args: &Args, runtime: &mut Runtime, out: &mut Out) -> Result<Exit, CliError> {
    if runtime.live.is_some() && runtime.config.aws.accounts.is_empty() {
        return Err(CliError::usage("no account is configured, so every event would be put aside")
            .hint("list your accounts under `aws.accounts` in the configuration"));
    }
    runtime.tell_left_out();
    let sources = sources(args, runtime).await?;
    if sources.is_empty() {
        return Err(CliError::usage("there is no source of events")
            .hint("name files or folders, --sqs URL, or `sources` in the configuration"));
    }
    let resumed = runtime.pipeline.resume().await.map_err(ledger_failed)?;
    if resumed != ResumeReport::default() {
        tracing::warn!(?resumed, "changes that an earlier stop cut off are concluded");
    }
    for it in &sources {
        writeln!(out, "listening to {}", visible(&it.name()))?;
    }
    out.flush()?;
    drive(runtime, sources).await
}

/// Runs all sources until they end, a signal comes, or the ledger fails.
async fn drive(runtime: &Runtime, sources: Vec<Box<dyn Source>>) -> Result<Exit, CliError> {
    let (stop, stopping) = watch::channel(false);
    let (fatal, mut failed) = watch::channel(None);
    let limits = &runtime.config.limits;
    let dead_letters = runtime.data_dir.join("dead-letters");
    let pipeline = Arc::clone(&runtime.pipeline);
    let intake = Arc::new(Intake::new(pipeline, dead_letters.as_std_path(), limits, fatal));
    let mut running: JoinSet<Result<(), SourceError>> = JoinSet::new();
    for source in sources {
        running.spawn(source.run(Arc::clone(&intake), stopping.clone()));
    }
    let retries = tokio::spawn(retry_withheld(Arc::clone(&runtime.pipeline)));
    let settings = runtime.config.heartbeat.clone();
    let heart = settings.map(|it| tokio::spawn(beat(Arc::clone(&runtime.pipeline), it)));
    let period = Duration::from_secs(runtime.config.store.checkpoint_period_s);
    let signs = runtime.config.store.signing_key.is_some();
    let signing = signs.then(|| tokio::spawn(checkpoints(Arc::clone(&runtime.store), period)));
    let mut problem = None;
    let signals = stop_signal();
    tokio::pin!(signals);
    loop {
        tokio::select! {
            ended = running.join_next() => match ended {
                None => {
                    problem = problem.or_else(|| put_aside(intake.put_aside_count()));
                    break;
                }
                Some(ended) => problem = problem.or_else(|| problem_of(ended)),
            },
            () = &mut signals, if !*stop.borrow() => {
                tracing::warn!("stopping: nothing new is taken");
                stop.send_replace(true);
                let wait = Duration::from_secs(limits.shutdown_max_s);
                let rest = async {
                    let mut problem = None;
                    while let Some(ended) = running.join_next().await {
                        problem = problem.or_else(|| problem_of(ended));
                    }
                    problem
                };
                let rest = tokio::select! {
                    ended = tokio::time::timeout(wait, rest) => ended.ok(),
                    // Who asks twice does not want to wait.
                    () = stop_signal() => None,
                };
                problem = match rest {
                    Some(ended) => problem.or(ended),
                    None => Some(CliError::outside(format!(
                        "work was still under way (shutdown_max_s is {} s); it resumes at the \
                         next start",
                        limits.shutdown_max_s
                    ))),
                };
                break;
            },
            text = ledger_failure(&mut failed) => {
                problem = Some(CliError::outside("the ledger failed").because(text));
                break;
            }
        }
    }
    running.shutdown().await;
    retries.abort();
    for it in [heart, signing].into_iter().flatten() {
        it.abort();
    }
    problem.map_or(Ok(Exit::Fine), Err)
}

/// Why a source ended before its time, if it did.
fn problem_of(ended: Result<Result<(), SourceError>, JoinError>) -> Option<CliError> {
    match ended {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(CliError::outside(error.to_string())),
        Err(error) => Some(CliError::bug("a source broke").because(error)),
    }
}

/// Files that ended by themselves could not be read in part.
fn put_aside(deliveries: u64) -> Option<CliError> {
    (0 < deliveries).then(|| {
        CliError::outside(format!("{deliveries} deliveries were put aside"))
            .hint("`quell audit show` names each, with the reason")
    })
}

/// Waits until the ledger fails; says how.
async fn ledger_failure(failed: &mut watch::Receiver<Option<String>>) -> String {
    let text = failed.wait_for(Option::is_some).await.ok().and_then(|it| it.clone());
    match text {
        Some(text) => text,
        None => std::future::pending().await,
    }
}

/// When the breaker closes, what it held back is looked at again, and when a pipeline had its time,
/// what was left to it; also what was held back before the last stop.
async fn retry_withheld(pipeline: Arc<crate::pipeline::Pipeline>) {
    let by_breaker = |verdict: &Verdict| {
        let Verdict::Withhold { reason } = verdict else { return false };
        matches!(reason, Reason::BreakerOpen { .. } | Reason::BlastRadius { .. })
    };
    let mut was_open = pipeline.journal.history().findings().any(|it| by_breaker(&it.verdict));
    let mut since = Timestamp::MIN;
    loop {
        tokio::time::sleep(Duration::from_secs(RETRY_PERIOD_S)).await;
        let is_open = pipeline.journal.history().breaker_open(pipeline.clock.now()).is_some();
        if was_open && !is_open {
            match pipeline.retry(&RetryFilter::default()).await {
                Ok(report) => tracing::warn!(?report, "the breaker closed"),
                Err(error) => tracing::error!(%error, "the breaker closed, but the ledger failed"),
            }
        }
        was_open = is_open;
        let ended = pipeline.retry_after_grace(since).await;
        since = after_grace_since(pipeline.clock.now());
        match ended {
            Ok(report) if report == RetryReport::default() => {}
            Ok(report) => tracing::info!(?report, "pipelines had their time"),
            Err(error) => {
                tracing::error!(%error, "pipelines had their time, but the ledger failed")
            }
        }
    }
}

/// Writes heartbeats until the process ends. A ledger that fails stops the sources, too.
async fn beat(pipeline: Arc<crate::pipeline::Pipeline>, settings: HeartbeatConfig) {
    let mut period = tokio::time::interval(Duration::from_secs(settings.heartbeat_period_s));
    loop {
        period.tick().await;
        match heartbeat(&pipeline, &settings).await {
            Ok(report) => {
                for problem in &report.failed {
                    tracing::error!(%problem, "a heartbeat could not be written");
                }
            }
            Err(error) => tracing::error!(%error, "no heartbeat, as the ledger failed"),
        }
    }
}

/// Signs a checkpoint now and then: what it vouches for can no longer be rewritten unseen.
async fn checkpoints(store: Arc<dyn Journal>, period: Duration) {
    loop {
        tokio::time::sleep(period).await;
        match store.sign().await {
            Ok(()) => tracing::info!("checkpoint signed"),
            Err(error) => tracing::error!(%error, "no checkpoint could be signed"),
        }
    }
}

async fn sources(args: &Args, runtime: &Runtime) -> Result<Vec<Box<dyn Source>>, CliError> {
    let configured = &runtime.config.sources;
    let mut sources: Vec<Box<dyn Source>> = Vec::new();
    let paths: Vec<PathBuf> = args.paths.iter().chain(&configured.files).cloned().collect();
    if !paths.is_empty() {
        sources.push(Box::new(Files::new(paths, args.follow || configured.follow)));
    }
    let given = args.queues.iter().map(|it| SqsConfig { queue_url: it.clone(), region: None });
    for it in configured.sqs.iter().cloned().chain(given) {
        let live = runtime.live.as_ref().ok_or_else(|| {
            CliError::usage("a simulated account has no queues").hint("name files instead")
        })?;
        let region = it.region.as_ref().unwrap_or(&runtime.config.aws.region);
        let queue = Queue::new(&live.aws().own(region), &it.queue_url);
        sources.push(Box::new(Sqs::new(queue)));
    }
    if let Some(WebhookConfig { listen, token }) = &configured.webhook {
        let webhook = Webhook::listen(listen, Arc::clone(&runtime.secrets), token).await;
        sources.push(Box::new(webhook.map_err(|it| CliError::outside(it.to_string()))?));
    }
    Ok(sources)
}

/// Waits until the process is asked to stop.
pub(super) async fn stop_signal() {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        // Without handlers the signals end the process at once, which the ledger survives.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

fn ledger_failed(error: crate::journal::JournalError) -> CliError {
    CliError::outside("the ledger failed").because(error)
}
