//! Which calls CloudTrail records of the services that the library looks at, and what their
//! requests hold: what `quell policy lint` proves a trigger against.
//!
//! `dictionary.json` is made out of AWS's own service models by `cargo xtask codegen`;
//! `xtask/src/codegen/dictionary.py` says what it leaves out. Names in a request are CloudTrail's,
//! as far as rules tell them. What is inside a parameter, and what a call answers, is not in it.

use quell_core::event::Event;
use quell_core::normalize;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::LazyLock;

const TEXT: &str = include_str!("dictionary.json");

/// How the names of calls begin of which EventBridge delivers no event, unless a rule asks for all
/// management events. Source: "AWS service events delivered via AWS CloudTrail" in the EventBridge
/// user guide.
pub const NOT_DELIVERED: [&str; 3] = ["Describe", "Get", "List"];

/// CloudTrail's `eventType` of what is called, and of what a service does by itself.
const EVENT_TYPES: [&str; 2] = ["AwsApiCall", "AwsServiceEvent"];

const ACCOUNT: &str = "111122223333";
const REGION: &str = "us-east-1";
const EC2: &str = "ec2.amazonaws.com";
/// How names end that EC2's records alone have: around a list, and around a whole request.
const EC2_ENDINGS: [&str; 3] = ["Req", "Request", "Set"];

/// All calls by event source and name, each with the names in its request.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dictionary {
    /// The day on which it was taken over, such as `2026-11-23`.
    pub dated: String,
    /// Out of what it is made.
    pub made_from: String,
    services: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

/// The one that is built in. Were its text broken, it would be empty and prove of every event that
/// it never happens: nobody overlooks that.
pub static DICTIONARY: LazyLock<Dictionary> =
    LazyLock::new(|| serde_json::from_str(TEXT).unwrap_or_default());

/// One call.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// CloudTrail `eventSource`.
    pub source: &'a str,
    /// CloudTrail `eventName`.
    pub name: &'a str,
    /// The names in `requestParameters`; none where nothing is known of them.
    pub request: &'a [String],
}

impl Dictionary {
    /// All calls, by source and name.
    pub fn calls(&self) -> impl Iterator<Item = Call<'_>> {
        self.services.iter().flat_map(|(source, calls)| {
            calls.iter().map(move |(name, request)| Call { source, name, request })
        })
    }

    /// Whether the request of a call may hold a name; yes, where that cannot be told.
    pub fn may_hold(&self, call: Call<'_>, name: &str) -> bool {
        let is_listed = |call: &Call<'_>| call.request.iter().any(|it| it == name);
        if call.request.is_empty() || is_listed(&call) {
            return true;
        }
        // EC2's records wrap and unwrap parameters by rules of their own.
        call.source == EC2
            && (EC2_ENDINGS.iter().any(|it| name.ends_with(it))
                || self.calls().filter(|it| it.source == EC2).any(|it| is_listed(&it)))
    }
}

impl Call<'_> {
    /// The events that the call may come as: every name in the request has some value.
    pub fn events(&self) -> Vec<Event> {
        let events = EVENT_TYPES
            .iter()
            .filter_map(|kind| normalize::value_events(self.record(kind)).ok()?.pop()?.ok());
        events.collect()
    }

    fn record(&self, event_type: &str) -> Value {
        json!({
            "eventVersion": "1.11",
            "eventID": format!("{}/{}", self.source, self.name),
            "eventTime": "2026-01-01T00:00:00Z",
            "eventType": event_type,
            "eventSource": self.source,
            "eventName": self.name,
            "awsRegion": REGION,
            "recipientAccountId": ACCOUNT,
            "userIdentity": {
                "type": "IAMUser",
                "accountId": ACCOUNT,
                "arn": format!("arn:aws:iam::{ACCOUNT}:user/sample"),
            },
            "requestParameters": self.parameters(),
            "responseElements": null,
        })
    }

    fn parameters(&self) -> Value {
        let mut found: Map<String, Value> =
            self.request.iter().map(|it| (it.clone(), self.sample(it))).collect();
        if self.source == EC2 {
            let whole: Map<String, Value> =
                self.request.iter().map(|it| (capital(it), self.sample(it))).collect();
            found.insert(format!("{}Request", self.name), Value::Object(whole));
        }
        Value::Object(found)
    }

    /// Some value of a parameter: of one that is an ARN, an ARN.
    fn sample(&self, parameter: &str) -> Value {
        let service = self.source.split('.').next().unwrap_or_default();
        if parameter == "policyArn" {
            json!(format!("arn:aws:iam::{ACCOUNT}:policy/sample"))
        } else if parameter.ends_with("Arn") {
            json!(format!("arn:aws:{service}:{REGION}:{ACCOUNT}:sample/sample"))
        } else {
            json!("sample")
        }
    }
}

fn capital(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|it| it.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}
