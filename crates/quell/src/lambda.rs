//! The serverless function: this binary as AWS Lambda's bootstrap.
//!
//! Lambda starts the binary with the Runtime API's address in its environment; `main` then comes
//! here instead of to the command line. One function takes all inputs ([`input::Input`]) for all
//! policies: a queue's batch, an event, a schedule's tick. It works on one invocation at a time;
//! within a batch, messages are handled side by side.
//!
//! What is acknowledged is durable. What is not comes back: a message by its queue, an event by
//! Lambda's retries. Nothing is kept in the environment but what can be made again, so it may be
//! frozen, killed or started a hundred times at once.
//!
//! Deliberately not here: an HTTP client for the Runtime API (the `lambda_runtime` crate), and a
//! loop that polls the queue (Lambda's event source mapping).

pub mod delivery;
pub mod input;
pub mod queue;
pub mod settings;
pub mod tick;

use crate::exit::Exit;
use crate::journal::JournalError;
use crate::runtime::{Runtime, RuntimeError};
use crate::store::dynamodb::checkpoint::CheckpointingError;
use crate::telemetry::log::{self, LogFormat};
use crate::telemetry::trace::{self, TraceId};
use input::{Input, InputError};
use jiff::Timestamp;
use lambda_runtime::{Context, Diagnostic, LambdaEvent, service_fn};
use serde_json::{Value, json};
use settings::SettingsError;
use std::env;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use thiserror::Error;
use tokio::sync::Mutex;

/// Where Lambda says that it wants a bootstrap: host and port of its Runtime API. Source: "Defined
/// runtime environment variables" in the Lambda developer guide.
pub const RUNTIME_API_VARIABLE: &str = "AWS_LAMBDA_RUNTIME_API";
/// Set by Lambda beside [`RUNTIME_API_VARIABLE`]; `lambda_runtime` cannot do without them.
const LAMBDA_VARIABLES: [&str; 3] =
    ["AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION"];
/// What is logged unless `QUELL_LOG` says otherwise. The span of an invocation, which has its
/// request and trace ids, is `lambda_runtime`'s.
const LOG_FILTER: &str = "quell=info,lambda_runtime=info,warn";

