//! What happened: one API call, seen in an audit log.
//!
//! An [`Event`] is the normalized form of a CloudTrail record. The names follow OCSF's API Activity
//! class (`actor`, `api`, `cloud`, `status`). The EventBridge-shaped document that patterns and
//! policies see is kept beside it, so nothing that the cloud said is lost.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// What [`Actor::id`] says where nothing names the caller.
pub const UNKNOWN_ACTOR: &str = "unknown";

/// One normalized event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The provider's id of the event (CloudTrail `eventID`); equal ids are the same event.
    pub uid: String,
    /// When the call was made (CloudTrail `eventTime`), not when we heard of it.
    pub time: Timestamp,
    /// What was called.
    pub api: Api,
    /// Who called.
    pub actor: Actor,
    /// Where.
    pub cloud: CloudScope,
    /// Whether the call took effect.
    pub status: Status,
    /// The request id that the service gave to the caller, if the record has one.
    pub request_id: Option<String>,
    /// The event in EventBridge's envelope: `{source, detail-type, account, region, time, detail}`.
    pub envelope: Envelope,
}

impl Event {
    /// CloudTrail's `requestParameters`, or JSON null.
    pub fn request(&self) -> &Value {
        self.detail("requestParameters")
    }

    /// CloudTrail's `responseElements`, or JSON null.
    pub fn response(&self) -> &Value {
        self.detail("responseElements")
    }

    fn detail(&self, key: &str) -> &Value {
        self.envelope.value().get("detail").and_then(|it| it.get(key)).unwrap_or(&Value::Null)
    }
}

/// A document as a value, for those who judge it, and as JSON text, for those who match it. The
/// text is made of the value, once: where a key stands twice, both see the same one. Cheap to
/// clone.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Envelope {
    value: Arc<Value>,
    text: Arc<str>,
}

impl Envelope {
    /// Keeps a document.
    pub fn new(value: Value) -> Envelope {
        Envelope { text: value.to_string().into(), value: Arc::new(value) }
    }

    /// As a value.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// As JSON text.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// The called operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Api {
    /// CloudTrail `eventSource`, such as `s3.amazonaws.com`.
    pub service: String,
    /// CloudTrail `eventName`, such as `PutBucketPolicy`.
    pub operation: String,
}

/// The account and region that a thing belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CloudScope {
    /// Twelve-digit account id.
    pub account: String,
    /// Region, such as `eu-central-1`.
    pub region: String,
}

/// How the call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Status {
    /// The call took effect.
    Success,
    /// The call was refused or failed: a signal, never a reason to change anything.
    Failure {
        /// CloudTrail `errorCode`.
        code: String,
        /// CloudTrail `errorMessage`, shortened to [`crate::normalize::MESSAGE_MAX_BYTES`].
        message: Option<String>,
    },
}

/// Who made the call. Source: "CloudTrail userIdentity element" in the CloudTrail user guide.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Actor {
    /// The kind of identity.
    pub kind: ActorKind,
    /// The caller's ARN: for a session the `assumed-role` ARN.
    pub arn: Option<String>,
    /// The caller's account.
    pub account: Option<String>,
    /// The unique principal id.
    pub principal_id: Option<String>,
    /// User name, or the name of the role behind a session.
    pub name: Option<String>,
    /// The role session's name: the part of the ARN after the last slash.
    pub session: Option<String>,
    /// ARN of the role (or user) that issued the session.
    pub issuer_arn: Option<String>,
    /// The AWS service that called on somebody's behalf (`invokedBy`).
    pub invoked_by: Option<String>,
}

impl Actor {
    /// The stable name for budgets, rules and reports: the role's ARN for a session, else the ARN,
    /// the service, or the principal id.
    pub fn id(&self) -> &str {
        [&self.issuer_arn, &self.arn, &self.invoked_by, &self.principal_id, &self.account]
            .into_iter()
            .find_map(|it| it.as_deref())
            .unwrap_or(UNKNOWN_ACTOR)
    }
}

/// The kinds of `userIdentity`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorKind {
    /// The account's root user.
    Root,
    /// An IAM user.
    IamUser,
    /// A role session.
    AssumedRole,
    /// A role acting without a session (service-linked calls).
    Role,
    /// A session of `GetFederationToken`.
    FederatedUser,
    /// A Directory Service user.
    Directory,
    /// Another AWS account.
    AwsAccount,
    /// An AWS service.
    AwsService,
    /// A user of IAM Identity Center.
    IdentityCenterUser,
    /// A SAML assertion.
    SamlUser,
    /// A web identity token.
    WebIdentityUser,
    /// A kind that this version does not know, or none was given.
    #[default]
    Unknown,
}
