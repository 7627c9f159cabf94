//! From what a source delivered to [`Event`]s.
//!
//! Two envelopes carry CloudTrail: EventBridge's (`{"source", "detail-type", "detail": record}`)
//! and log files' (`{"Records": [record, …]}`). Both end as the same [`Event`], with the
//! EventBridge shape kept in [`Event::envelope`], so one trigger pattern serves both. A bare record
//! is taken too. What cannot be read is an error that names the field; nothing is guessed.

pub mod cloudtrail;

use crate::event::Event;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use thiserror::Error;

/// The largest document taken, in bytes. EventBridge's own limit is 256 KiB an event; a CloudTrail
/// log file may be larger: who reads files splits them before they come here.
pub const DOCUMENT_MAX_BYTES: usize = 8 * 1024 * 1024;
/// The most records taken from one document.
pub const RECORDS_MAX: usize = 100_000;
/// The longest `eventID` or `requestID` taken, in characters. CloudTrail's are UUIDs, and those of
/// the services hardly longer; they become keys of a store, which has limits of its own.
pub const ID_MAX_CHARS: usize = 128;
/// The longest error message kept, in bytes.
pub const MESSAGE_MAX_BYTES: usize = 1024;

/// `detail-type` of what a person sends from Security Hub. Source: "Security Hub event formats" in
/// the AWS Security Hub user guide.
pub const CUSTOM_ACTION: &str = "Security Hub Findings - Custom Action";

/// Why a document could not become events.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum NormalizeError {
    /// Larger than [`DOCUMENT_MAX_BYTES`].
    #[error("the document has {bytes} bytes; the limit is {DOCUMENT_MAX_BYTES} bytes")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Not JSON, not UTF-8, or nested deeper than 128 levels.
    #[error("not readable as JSON: {0}")]
    Json(String),
    /// JSON, but no envelope that carries CloudTrail.
    #[error("neither an EventBridge event, nor a CloudTrail record, nor a log file: {0}")]
    Shape(String),
    /// Findings that a person sent from Security Hub. They are told apart, so that whoever pressed
    /// the button reads why nothing came of it; nothing here judges findings yet.
    #[error(
        "the custom action `{action}` of Security Hub, {findings} findings: no policy takes these"
    )]
    CustomAction {
        /// The action's name, as the person saw it.
        action: String,
        /// How many findings came with it.
        findings: usize,
    },
    /// A field that every record must have is missing or wrong.
    #[error("field `{field}` {problem}")]
    Field {
        /// The field's name, as the record spells it.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The envelope names another account than the record does.
    #[error("the envelope's account `{envelope}` is not the record's `{record}`")]
    AccountMismatch {
        /// `account` of the envelope.
        envelope: String,
        /// `recipientAccountId` of the record.
        record: String,
    },
}

/// Reads one delivered document: an EventBridge event, a CloudTrail record or a log file.
///
/// Each record has its own result, so one bad record never hides the others.
pub fn document(bytes: &[u8]) -> Result<Vec<Result<Event, NormalizeError>>, NormalizeError> {
    if DOCUMENT_MAX_BYTES < bytes.len() {
        return Err(NormalizeError::TooLarge { bytes: bytes.len() });
    }
    let value = parse(bytes)?;
    if value.get("Records").is_some() {
        check_one_list(bytes)?;
    }
    value_events(value)
}

/// Of two lists of records, one would be judged and the other one lost.
fn check_one_list(log_file: &[u8]) -> Result<(), NormalizeError> {
    #[derive(Deserialize)]
    struct OneList {
        #[serde(rename = "Records")]
        _records: IgnoredAny,
    }
    match serde_json::from_slice::<OneList>(log_file) {
        Err(error) if error.is_data() => Err(NormalizeError::Shape(error.to_string())),
        _ => Ok(()),
    }
}

/// JSON from bytes. Half of a surrogate pair, which a text that was cut to a length may end with,
/// is read as U+FFFD: whoever can cause it must not make the whole record unreadable.
pub fn parse(bytes: &[u8]) -> Result<Value, NormalizeError> {
    let error = match serde_json::from_slice(bytes) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let mended = with_whole_pairs(bytes).and_then(|it| serde_json::from_slice(&it).ok());
    mended.ok_or_else(|| NormalizeError::Json(error.to_string()))
}

/// The text with each lone surrogate's escape replaced; `None` where there is none.
fn with_whole_pairs(text: &[u8]) -> Option<Vec<u8>> {
    let mut mended = text.to_vec();
    let (mut at, mut is_changed) = (0, false);
    while let Some(found) = mended.get(at..).and_then(|it| memchr::memchr(b'\\', it)) {
        let escape = at + found;
        at = match (surrogate(&mended, escape), surrogate(&mended, escape + 6)) {
            (None, _) => escape + 2,
            (Some(Half::High), Some(Half::Low)) => escape + 12,
            (Some(_), _) => {
                let digits = mended.get_mut(escape + 2..escape + 6);
                digits.into_iter().for_each(|it| it.copy_from_slice(b"fffd"));
                is_changed = true;
                escape + 6
            }
        };
    }
    is_changed.then_some(mended)
}

/// Which half of a surrogate pair an escape is.
enum Half {
    High,
    Low,
}

fn surrogate(text: &[u8], at: usize) -> Option<Half> {
    let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
    match u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()? {
        0xD800..=0xDBFF => Some(Half::High),
        0xDC00..=0xDFFF => Some(Half::Low),
        _ => None,
    }
}

/// Like [`document`], from a value that is already parsed.
pub fn value_events(value: Value) -> Result<Vec<Result<Event, NormalizeError>>, NormalizeError> {
    match value {
        Value::Object(mut object) if object.contains_key("Records") => {
            let Some(Value::Array(records)) = object.remove("Records") else {
                return Err(NormalizeError::Shape("`Records` is not a list".into()));
            };
            if RECORDS_MAX < records.len() {
                let found = records.len();
                return Err(NormalizeError::Shape(format!(
                    "{found} records; the limit is {RECORDS_MAX} records"
                )));
            }
            Ok(records.into_iter().map(cloudtrail::from_record).collect())
        }
        Value::Object(object)
            if object.get("detail-type").is_some_and(|it| it == CUSTOM_ACTION) =>
        {
            Ok(vec![Err(custom_action(object.get("detail").unwrap_or(&Value::Null)))])
        }
        Value::Object(object) if object.contains_key("detail") => {
            Ok(vec![cloudtrail::from_envelope(Value::Object(object))])
        }
        Value::Object(object) if object.contains_key("eventName") => {
            Ok(vec![cloudtrail::from_record(Value::Object(object))])
        }
        Value::Object(object) => {
            let keys: Vec<_> = object.keys().take(8).map(String::as_str).collect();
            Err(NormalizeError::Shape(format!("an object with the keys {keys:?}")))
        }
        other => Err(NormalizeError::Shape(format!("a JSON {}", kind_of(&other)))),
    }
}

fn custom_action(detail: &Value) -> NormalizeError {
    let action = detail.get("actionName").and_then(Value::as_str).unwrap_or("?").to_owned();
    let findings = detail.get("findings").and_then(Value::as_array).map_or(0, Vec::len);
    NormalizeError::CustomAction { action, findings }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}
