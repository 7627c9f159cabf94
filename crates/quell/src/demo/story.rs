//! The story: what attackers, colleagues and the cloud do, in acts. What Quell does about it is
//! nowhere written here; it follows from the policies, the configuration and the account.

use super::DemoError;
use super::account::{
    HOME_REGION, REGION, STORM_GROUPS, block, bucket_ref, policy_ref, principal_ref, tls_only,
    trail_ref,
};
use super::call::{ACCOUNT, Call, Caller};
use super::show::Show;
use super::stage::{Stage, StageError};
use crate::clock::Clock as _;
use quell_core::resource::{ResourceRef, State};
use serde_json::{Value, json};

const MALLORY: Caller = Caller::User("mallory");
const ALICE: Caller = Caller::User("alice");
const CI: Caller = Caller::Role("ci-runner", "job-4711");
const TERRAFORM: Caller = Caller::Role("terraform", "apply");
/// The role that the demo's configuration gives to Quell.
const QUELL: &str = "quell-write";

/// Plays it all.
pub async fn play(stage: &mut Stage, show: &mut Show<'_>) -> Result<(), DemoError> {
    show.act("Buckets")?;
    buckets(stage, show).await?;
    access_lists(stage, show).await?;
    show.act("Security groups")?;
    groups(stage, show).await?;
    show.act("The audit trail")?;
    trails(stage, show).await?;
    show.act("Permissions")?;
    permissions(stage, show).await?;
    show.act("What must not be fixed blindly")?;
    signals(stage, show).await?;
    stolen_role(stage, show).await?;
    show.act("A fight")?;
    fight(stage, show).await?;
    show.act("A storm")?;
    storm(stage, show).await
}

async fn buckets(stage: &mut Stage, show: &mut Show<'_>) -> Result<(), DemoError> {
    let invoices = bucket_ref("acme-invoices");
    stage.change(&invoices, |it| put(it, "PublicAccessBlockConfiguration", Value::Null))?;
    let call = s3(MALLORY, "DeleteBucketPublicAccessBlock", "acme-invoices", json!({}));
    let title = "mallory deletes the public access block of acme-invoices";
    let delivery = stage.event(title, &call, "").await?;
    show.newest(stage).await?;

    stage.deliver("the same event is delivered a second time", &delivery, "").await?;
    show.newest(stage).await?;

    let session = Caller::Role(QUELL, "quell-fix");
    let mut own = s3(session, "PutBucketPublicAccessBlock", "acme-invoices", json!({}));
    own.request_id = stage.newest_request();
    let remark = "our role, and a request id that is in the ledger: nothing to look at";
    stage.event("Quell's own call comes back as an event", &own, remark).await?;
    show.newest(stage).await?;

    let website = bucket_ref("acme-website");
    let policy = website_policy();
    stage.change(&website, |it| {
        put(it, "PublicAccessBlockConfiguration", Value::Null);
        put(it, "BucketPolicy", policy.clone());
    })?;
    let call = s3(CI, "PutBucketPolicy", "acme-website", json!({ "bucketPolicy": policy }));
    let title = "ci-runner drops the block of acme-website and lets everyone read";
    let remark = "one statement goes; the TLS Deny, the organization and the CDN stay";
    stage.event(title, &call, remark).await?;
    show.newest(stage).await?;
    Ok(())
}

