//! API calls of the story as CloudTrail records in EventBridge's envelope. Source: "CloudTrail
//! record contents" in the CloudTrail user guide, "Events from AWS services" in EventBridge's.

use crate::simulation::dice::Dice;
use jiff::Timestamp;
use serde_json::{Value, json};

/// The simulated account's id.
pub const ACCOUNT: &str = "111122223333";

/// Who calls.
#[derive(Debug, Clone, Copy)]
pub enum Caller {
    /// An IAM user.
    User(&'static str),
    /// A session of a role.
    Role(&'static str, &'static str),
}

impl Caller {
    /// The name that the story uses.
    pub fn name(self) -> &'static str {
        match self {
            Caller::User(name) | Caller::Role(name, _) => name,
        }
    }

    fn identity(self) -> Value {
        match self {
            Caller::User(name) => json!({
                "type": "IAMUser",
                "principalId": "AIDAEXAMPLEID0000000",
                "arn": format!("arn:aws:iam::{ACCOUNT}:user/{name}"),
                "accountId": ACCOUNT,
                "accessKeyId": "AKIAEXAMPLEKEY00000",
                "userName": name,
            }),
            Caller::Role(role, session) => json!({
                "type": "AssumedRole",
                "principalId": format!("AROAEXAMPLEID0000000:{session}"),
                "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session}"),
                "accountId": ACCOUNT,
                "accessKeyId": "ASIAEXAMPLEKEY00000",
                "sessionContext": { "sessionIssuer": {
                    "type": "Role",
                    "principalId": "AROAEXAMPLEID0000000",
                    "arn": format!("arn:aws:iam::{ACCOUNT}:role/{role}"),
                    "accountId": ACCOUNT,
                    "userName": role,
                }},
            }),
        }
    }
}

/// One call.
#[derive(Debug, Clone)]
pub struct Call {
    /// Who.
    pub caller: Caller,
    /// The service's short name, such as `s3`.
    pub service: &'static str,
    /// The operation, such as `PutBucketPolicy`.
    pub operation: &'static str,
    /// The region.
    pub region: &'static str,
    /// `requestParameters`.
    pub request: Value,
    /// `responseElements`.
    pub response: Value,
    /// `errorCode`, where the call was refused.
    pub refused: Option<&'static str>,
    /// `requestID`; a random one where none is given.
    pub request_id: Option<String>,
}

impl Call {
    /// A call that went through.
    pub fn new(
        caller: Caller,
        service: &'static str,
        operation: &'static str,
        region: &'static str,
        request: Value,
    ) -> Call {
        Call {
            caller,
            service,
            operation,
            region,
            request,
            response: Value::Null,
            refused: None,
            request_id: None,
        }
    }

    /// Its delivery: the event as EventBridge sends it to a target.
    pub fn delivery(&self, time: Timestamp, dice: &mut Dice) -> Vec<u8> {
        let mut record = json!({
            "eventVersion": "1.11",
            "userIdentity": self.caller.identity(),
            "eventTime": time,
            "eventSource": format!("{}.amazonaws.com", self.service),
            "eventName": self.operation,
            "awsRegion": self.region,
            "sourceIPAddress": format!("198.51.100.{}", 1 + dice.below(254)),
            "userAgent": "aws-cli/2.31.0",
            "requestParameters": self.request,
            "responseElements": self.response,
            "requestID": self.request_id.clone().unwrap_or_else(|| dice.uuid()),
            "eventID": dice.uuid(),
            "readOnly": false,
            "eventType": "AwsApiCall",
            "managementEvent": true,
            "recipientAccountId": ACCOUNT,
            "eventCategory": "Management",
        });
        if let (Some(code), Some(fields)) = (self.refused, record.as_object_mut()) {
            fields.insert("errorCode".to_owned(), json!(code));
            let message = "the caller is not authorized to perform this operation";
            fields.insert("errorMessage".to_owned(), json!(message));
        }
        let envelope = json!({
            "version": "0",
            "id": dice.uuid(),
            "detail-type": "AWS API Call via CloudTrail",
            "source": format!("aws.{}", self.service),
            "account": ACCOUNT,
            "time": time,
            "region": self.region,
            "resources": [],
            "detail": record,
        });
        envelope.to_string().into_bytes()
    }
}
