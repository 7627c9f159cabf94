//! Answers that no emulator gives, and what is made of them. A stand-in on loopback gives them as
//! the API references of EC2, IAM, S3 and STS write them; it is not AWS.
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
use quell_library::aws::ec2::security_group::{PREFIX_LISTS, TYPE};
use quell_library::aws::errors::cloud_error;
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

fn group() -> ResourceRef {
    ResourceRef {
        kind: TYPE.to_owned(),
        id: GROUP.to_owned(),
        account: ACCOUNT.to_owned(),
        region: REGION.to_owned(),
    }
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

fn rule(id: &str, source: &str) -> String {
    format!(
        "<item><securityGroupRuleId>{id}</securityGroupRuleId><groupId>{GROUP}</groupId>\
         <isEgress>false</isEgress><ipProtocol>tcp</ipProtocol><fromPort>22</fromPort>\
         <toPort>22</toPort>{source}</item>"
    )
}

/// A group with a rule for the world, and one for a prefix list that answers so.
async fn group_with_list(status: u16, code: &str) -> Live {
    let groups = format!("<item><groupId>{GROUP}</groupId><groupName>web</groupName></item>");
    let rules = [
        rule("sgr-1", "<cidrIpv4>0.0.0.0/0</cidrIpv4>"),
        rule("sgr-2", "<prefixListId>pl-0123456789abcdef0</prefixListId>"),
    ];
    let answer = |call: &str, set: &str, items: &str| {
        format!("<{call}Response><{set}>{items}</{set}></{call}Response>")
    };
    let (groups, rules) = (
        answer("DescribeSecurityGroups", "securityGroupInfo", &groups),
        answer("DescribeSecurityGroupRules", "securityGroupRuleSet", &rules.concat()),
    );
    let caller = format!(
        "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>{ACCOUNT}</Account>\
         </GetCallerIdentityResult></GetCallerIdentityResponse>"
    );
    let endpoint = stand_in(vec![
        ("Action=GetCallerIdentity&", 200, caller),
        ("Action=DescribeSecurityGroups&", 200, groups),
        ("Action=DescribeSecurityGroupRules&", 200, rules),
        ("Action=GetManagedPrefixListEntries&", status, ec2_refusal(code)),
    ])
    .await;
    Live::new(account(endpoint, AccountAccess::default()).await, Trust::default())
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