async fn access_lists(stage: &mut Stage, show: &mut Show<'_>) -> Result<(), DemoError> {
    let uploads = bucket_ref("acme-uploads");
    stage.change(&uploads, |it| {
        put(it, "PublicAccessBlockConfiguration", block(false));
        push(
            it,
            "/AccessControlList/Grants",
            json!({
                "Grantee": {
                    "Type": "Group",
                    "URI": "http://acs.amazonaws.com/groups/global/AllUsers",
                },
                "Permission": "READ",
            }),
        );
    })?;
    let call = s3(ALICE, "PutBucketAcl", "acme-uploads", json!({ "x-amz-acl": "public-read" }));
    let remark = "the grant goes first, then the block closes; the owner's grant stays";
    stage.event("alice makes acme-uploads public-read by its ACL", &call, remark).await?;
    show.newest(stage).await?;

    let press = bucket_ref("acme-press-kit");
    stage.change(&press, |it| put(it, "PublicAccessBlockConfiguration", block(false)))?;
    let call = s3(ALICE, "PutBucketPublicAccessBlock", "acme-press-kit", json!({}));
    stage.event("alice opens acme-press-kit, which is exempted", &call, "").await?;
    show.newest(stage).await?;

    let partners = bucket_ref("acme-partners");
    stage.change(&partners, |it| put(it, "PublicAccessBlockConfiguration", Value::Null))?;
    let call = s3(CI, "DeleteBucketPublicAccessBlock", "acme-partners", json!({}));
    let title = "ci-runner deletes the block of acme-partners, where people approve";
    stage.event(title, &call, "the exact change waits for a person").await?;
    show.newest(stage).await
}

async fn groups(stage: &mut Stage, show: &mut Show<'_>) -> Result<(), DemoError> {
    let bastion = stage.group("bastion")?;
    let title = "alice opens SSH on bastion to 0.0.0.0/0";
    let remark = "the web and the office rule stay";
    open(stage, &bastion, ALICE, title, &[("tcp", 22, 22, "0.0.0.0/0")], remark).await?;
    show.newest(stage).await?;

    let web = stage.group("web")?;
    let halves = [("tcp", 22, 22, "0.0.0.0/1"), ("tcp", 22, 22, "128.0.0.0/1")];
    let title = "mallory opens SSH on web to the two halves of the world";
    open(stage, &web, MALLORY, title, &halves, "each half may be meant, so a person decides")
        .await?;
    show.newest(stage).await?;

    let debug = stage.group("debug")?;
    let title = "ci-runner opens everything on debug to the world";
    open(stage, &debug, CI, title, &[("-1", -1, -1, "0.0.0.0/0")], "").await?;
    show.newest(stage).await?;

    let database = stage.group("analytics-db")?;
    let title = "alice opens PostgreSQL on analytics-db to the IPv6 world";
    open(stage, &database, ALICE, title, &[("tcp", 5432, 5432, "::/0")], "").await?;
    show.newest(stage).await
}

async fn trails(stage: &mut Stage, show: &mut Show<'_>) -> Result<(), DemoError> {
    let audit = trail_ref("audit");
    stage.change(&audit, |it| put(it, "IsLogging", json!(false)))?;
    let call = trail(MALLORY, "StopLogging", json!({ "name": audit.id }));
    stage.event("mallory stops the trail audit", &call, "").await?;
    show.newest(stage).await?;

    let data = trail_ref("data-events");
    stage.change(&data, |it| {
        put(it, "IsMultiRegionTrail", json!(false));
        put(it, "EnableLogFileValidation", json!(false));
    })?;
    let mut call = trail(
        CI,
        "UpdateTrail",
        json!({
            "name": "data-events",
            "isMultiRegionTrail": false,
            "enableLogFileValidation": false,
        }),
    );
    call.response = json!({ "trailARN": data.id });
    let title = "ci-runner quietly weakens data-events: one region, no digests";
    stage.event(title, &call, "").await?;
    show.newest(stage).await
}

