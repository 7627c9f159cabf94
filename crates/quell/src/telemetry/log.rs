//! The log: for people in a terminal as text, for machines as one JSON object per line.
//!
//! A JSON line is flat: `time`, `level`, `target`, `message`, the fields of the line, and those of
//! the spans around it, of which `trace_id` and `event` are the ones to search for. What Quell did
//! is logged from the durable facts ([`fact`]), with event names of the form `NounVerbed`.
//!
//! Deliberately not here: what a finding's evidence or a change holds. It stands in the ledger, to
//! which `finding` and `attempt` lead.

use super::fold::problem_word;
use quell_core::heartbeat::{Beat, Heartbeat};
use quell_core::record::{Fact, Outcome};
use serde_json::{Map, Value, json};
use std::fmt::{self, Debug};
use std::io;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// The environment variable that filters the log, in `tracing`'s words: `quell=debug`.
pub const LOG_VARIABLE: &str = "QUELL_LOG";
/// The environment variable that says how the log is written: `text` or `json`.
pub const LOG_FORMAT_VARIABLE: &str = "QUELL_LOG_FORMAT";
/// Longest text of one field, in bytes; the rest is cut off.
pub const FIELD_MAX_BYTES: usize = 8 * 1024;

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

impl LogFormat {
    /// What [`LOG_FORMAT_VARIABLE`] says; `otherwise` where it says nothing that we know.
    pub fn from_variable(otherwise: LogFormat) -> LogFormat {
        match std::env::var(LOG_FORMAT_VARIABLE).as_deref() {
            Ok("json") => LogFormat::Json,
            Ok("text") => LogFormat::Text,
            _ => otherwise,
        }
    }
}

/// Starts the log on standard error. `level` is the filter where [`LOG_VARIABLE`] gives none.
pub fn start(format: LogFormat, level: &str) {
    let filter = std::env::var(LOG_VARIABLE).unwrap_or_else(|_| level.to_owned());
    let filter = EnvFilter::try_new(&filter).unwrap_or_else(|_| EnvFilter::new(level));
    // A line that can't be written is lost; told of on standard error, which nobody may read any
    // more, it would end the work that it is about with a panic.
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .log_internal_errors(false);
    // A second start can only happen in a test that runs commands in one process.
    let _ = match format {
        LogFormat::Json => log.fmt_fields(JsonFields::new()).event_format(JsonLines).try_init(),
        LogFormat::Text => {
            let colors = anstream::AutoStream::choice(&io::stderr());
            log.with_ansi(colors != anstream::ColorChoice::Never).try_init()
        }
    };
}

/// Logs a durable fact.
pub fn fact(fact: &Fact) {
    match fact {
        Fact::Decided { finding, verdict, .. } => tracing::info!(
            finding = finding.key,
            policy = finding.policy,
            resource = %finding.resource,
            severity = finding.severity.word(),
            verdict = verdict.word(),
            why = verdict.why(),
            "FindingDecided"
        ),
        Fact::Attempted(attempt) => tracing::info!(
            attempt = attempt.id,
            finding = attempt.finding,
            policy = attempt.policy,
            action = attempt.change.action,
            resource = %attempt.change.resource,
            "ChangeAttempted"
        ),
        Fact::Concluded { attempt, outcome, note, .. } => concluded(attempt, outcome, note),
        Fact::Failed { problem, message, policy, resource, .. } => {
            let resource = resource.as_ref().map(ToString::to_string);
            let problem = problem_word(*problem);
            tracing::warn!(problem, why = message, policy, resource, "JudgmentFailed");
        }
        Fact::CallFailed { code, actor, .. } => {
            tracing::info!(code, actor = actor.id(), "ViolatingCallFailed");
        }
        Fact::Impostor { actor, request_id, .. } => {
            tracing::error!(actor = actor.id(), request_id, "OurNameMisused");
        }
        Fact::Heartbeat { heartbeat, step } => beat(heartbeat, step),
        Fact::BreakerOpened { until, reason } => {
            tracing::warn!(%until, why = reason, "BreakerOpened");
        }
        Fact::Resolved { finding, why } => {
            tracing::info!(finding, outcome = why.word(), "FindingResolved");
        }
        Fact::Processed { findings, .. } => tracing::debug!(findings, "EventProcessed"),
        // Their reasons are logged where they arise; people's deeds are in the ledger.
        Fact::DeadLettered { .. }
        | Fact::Approval { .. }
        | Fact::UndoRequested { .. }
        | Fact::Exempted(_)
        | Fact::ExemptionRemoved { .. }
        | Fact::TailRepaired { .. } => {}
    }
}

fn beat(heartbeat: &Heartbeat, step: &Beat) {
    let rule = &heartbeat.rule;
    match step {
        Beat::Sent | Beat::Written { .. } => tracing::debug!(%rule, "HeartbeatWritten"),
        Beat::Failed { error } => tracing::error!(%rule, why = error, "HeartbeatFailed"),
        Beat::Returned { after_ms, .. } => tracing::info!(%rule, after_ms, "HeartbeatReturned"),
        Beat::Late { waited_s } => tracing::error!(%rule, waited_s, "HeartbeatLate"),
    }
}

fn concluded(attempt: &str, outcome: &Outcome, note: &Option<String>) {
    let (word, note) = (outcome.word(), note.as_deref());
    match outcome {
        Outcome::Failed { error } => {
            tracing::warn!(attempt, outcome = word, why = error, note, "ChangeConcluded");
        }
        Outcome::Uncorrected { .. } | Outcome::Conflict { .. } => {
            tracing::warn!(attempt, outcome = word, note, "ChangeConcluded");
        }
        Outcome::Corrected { .. } | Outcome::AlreadyCompliant | Outcome::Gone => {
            tracing::info!(attempt, outcome = word, note, "ChangeConcluded");
        }
    }
}

/// Writes flat JSON lines; the fields of spans must be formatted by [`JsonFields`].
#[derive(Debug, Clone, Copy)]
pub struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Line::default();
        // Spans from the outside in, then the line itself: the nearest one's word counts.
        for span in context.event_scope().into_iter().flat_map(|it| it.from_root()) {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<N>>().map_or("", |it| &it.fields);
            if let Ok(Value::Object(fields)) = serde_json::from_str(fields) {
                line.0.extend(fields);
            }
        }
        event.record(&mut line);
        let meta = event.metadata();
        line.0.insert("time".to_owned(), json!(jiff::Timestamp::now()));
        line.0.insert("level".to_owned(), json!(meta.level().as_str()));
        line.0.insert("target".to_owned(), json!(meta.target()));
        writeln!(out, "{}", Value::Object(line.0))
    }
}

/// The fields of a line.
#[derive(Default)]
struct Line(Map<String, Value>);

impl Line {
    fn text(&mut self, field: &Field, mut text: String) {
        text.truncate(text.floor_char_boundary(FIELD_MAX_BYTES));
        self.0.insert(field.name().to_owned(), Value::String(text));
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.text(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value.to_owned());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.text(field, value.to_string());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), json!(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), json!(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().to_owned(), json!(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), json!(value));
    }
}
