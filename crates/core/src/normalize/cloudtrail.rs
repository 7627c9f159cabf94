//! CloudTrail records. Source: "CloudTrail record contents" and "CloudTrail userIdentity element"
//! in the CloudTrail user guide.

use super::{ID_MAX_CHARS, MESSAGE_MAX_BYTES, NormalizeError};
use crate::event::{Actor, ActorKind, Api, CloudScope, Envelope, Event, Status};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// Reads an event in EventBridge's envelope.
pub fn from_envelope(envelope: Value) -> Result<Event, NormalizeError> {
    let mut event = read(envelope.get("detail").unwrap_or(&Value::Null))?;
    let account = envelope.get("account").and_then(Value::as_str).unwrap_or_default();
    if account != event.cloud.account {
        return Err(NormalizeError::AccountMismatch {
            envelope: account.to_owned(),
            record: event.cloud.account,
        });
    }
    event.envelope = Envelope::new(envelope);
    Ok(event)
}

/// Reads a bare record, as log files hold it, and builds the envelope around it.
pub fn from_record(record: Value) -> Result<Event, NormalizeError> {
    let mut event = read(&record)?;
    event.envelope = Envelope::new(json!({
        "version": "0",
        "id": event.uid,
        "source": source(&event.api.service),
        "detail-type": detail_type(record.get("eventType").and_then(Value::as_str)),
        "account": event.cloud.account,
        "region": event.cloud.region,
        "time": record.get("eventTime"),
        "resources": [],
        "detail": record,
    }));
    Ok(event)
}

/// EventBridge's `source` for a CloudTrail `eventSource`: `s3.amazonaws.com` becomes `aws.s3`.
pub fn source(event_source: &str) -> String {
    let service = event_source.split('.').next().unwrap_or(event_source);
    match service {
        // The console's sign-in events keep a name of their own.
        "signin" => "aws.signin".to_owned(),
        other => format!("aws.{other}"),
    }
}

/// EventBridge's `detail-type` for a CloudTrail `eventType`.
pub fn detail_type(event_type: Option<&str>) -> &'static str {
    match event_type {
        Some("AwsConsoleSignIn") => "AWS Console Sign In via CloudTrail",
        Some("AwsConsoleAction") => "AWS Console Action via CloudTrail",
        Some("AwsServiceEvent") => "AWS Service Event via CloudTrail",
        Some("AwsCloudTrailInsight") => "AWS Insight via CloudTrail",
        _ => "AWS API Call via CloudTrail",
    }
}

fn read(record: &Value) -> Result<Event, NormalizeError> {
    let Value::Object(fields) = record else {
        return Err(NormalizeError::Shape("the record is not an object".into()));
    };
    let time = text(fields, "eventTime")?;
    let time: Timestamp = time.parse().map_err(|_| NormalizeError::Field {
        field: "eventTime",
        problem: format!("`{}` is not an RFC 3339 time", clip(time)),
    })?;
    let identity = fields.get("userIdentity").and_then(Value::as_object);
    let actor = identity.map(actor).unwrap_or_default();
    let account = match fields.get("recipientAccountId").and_then(Value::as_str) {
        Some(it) => it.to_owned(),
        // Records before eventVersion 1.02 lack it; then the caller's account is the account.
        None => actor.account.clone().ok_or_else(|| NormalizeError::Field {
            field: "recipientAccountId",
            problem: "is missing, and `userIdentity` names no account".into(),
        })?,
    };
    let request_id = string(fields, "requestID");
    short(request_id.as_deref().unwrap_or_default(), "requestID")?;
    Ok(Event {
        uid: short(text(fields, "eventID")?, "eventID")?.to_owned(),
        time,
        api: Api {
            service: text(fields, "eventSource")?.to_owned(),
            operation: text(fields, "eventName")?.to_owned(),
        },
        actor,
        cloud: CloudScope { account, region: text(fields, "awsRegion")?.to_owned() },
        status: status(fields),
        request_id,
        envelope: Envelope::default(),
    })
}

