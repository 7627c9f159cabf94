//! Answers that no emulator gives, and what is made of them. A stand-in on loopback gives them as
//! the API references of CloudTrail, EC2, EventBridge, IAM, S3 and STS write them; it is not AWS.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod bench;

use aws_config::SdkConfig;
use axum::Router;
use axum::http::StatusCode;
use bench::{LIBRARY, findings, use_the_administrators_key};
use quell_core::resource::{ResourceRef, Trust};
use quell_library::aws::cloudtrail::trail;
use quell_library::aws::ec2::security_group::{PREFIX_LISTS, TYPE};
use quell_library::aws::errors::cloud_error;
use quell_library::aws::events::rule;
use quell_library::aws::{AccountAccess, Aws, AwsSettings};
use quell_library::cloud::{CloudErrorKind, World as _};
use quell_library::live::Live;
use serde_json::json;
use std::collections::BTreeMap;
use testkit::REGION;

const ACCOUNT: &str = "111122223333";
const GROUP: &str = "sg-0a1b2c3d4e5f60718";

/// Answers each call by the first pair whose text the request's body holds. Returns its address.
async fn stand_in(answers: Vec<(&'static str, u16, String)>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let answer = async move |body: String| {
        let found = answers.iter().find(|(call, ..)| body.contains(call));
        let (_, status, text) = found.unwrap_or_else(|| panic!("not expected: {body}"));
        (StatusCode::from_u16(*status).unwrap(), text.clone())
    };
    let router = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// An account behind a stand-in, whose calls are made once.
async fn account(endpoint: String, access: AccountAccess) -> Aws {
    use_the_administrators_key();
    Aws::connect(AwsSettings {
        endpoint_url: Some(endpoint),
        accounts: BTreeMap::from([(ACCOUNT.to_owned(), access)]),
        call_attempts_max: 1,
        ..AwsSettings::default()
    })
    .await
}

async fn config(answers: Vec<(&'static str, u16, String)>) -> SdkConfig {
    account(stand_in(answers).await, AccountAccess::default()).await.own(REGION)
}

fn resource(kind: &str, id: &str) -> ResourceRef {
    ResourceRef {
        kind: kind.to_owned(),
        id: id.to_owned(),
        account: ACCOUNT.to_owned(),
        region: REGION.to_owned(),
    }
}

fn group() -> ResourceRef {
    resource(TYPE, GROUP)
}

/// A world whose account answers so, besides saying who it is.
async fn live(answers: Vec<(&'static str, u16, String)>) -> Live {
    let caller = format!(
        "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>{ACCOUNT}</Account>\
         </GetCallerIdentityResult></GetCallerIdentityResponse>"
    );
    let caller = vec![("Action=GetCallerIdentity&", 200, caller)];
    let endpoint = stand_in([caller, answers].concat()).await;
    Live::new(account(endpoint, AccountAccess::default()).await, Trust::default())
}

/// An error as the query APIs (IAM, STS) write it.
fn refusal(code: &str) -> String {
    let error = format!("<Type>Sender</Type><Code>{code}</Code><Message>no</Message>");
    format!("<ErrorResponse><Error>{error}</Error><RequestId>r-1</RequestId></ErrorResponse>")
}

/// An error as EC2 writes it.
fn ec2_refusal(code: &str) -> String {
    let error = format!("<Error><Code>{code}</Code><Message>no</Message></Error>");
    format!("<Response><Errors>{error}</Errors><RequestID>r-1</RequestID></Response>")
}

#[tokio::test]
async fn what_may_pass_later_is_told_from_what_never_will() {
    use CloudErrorKind::{Denied, Invalid, NotFound, Throttled, Unavailable};
    for (status, code, kind) in [
        (500, "ServiceFailure", Unavailable),
        (409, "ConcurrentModification", Throttled),
        (400, "Throttling", Throttled),
        (403, "AccessDenied", Denied),
        (404, "NoSuchEntity", NotFound),
        (400, "MalformedPolicyDocument", Invalid),
    ] {
        let config = config(vec![("", status, refusal(code))]).await;
        let call = aws_sdk_iam::Client::new(&config).get_user().user_name("u");
        let error = cloud_error("iam:GetUser", &call.send().await.unwrap_err());
        assert_eq!((error.kind, &*error.operation), (kind, "iam:GetUser"), "{code}: {error}");
    }
    for (status, code, kind) in [
        (503, "Unavailable", Unavailable),
        (503, "RequestLimitExceeded", Throttled),
        (403, "UnauthorizedOperation", Denied),
        (400, "InvalidGroup.NotFound", NotFound),
    ] {
        let config = config(vec![("", status, ec2_refusal(code))]).await;
        let call = aws_sdk_ec2::Client::new(&config).describe_security_groups();
        let error = cloud_error("ec2:DescribeSecurityGroups", &call.send().await.unwrap_err());
        assert_eq!(error.kind, kind, "{code}: {error}");
    }
    for (status, code, kind) in [
        (409, "OperationAborted", Throttled),
        (503, "SlowDown", Throttled),
        (403, "AccessDenied", Denied),
    ] {
        let body = format!("<Error><Code>{code}</Code><Message>no</Message></Error>");
        let config = config(vec![("", status, body)]).await;
        let call = aws_sdk_s3::Client::new(&config).get_bucket_acl().bucket("b");
        let error = cloud_error("s3:GetBucketAcl", &call.send().await.unwrap_err());
        assert_eq!(error.kind, kind, "{code}: {error}");
    }
}

/// Nobody but a person can mend a role that may not be assumed.
#[tokio::test]
async fn a_role_that_may_not_be_assumed_is_a_denial() {
    let access = AccountAccess {
        read_role: Some(format!("arn:aws:iam::{ACCOUNT}:role/quell-read")),
        ..AccountAccess::default()
    };
    for (status, code, kind) in [
        (403, "AccessDenied", CloudErrorKind::Denied),
        (400, "Throttling", CloudErrorKind::Throttled),
        (500, "InternalFailure", CloudErrorKind::Unavailable),
    ] {
        let endpoint = stand_in(vec![("Action=AssumeRole", status, refusal(code))]).await;
        let live = Live::new(account(endpoint, access.clone()).await, Trust::default());
        let error = live.read(&group()).await.unwrap_err();
        assert_eq!((error.kind, &*error.operation), (kind, "sts:AssumeRole"), "{code}: {error}");
    }
}

const IN: &str = "<isEgress>false</isEgress>";
const WORLD: &str = "<cidrIpv4>0.0.0.0/0</cidrIpv4>";

/// A rule for SSH, with what else it says.
fn ssh_rule(id: &str, more: &str) -> String {
    format!(
        "<item><securityGroupRuleId>{id}</securityGroupRuleId><groupId>{GROUP}</groupId>\
         <ipProtocol>tcp</ipProtocol><fromPort>22</fromPort><toPort>22</toPort>{more}</item>"
    )
}

/// A group with such rules; every prefix list answers so.
async fn group_of(rules: &[String], (status, code): (u16, &str)) -> Live {
    let groups = format!("<item><groupId>{GROUP}</groupId><groupName>web</groupName></item>");
    let answer = |call: &str, set: &str, items: &str| {
        format!("<{call}Response><{set}>{items}</{set}></{call}Response>")
    };
    let (groups, rules) = (
        answer("DescribeSecurityGroups", "securityGroupInfo", &groups),
        answer("DescribeSecurityGroupRules", "securityGroupRuleSet", &rules.concat()),
    );
    live(vec![
        ("Action=DescribeSecurityGroups&", 200, groups),
        ("Action=DescribeSecurityGroupRules&", 200, rules),
        ("Action=GetManagedPrefixListEntries&", status, ec2_refusal(code)),
    ])
    .await
}

/// A group with a rule for the world, and one for a prefix list that answers so.
async fn group_with_list(status: u16, code: &str) -> Live {
    let list = "<prefixListId>pl-0123456789abcdef0</prefixListId>";
    let rules =
        [ssh_rule("sgr-1", &format!("{IN}{WORLD}")), ssh_rule("sgr-2", &format!("{IN}{list}"))];
    group_of(&rules, (status, code)).await
}

/// Who un-shares a prefix list must not hide the rule beside it.
#[tokio::test]
async fn a_prefix_list_that_cannot_be_read_is_unknown_and_hides_nothing() {
    let policy = LIBRARY.policy("aws.ec2.admin_port_open").unwrap();
    for (status, code) in [(403, "UnauthorizedOperation"), (400, "InvalidPrefixListID.NotFound")] {
        let live = group_with_list(status, code).await;
        let state = live.read(&group()).await.unwrap().unwrap();
        assert_eq!(state.properties[PREFIX_LISTS], json!({}), "{code}");
        let found = findings(policy, &state);
        let unknown = Some("the entries of pl-0123456789abcdef0".to_owned());
        let told: Vec<_> =
            found.iter().map(|it| (&it.evidence["rule_id"], &it.indeterminate)).collect();
        assert!(told.contains(&(&json!("sgr-1"), &None)), "{told:?}");
        assert!(told.contains(&(&json!("sgr-2"), &unknown)), "{told:?}");
    }
    let error = group_with_list(503, "Unavailable").await.read(&group()).await.unwrap_err();
    assert!(error.is_transient(), "what may pass is tried again: {error}");
}

/// What does not say which way it lets traffic may let it in.
#[tokio::test]
async fn a_rule_without_a_direction_is_judged() {
    let policy = LIBRARY.policy("aws.ec2.admin_port_open").unwrap();
    for (direction, found) in [(IN, 1), ("", 1), ("<isEgress>true</isEgress>", 0)] {
        let rules = [ssh_rule("sgr-1", &format!("{direction}{WORLD}"))];
        let live = group_of(&rules, (500, "InternalError")).await;
        let state = live.read(&group()).await.unwrap().unwrap();
        assert_eq!(findings(policy, &state).len(), found, "{direction}");
    }
}

/// A rule that does not say whether it is enabled must not pass for one that is.
#[tokio::test]
async fn a_rule_that_does_not_tell_its_state_is_an_error() {
    let read = async |told: &str| {
        let live = live(vec![
            (r#""Rule":"#, 200, json!({ "Targets": [{ "Id": "q", "Arn": "arn" }] }).to_string()),
            (r#""ResourceARN":"#, 200, json!({ "Tags": [] }).to_string()),
            (r#""Name":"#, 200, told.to_owned()),
        ]);
        live.await.read(&resource(rule::TYPE, "quell-forward")).await
    };
    let told = read(r#"{"Name":"quell-forward","State":"DISABLED"}"#).await.unwrap().unwrap();
    assert_eq!(told.properties["State"], "DISABLED");
    let error = read(r#"{"Name":"quell-forward"}"#).await.unwrap_err();
    assert_eq!(
        (error.kind, &*error.operation),
        (CloudErrorKind::Unsupported, "events:DescribeRule")
    );
}

/// An organization's trail that is gone is not the member account's own trail of the same name.
#[tokio::test]
async fn a_trail_of_another_owner_is_another_trail() {
    let own = format!("arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/audit");
    let gone = json!({ "__type": "TrailNotFoundException", "message": "no" }).to_string();
    let found = json!({ "Trail": { "Name": "audit", "TrailARN": own, "HomeRegion": REGION } });
    let live = live(vec![
        ("999988887777:trail/audit", 400, gone),
        (r#""Name":"audit""#, 200, found.to_string()),
        // What else is asked of the account's own.
        ("", 200, json!({ "IsLogging": true }).to_string()),
    ])
    .await;
    let organization = own.replace(ACCOUNT, "999988887777");
    assert_eq!(live.read(&resource(trail::TYPE, &organization)).await, Ok(None));
}
