//! The heartbeat: a write of our own that must come back as its own audit event.
//!
//! Silence has two reasons: nothing happens, or nobody tells us. To tell them apart, a tag with a
//! nonce is written on a rule of ours in each watched account and region, and the record of that
//! call must arrive by the way that all records take: audit log, rule, queue. [`Pulse`] is the
//! fold over what was written and what came back; what stays out for too long is overdue.
//!
//! Deliberately absent: what happens to each other event. A heartbeat proves the way, not each
//! delivery; the scan finds what a delivery lost.

use crate::event::Event;
use crate::resource::ResourceRef;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// CloudFormation's type of what bears the tag.
pub const RULE: &str = "AWS::Events::Rule";
/// The tag's name; the nonce is its value.
pub const TAG: &str = "quell:heartbeat";
/// How long a heartbeat may take to come back before that is reported, in seconds: CloudTrail
/// delivers within about five minutes on average ("How CloudTrail works" in its user guide), so
/// three times that.
pub const HEARTBEAT_LATE_S: i64 = 900;
/// How long the record of a heartbeat is recognized, in seconds: a day, as for all our requests.
pub const HEARTBEAT_WINDOW_S: i64 = 24 * 3600;

/// One heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The rule whose tag is written; the way is proven from its account and region.
    pub rule: ResourceRef,
    /// The tag's value, made anew each time.
    pub nonce: String,
}

/// What became of a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "beat", rename_all = "snake_case")]
pub enum Beat {
    /// It is about to be written.
    Sent,
    /// It is written.
    Written {
        /// The provider's ids of the call: what its audit event must bear.
        request_ids: Vec<String>,
    },
    /// It could not be written, as far as we were told.
    Failed {
        /// Why.
        error: String,
    },
    /// Its audit event arrived.
    Returned {
        /// The event's id.
        event: String,
        /// From [`Beat::Sent`] until now, in milliseconds.
        after_ms: i64,
    },
    /// Its audit event has not arrived in time: from here, we may be blind.
    Late {
        /// For how long it has been out, in seconds.
        waited_s: i64,
    },
}

/// The heartbeat that an audit event shows, whoever wrote it.
pub fn of(event: &Event) -> Option<Heartbeat> {
    if event.api.service != "events.amazonaws.com" || event.api.operation != "TagResource" {
        return None;
    }
    let text = |value: &Value, key: &str| value.get(key)?.as_str().map(str::to_owned);
    let tags = event.request().get("tags")?.as_array()?;
    let tag = tags.iter().find(|it| it.get("key").and_then(Value::as_str) == Some(TAG))?;
    let arn = text(event.request(), "resourceARN")?;
    Some(Heartbeat {
        rule: ResourceRef {
            kind: RULE.to_owned(),
            id: arn.split_once(":rule/")?.1.to_owned(),
            account: event.cloud.account.clone(),
            region: event.cloud.region.clone(),
        },
        nonce: text(tag, "value")?,
    })
}

/// What is known of one heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaited {
    /// The heartbeat.
    pub heartbeat: Heartbeat,
    /// When it was about to be written.
    pub sent: Timestamp,
    /// The provider's ids of the call; none as long as its end is not known.
    pub request_ids: Vec<String>,
    /// Whether it was reported, as late or as not written.
    pub reported: bool,
    /// Whether its audit event arrived.
    pub returned: bool,
}

/// All heartbeats of the last [`HEARTBEAT_WINDOW_S`]: a fold over their facts.
#[derive(Debug, Clone, Default)]
pub struct Pulse {
    by_nonce: BTreeMap<String, Awaited>,
}

impl Pulse {
    /// Folds one step in.
    pub fn apply(&mut self, time: Timestamp, heartbeat: &Heartbeat, step: &Beat) {
        let edge = earlier(time, HEARTBEAT_WINDOW_S);
        self.by_nonce.retain(|_, it| edge <= it.sent);
        if *step == Beat::Sent {
            let awaited = Awaited {
                heartbeat: heartbeat.clone(),
                sent: time,
                request_ids: Vec::new(),
                reported: false,
                returned: false,
            };
            self.by_nonce.insert(heartbeat.nonce.clone(), awaited);
            return;
        }
        let Some(it) = self.by_nonce.get_mut(&heartbeat.nonce) else { return };
        match step {
            Beat::Sent => {}
            Beat::Written { request_ids } => it.request_ids.clone_from(request_ids),
            // A call that seemed to fail may have gone through all the same, and come back.
            Beat::Failed { .. } | Beat::Late { .. } => it.reported = true,
            Beat::Returned { .. } => it.returned = true,
        }
    }

    /// The heartbeat of ours that came back: the same in rule, nonce and request id. Where a crash
    /// or a lost answer kept the request id from us, the nonce alone must do.
    pub fn find(&self, heartbeat: &Heartbeat, request_id: Option<&str>) -> Option<&Awaited> {
        let found = self.by_nonce.get(&heartbeat.nonce)?;
        let ids = &found.request_ids;
        let same_call = ids.is_empty() || ids.iter().any(|it| Some(it.as_str()) == request_id);
        (found.heartbeat == *heartbeat && same_call).then_some(found)
    }

    /// The heartbeats of a rule that have been out for longer than `late_s` seconds and were not
    /// reported yet, oldest first.
    pub fn overdue<'a>(
        &'a self,
        rule: &'a ResourceRef,
        now: Timestamp,
        late_s: i64,
    ) -> Vec<&'a Awaited> {
        let edge = earlier(now, late_s);
        let is_overdue = |it: &&Awaited| !it.returned && !it.reported && it.sent < edge;
        let mut out: Vec<&Awaited> = self.of(rule).filter(is_overdue).collect();
        out.sort_by_key(|it| it.sent);
        out
    }

    /// When the newest heartbeat of a rule that came back was sent; `None` where none has within
    /// [`HEARTBEAT_WINDOW_S`].
    pub fn newest(&self, rule: &ResourceRef) -> Option<Timestamp> {
        self.of(rule).filter(|it| it.returned).map(|it| it.sent).max()
    }

    fn of<'a>(&'a self, rule: &'a ResourceRef) -> impl Iterator<Item = &'a Awaited> {
        self.by_nonce.values().filter(move |it| it.heartbeat.rule == *rule)
    }
}

fn earlier(time: Timestamp, seconds: i64) -> Timestamp {
    time.checked_sub(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MIN)
}