/// Why an invocation has no answer; Lambda delivers it again.
#[derive(Debug, Error)]
pub enum FunctionError {
    /// The settings are not usable.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The parts could not be put together.
    #[error("the function can't be started: {0}")]
    Runtime(#[from] RuntimeError),
    /// The input is none of ours.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The ledger failed.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// An event that came without a queue was not brought to its end.
    #[error("the event was not handled: {0}")]
    NotHandled(String),
    /// A schedule asks for something that is not configured.
    #[error("`{0}` is not configured")]
    NotConfigured(&'static str),
    /// The heads of the chains were not signed.
    #[error("no checkpoint was made: {0}")]
    Checkpoint(#[from] CheckpointingError),
}

impl From<FunctionError> for Diagnostic {
    fn from(error: FunctionError) -> Diagnostic {
        let error_type = match &error {
            FunctionError::Settings(_) | FunctionError::Runtime(_) => "Quell.NotStarted",
            FunctionError::Input(_) => "Quell.BadInput",
            FunctionError::Journal(_) => "Quell.LedgerFailed",
            FunctionError::NotHandled(_) => "Quell.NotHandled",
            FunctionError::NotConfigured(_) => "Quell.NotConfigured",
            FunctionError::Checkpoint(_) => "Quell.NoCheckpoint",
        };
        Diagnostic { error_type: error_type.to_owned(), error_message: error.to_string() }
    }
}

/// Whether Lambda has started this process.
pub fn is_bootstrap() -> bool {
    env::var_os(RUNTIME_API_VARIABLE).is_some()
}

/// Runs the process as the function's bootstrap, until Lambda ends it.
pub fn main() -> ExitCode {
    log::start(LogFormat::from_variable(LogFormat::Json), LOG_FILTER);
    if let Some(missing) = LAMBDA_VARIABLES.iter().find(|it| env::var_os(it).is_none()) {
        tracing::error!(missing, "a variable that Lambda sets is not set");
        return Exit::Usage.into();
    }
    // One thread: an environment has one invocation at a time, and it waits for the cloud.
    let threads = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = threads.map_err(Into::into).and_then(|it| it.block_on(serve()));
    match ended {
        Ok(()) => Exit::Fine.into(),
        Err(error) => {
            tracing::error!(error = error.to_string(), "the function ends");
            Exit::Outside.into()
        }
    }
}

async fn serve() -> Result<(), lambda_runtime::Error> {
    let function = Function::default();
    // Here Lambda gives most processor time. What fails is told by the invocation that needs it.
    if let Err(error) = function.runtime().await {
        tracing::error!(error = error.to_string(), "not ready yet");
    }
    lambda_runtime::run(service_fn(|event| function.handle(event))).await
}

/// What stays in the environment from one invocation to the next.
#[derive(Debug, Default)]
struct Function {
    /// Opened by the first that needs it, and anew after the ledger failed.
    runtime: Mutex<Option<Arc<Runtime>>>,
}

impl Function {
    /// Handles one invocation.
    async fn handle(&self, invocation: LambdaEvent<Value>) -> Result<Value, FunctionError> {
        let LambdaEvent { payload, context } = invocation;
        let input = Input::of(payload)?;
        let runtime = self.runtime().await?;
        runtime.pipeline.deadline.set(stops_at(&context));
        settings::lease_outlasts(&runtime.config, left_ms(&runtime))?;
        let mut is_broken = false;
        let answer = match input {
            Input::Queue(messages) => {
                let batch = queue::batch(&runtime, messages).await;
                is_broken = batch.is_broken;
                Ok(batch.answer)
            }
            Input::Event(event) => {
                let trace_id = context.xray_trace_id.as_deref().and_then(TraceId::from_xray);
                trace::carried(trace_id, delivery::event(&runtime, &event)).await
            }
            Input::Tick(tick) => tick::run(tick, &runtime).await,
        };
        write_metrics(&runtime);
        is_broken |= matches!(answer, Err(FunctionError::Journal(JournalError::Broken(_))));
        if is_broken {
            *self.runtime.lock().await = None;
        }
        answer
    }

    async fn runtime(&self) -> Result<Arc<Runtime>, FunctionError> {
        let mut slot = self.runtime.lock().await;
        if let Some(open) = &*slot {
            return Ok(Arc::clone(open));
        }
        let config = settings::config().await?;
        let data_dir = settings::data_dir(&config)?;
        let made = Arc::new(Runtime::open(config, &data_dir).await?);
        made.tell_left_out();
        *slot = Some(Arc::clone(&made));
        Ok(made)
    }
}

/// Logs what was measured since the last time, for CloudWatch to make metrics of. Done wherever
/// something is durable: what is in the ledger when the process is killed is never measured again.
fn write_metrics(runtime: &Runtime) {
    let now = runtime.pipeline.clock.now();
    if let Err(error) = runtime.telemetry.write_emf(now, &mut io::stdout()) {
        tracing::warn!(%error, "metrics not written");
    }
}

/// When Lambda stops the invocation: the Runtime API's deadline, in epoch milliseconds.
fn stops_at(context: &Context) -> Option<Timestamp> {
    let deadline = i64::try_from(context.deadline).ok().filter(|it| 0 < *it)?;
    Timestamp::from_millisecond(deadline).ok()
}

/// What is left of the invocation's time, in milliseconds; `None` without an end.
fn left_ms(runtime: &Runtime) -> Option<i64> {
    let pipeline = &runtime.pipeline;
    pipeline.deadline.left_ms(pipeline.clock.now())
}

/// The answer to what is done and needs no answer.
fn done() -> Value {
    json!({ "done": true })
}