fn status(fields: &Map<String, Value>) -> Status {
    let (code, message) = (string(fields, "errorCode"), string(fields, "errorMessage"));
    match (code, message) {
        (None, None) => Status::Success,
        (code, message) => Status::Failure {
            code: code.unwrap_or_else(|| "Unknown".into()),
            message: message.map(|it| clip(&it).to_owned()),
        },
    }
}

fn actor(identity: &Map<String, Value>) -> Actor {
    let issuer = identity
        .get("sessionContext")
        .and_then(|it| it.get("sessionIssuer"))
        .and_then(Value::as_object);
    let arn = string(identity, "arn");
    let kind = kind(identity);
    let is_session = matches!(kind, ActorKind::AssumedRole | ActorKind::FederatedUser);
    let session = arn.as_deref().filter(|_| is_session).and_then(|it| it.rsplit_once('/'));
    Actor {
        kind,
        account: string(identity, "accountId").or_else(|| arn.as_deref().and_then(arn_account)),
        principal_id: string(identity, "principalId"),
        name: issuer.and_then(|it| string(it, "userName")).or_else(|| string(identity, "userName")),
        session: session.map(|(_, name)| name.to_owned()),
        issuer_arn: issuer.and_then(|it| string(it, "arn")),
        invoked_by: string(identity, "invokedBy"),
        arn,
    }
}

fn kind(identity: &Map<String, Value>) -> ActorKind {
    match identity.get("type").and_then(Value::as_str) {
        Some("Root") => ActorKind::Root,
        Some("IAMUser") => ActorKind::IamUser,
        Some("AssumedRole") => ActorKind::AssumedRole,
        Some("Role") => ActorKind::Role,
        Some("FederatedUser") => ActorKind::FederatedUser,
        Some("Directory") => ActorKind::Directory,
        Some("AWSAccount") => ActorKind::AwsAccount,
        Some("AWSService") => ActorKind::AwsService,
        Some("IdentityCenterUser") => ActorKind::IdentityCenterUser,
        Some("SAMLUser") => ActorKind::SamlUser,
        Some("WebIdentityUser") => ActorKind::WebIdentityUser,
        // A service that calls for itself has `invokedBy` and no type.
        None if identity.contains_key("invokedBy") => ActorKind::AwsService,
        _ => ActorKind::Unknown,
    }
}

fn arn_account(arn: &str) -> Option<String> {
    arn.split(':').nth(4).filter(|it| !it.is_empty()).map(str::to_owned)
}

fn text<'a>(
    fields: &'a Map<String, Value>,
    field: &'static str,
) -> Result<&'a str, NormalizeError> {
    match fields.get(field) {
        Some(Value::String(it)) if !it.is_empty() => Ok(it),
        Some(_) => Err(NormalizeError::Field { field, problem: "is not a text".into() }),
        None => Err(NormalizeError::Field { field, problem: "is missing".into() }),
    }
}

/// An id, if it is no longer than [`ID_MAX_CHARS`].
fn short<'a>(id: &'a str, field: &'static str) -> Result<&'a str, NormalizeError> {
    match id.chars().nth(ID_MAX_CHARS) {
        None => Ok(id),
        Some(_) => Err(NormalizeError::Field {
            field,
            problem: format!("is longer than {ID_MAX_CHARS} characters"),
        }),
    }
}

fn string(fields: &Map<String, Value>, field: &str) -> Option<String> {
    fields.get(field).and_then(Value::as_str).map(str::to_owned)
}

/// At most [`MESSAGE_MAX_BYTES`] bytes of a text, cut at a character's boundary.
fn clip(text: &str) -> &str {
    let end = (0..=MESSAGE_MAX_BYTES.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    end.and_then(|at| text.get(..at)).unwrap_or_default()
}