async fn permissions(stage: &mut Stage, show: &mut Show<'_>) -> Result<(), DemoError> {
    let app = policy_ref("app");
    let all = json!({ "Sid": "Temporary", "Effect": "Allow", "Action": "*", "Resource": "*" });
    stage.change(&app, |it| {
        push(it, "/PolicyDocument/Statement", all);
        put(it, "DefaultVersionId", json!("v2"));
        push(it, "/Versions", json!("v2"));
    })?;
    let document =
        stage.account.get(&app).and_then(|it| it.properties.get("PolicyDocument").cloned());
    let mut call = iam(
        MALLORY,
        "CreatePolicyVersion",
        json!({
            "policyArn": app.id,
            "policyDocument": document.unwrap_or_default().to_string(),
            "setAsDefault": true,
        }),
    );
    call.response = json!({ "policyVersion": { "versionId": "v2", "isDefaultVersion": true } });
    let title = "mallory adds Allow * on * to the policy app, as a new version";
    stage.event(title, &call, "a new version without the one statement, never an old one").await?;
    show.newest(stage).await?;

    let administrator = "arn:aws:iam::aws:policy/AdministratorAccess";
    let runner = principal_ref("AWS::IAM::Role", "ci-runner");
    stage.change(&runner, |it| {
        put(
            it,
            "ManagedPolicyArns",
            json!([administrator, "arn:aws:iam::aws:policy/ReadOnlyAccess"]),
        );
    })?;
    let request = json!({ "roleName": "ci-runner", "policyArn": administrator });
    let call = iam(MALLORY, "AttachRolePolicy", request);
    stage.event("mallory attaches AdministratorAccess to ci-runner", &call, "").await?;
    show.newest(stage).await
}

async fn signals(stage: &mut Stage, show: &mut Show<'_>) -> Result<(), DemoError> {
    let mut call = s3(MALLORY, "PutBucketPolicy", "acme-payroll", json!({}));
    call.refused = Some("AccessDenied");
    let title = "mallory tries to make acme-payroll public and is refused";
    stage.event(title, &call, "a signal, never a reason to change anything").await?;
    show.newest(stage).await?;

    let campaign = bucket_ref("acme-campaign-2024");
    stage.account.set(&campaign, None).map_err(StageError::Account)?;
    let call = s3(ALICE, "DeleteBucketPublicAccessBlock", "acme-campaign-2024", json!({}));
    let title = "alice opens acme-campaign-2024 and deletes it before the event arrives";
    stage.event(title, &call, "the state is always read: the bucket is gone").await?;
    show.newest(stage).await
}

async fn stolen_role(stage: &mut Stage, show: &mut Show<'_>) -> Result<(), DemoError> {
    let bastion = stage.group("bastion")?;
    let thief = Caller::Role(QUELL, "laptop");
    let title = "somebody with Quell's own role opens RDP on bastion";
    let remark = "our name alone is no pass: the request id is not in the ledger";
    open(stage, &bastion, thief, title, &[("tcp", 3389, 3389, "0.0.0.0/0")], remark).await?;
    show.newest(stage).await
}

async fn fight(stage: &mut Stage, show: &mut Show<'_>) -> Result<(), DemoError> {
    let group = stage.group("partner-api")?;
    let rules = [("tcp", 22, 22, "0.0.0.0/0")];
    for (title, remark) in [
        ("terraform opens SSH on partner-api", ""),
        ("terraform opens it again", ""),
        ("terraform opens it once more", "Quell stops, and names who moves it back"),
    ] {
        open(stage, &group, TERRAFORM, title, &rules, remark).await?;
        show.newest(stage).await?;
    }
    Ok(())
}

/// A script runs wild: all calls are made at once, their events arrive second by second.
async fn storm(stage: &mut Stage, show: &mut Show<'_>) -> Result<(), DemoError> {
    stage.wait_s(90);
    let rules = [("tcp", 3389, 3389, "0.0.0.0/0")];
    let mut deliveries = Vec::new();
    for number in 1..=STORM_GROUPS {
        let group = stage.group(&format!("batch-{number:02}"))?;
        let call = authorize(stage, &group, CI, &rules)?;
        let delivery = call.delivery(stage.clock.now(), &mut stage.dice);
        deliveries.push((number, delivery));
    }
    for (number, delivery) in deliveries {
        stage.wait_s(1);
        let title = format!("ci-runner opens RDP on batch-{number:02}");
        stage.deliver(title, &delivery, "").await?;
        show.newest_in_short(stage).await?;
    }
    Ok(())
}

type Rule = (&'static str, i64, i64, &'static str);

