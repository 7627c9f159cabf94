//! What the function is invoked with, told apart by content.
//!
//! One function takes all of it, so the content decides: a batch names its queue in every record,
//! a schedule's constant input has the one key `quell`, and everything else is taken for an event
//! and judged by `normalize`, whose error says what is wrong with it.

use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

/// The inputs as the reference lists them: what, how it is known, what is answered.
pub const INPUTS: [[&str; 3]; 4] = [
    [
        "SQS batch",
        "`Records[].eventSource` is `aws:sqs`",
        "`{\"batchItemFailures\": [{\"itemIdentifier\": …}]}`: the messages that must come again",
    ],
    [
        "EventBridge event",
        "an object with `detail-type`",
        "`{\"done\": true}`, or an error: Lambda's asynchronous invocation tries it again",
    ],
    [
        "Security Hub custom action",
        "`detail-type` is `Security Hub Findings - Custom Action`",
        "an error, and a dead letter with the action's name: no policy takes findings yet",
    ],
    [
        "schedule",
        "`{\"quell\": \"scan\"}`, `{\"quell\": \"heartbeat\"}` or `{\"quell\": \"checkpoint\"}`",
        "a report, or an error",
    ],
];

/// One invocation's content.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Messages of a queue, each with an event.
    Queue(Vec<Message>),
    /// An event that came without a queue.
    Event(Value),
    /// A schedule's constant input.
    Tick(Tick),
}

/// What a schedule asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tick {
    /// Look at every resource of the enabled policies.
    Scan,
    /// Write on our own resource, and see whether its event came back.
    Heartbeat,
    /// Sign the heads of all chains.
    Checkpoint,
}

/// One message, as Lambda's event source mapping hands it over. Source: "Using Lambda with Amazon
/// SQS" in the Lambda developer guide. The rest of it is not read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// Its id: what names it in the answer.
    pub message_id: String,
    /// What names this receipt of it.
    #[serde(default)]
    pub receipt_handle: String,
    /// Its text.
    pub body: String,
    /// Its attributes.
    #[serde(default)]
    pub attributes: Attributes,
    /// ARN of the queue.
    #[serde(rename = "eventSourceARN", default)]
    pub queue_arn: String,
}

/// What SQS knows of a message.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct Attributes {
    /// How often it was received, this time included.
    #[serde(rename = "ApproximateReceiveCount", default)]
    pub receive_count: String,
    /// X-Ray's header, where whoever sent the message was traced.
    #[serde(rename = "AWSTraceHeader", default)]
    pub trace_header: Option<String>,
}

/// Why an input can't be told.
#[derive(Debug, Error)]
pub enum InputError {
    /// It says that it is a batch of SQS, but is not as Lambda makes them.
    #[error("not readable as a batch of SQS: {0}")]
    Batch(String),
    /// A request to a function URL: nobody has verified who sent it, and none is served.
    #[error("requests by HTTP are not served")]
    Http,
    /// The key `quell` with something else than a schedule's word.
    #[error("not an input of a schedule: {0}")]
    Tick(String),
}

impl Input {
    /// Tells what a payload is.
    pub fn of(mut payload: Value) -> Result<Input, InputError> {
        if payload.pointer("/Records/0/eventSource").is_some_and(|it| it == "aws:sqs") {
            let records = payload.get_mut("Records").map(Value::take).unwrap_or_default();
            return serde_json::from_value(records)
                .map(Input::Queue)
                .map_err(|it| InputError::Batch(it.to_string()));
        }
        // Refused before anything is read or recorded: whoever knows the URL could fill the ledger.
        if payload.pointer("/requestContext/http").is_some() {
            return Err(InputError::Http);
        }
        match payload.get_mut("quell").map(Value::take) {
            Some(word) => serde_json::from_value(word)
                .map(Input::Tick)
                .map_err(|it| InputError::Tick(it.to_string())),
            None => Ok(Input::Event(payload)),
        }
    }
}

impl Message {
    /// How often it was received, this time included; at least once.
    pub fn receives(&self) -> u32 {
        self.attributes.receive_count.parse().unwrap_or(1)
    }

    /// The queue, for records and logs.
    pub fn source(&self) -> String {
        format!("sqs:{}", self.queue_arn)
    }
}