/// Somebody adds ingress rules to a group.
async fn open(
    stage: &mut Stage,
    group: &ResourceRef,
    caller: Caller,
    title: &str,
    rules: &[Rule],
    remark: &'static str,
) -> Result<(), StageError> {
    let call = authorize(stage, group, caller, rules)?;
    stage.event(title, &call, remark).await.map(|_| ())
}

fn authorize(
    stage: &Stage,
    group: &ResourceRef,
    caller: Caller,
    rules: &[Rule],
) -> Result<Call, StageError> {
    let (mut asked, mut made) = (Vec::new(), Vec::new());
    for (protocol, from, to, cidr) in rules {
        let id = stage.account.next_rule_id();
        let six = cidr.contains(':');
        let (property, answer) =
            if six { ("CidrIpv6", "cidrIpv6") } else { ("CidrIp", "cidrIpv4") };
        let (list, key) = if six { ("ipv6Ranges", "cidrIpv6") } else { ("ipRanges", "cidrIp") };
        stage.change(group, |it| {
            push(
                it,
                "/SecurityGroupIngress",
                json!({
                    "RuleId": id,
                    "IpProtocol": protocol,
                    "FromPort": from,
                    "ToPort": to,
                    property: cidr,
                }),
            );
        })?;
        let ports = json!({ "ipProtocol": protocol, "fromPort": from, "toPort": to });
        asked.push(with(ports.clone(), list, json!({ "items": [{ key: cidr }] })));
        let named = with(with(ports, "securityGroupRuleId", json!(id)), answer, json!(cidr));
        made.push(with(with(named, "groupId", json!(group.id)), "isEgress", json!(false)));
    }
    let request = json!({ "groupId": group.id, "ipPermissions": { "items": asked } });
    let mut call = Call::new(caller, "ec2", "AuthorizeSecurityGroupIngress", REGION, request);
    call.response = json!({ "_return": true, "securityGroupRuleSet": { "items": made } });
    Ok(call)
}

fn s3(caller: Caller, operation: &'static str, bucket: &str, request: Value) -> Call {
    let request = with(request, "bucketName", json!(bucket));
    Call::new(caller, "s3", operation, REGION, request)
}

fn trail(caller: Caller, operation: &'static str, request: Value) -> Call {
    Call::new(caller, "cloudtrail", operation, HOME_REGION, request)
}

fn iam(caller: Caller, operation: &'static str, request: Value) -> Call {
    Call::new(caller, "iam", operation, HOME_REGION, request)
}

fn website_policy() -> Value {
    let everything = "arn:aws:s3:::acme-website/*";
    let distribution = format!("arn:aws:cloudfront::{ACCOUNT}:distribution/E1EXAMPLE");
    json!({ "Version": "2012-10-17", "Statement": [
        tls_only("acme-website"),
        {
            "Sid": "QuickTest",
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": everything,
        },
        {
            "Sid": "OurOrganization",
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": everything,
            "Condition": { "StringEquals": { "aws:PrincipalOrgID": "o-a1b2c3d4e5" } },
        },
        {
            "Sid": "Cdn",
            "Effect": "Allow",
            "Principal": { "Service": "cloudfront.amazonaws.com" },
            "Action": "s3:GetObject",
            "Resource": everything,
            "Condition": { "StringEquals": { "AWS:SourceArn": distribution } },
        },
    ]})
}

/// Sets a property; null takes it away.
fn put(state: &mut State, property: &str, value: Value) {
    let Some(properties) = state.properties.as_object_mut() else { return };
    match value {
        Value::Null => properties.remove(property),
        value => properties.insert(property.to_owned(), value),
    };
}

/// Adds an element to a list.
fn push(state: &mut State, pointer: &str, element: Value) {
    if let Some(Value::Array(list)) = state.properties.pointer_mut(pointer) {
        list.push(element);
    }
}

fn with(mut object: Value, key: &str, value: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(key.to_owned(), value);
    }
    object
}
