//! The simulated account before the first attack: a small company's, in good order. Property names
//! are CloudFormation's, as the library reads them.

use super::call::ACCOUNT;
use crate::simulation::dice::Dice;
use jiff::Timestamp;
use quell_core::resource::{ResourceRef, State};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Where the company works.
pub const REGION: &str = "eu-central-1";
/// The home region of IAM and of the trails.
pub const HOME_REGION: &str = "us-east-1";
/// The groups that the storm hits.
pub const STORM_GROUPS: usize = 12;
/// CloudFormation's types of what the account holds.
pub const BUCKET: &str = "AWS::S3::Bucket";
/// See [`BUCKET`].
pub const GROUP: &str = "AWS::EC2::SecurityGroup";
/// See [`BUCKET`].
pub const TRAIL: &str = "AWS::CloudTrail::Trail";

const OWNER: &str = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be";

/// Everything that there is.
pub fn resources(dice: &mut Dice, now: Timestamp) -> Vec<State> {
    let mut all = vec![
        bucket("acme-invoices", &[("team", "billing")], true),
        bucket("acme-website", &[("team", "web")], false),
        bucket("acme-uploads", &[("team", "web")], false),
        bucket("acme-press-kit", &[("team", "communications")], false),
        bucket("acme-partners", &[("team", "sales")], true),
        bucket("acme-payroll", &[("team", "people")], true),
        bucket("acme-backups", &[("team", "platform")], true),
        bucket("acme-audit-logs", &[("team", "security")], true),
        bucket("acme-campaign-2024", &[("team", "web")], true),
        bucket("acme-terraform-state", &[("team", "platform")], true),
        trail("audit"),
        trail("data-events"),
        managed_policy("app"),
        managed_policy("reporting"),
        principal("AWS::IAM::User", "alice"),
        principal("AWS::IAM::User", "mallory"),
        principal("AWS::IAM::Role", "ci-runner"),
        principal("AWS::IAM::Role", "terraform"),
    ];
    for name in ["web", "bastion", "analytics-db", "debug", "partner-api"] {
        all.push(group(name, dice));
    }
    for number in 1..=STORM_GROUPS {
        all.push(group(&format!("batch-{number:02}"), dice));
    }
    for state in &mut all {
        state.observed = now;
    }
    all
}

/// A public access block with all four switches at one value.
pub fn block(on: bool) -> Value {
    json!({
        "BlockPublicAcls": on,
        "IgnorePublicAcls": on,
        "BlockPublicPolicy": on,
        "RestrictPublicBuckets": on,
    })
}

/// The bucket policy's statement that refuses calls without TLS.
pub fn tls_only(bucket: &str) -> Value {
    json!({
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [format!("arn:aws:s3:::{bucket}"), format!("arn:aws:s3:::{bucket}/*")],
        "Condition": { "Bool": { "aws:SecureTransport": "false" } },
    })
}

/// The name of a bucket in this account.
pub fn bucket_ref(name: &str) -> ResourceRef {
    resource(BUCKET, name, REGION)
}

/// The name of a trail in this account.
pub fn trail_ref(name: &str) -> ResourceRef {
    resource(
        TRAIL,
        &format!("arn:aws:cloudtrail:{HOME_REGION}:{ACCOUNT}:trail/{name}"),
        HOME_REGION,
    )
}

/// The name of a managed policy in this account.
pub fn policy_ref(name: &str) -> ResourceRef {
    let arn = format!("arn:aws:iam::{ACCOUNT}:policy/{name}");
    resource("AWS::IAM::ManagedPolicy", &arn, HOME_REGION)
}

/// The name of a user or role in this account.
pub fn principal_ref(kind: &str, name: &str) -> ResourceRef {
    resource(kind, name, HOME_REGION)
}

fn resource(kind: &str, id: &str, region: &str) -> ResourceRef {
    ResourceRef {
        kind: kind.to_owned(),
        id: id.to_owned(),
        account: ACCOUNT.to_owned(),
        region: region.to_owned(),
    }
}

fn state(resource: ResourceRef, tags: &[(&str, &str)], properties: Value) -> State {
    State {
        resource,
        tags: tags.iter().map(|(key, it)| ((*key).to_owned(), (*it).to_owned())).collect(),
        properties,
        facts: Value::Null,
        unknown: Default::default(),
        observed: Timestamp::UNIX_EPOCH,
    }
}

/// `modern`: made since April 2023, with all four switches on and ACLs disabled.
fn bucket(name: &str, tags: &[(&str, &str)], modern: bool) -> State {
    let ownership = if modern { "BucketOwnerEnforced" } else { "ObjectWriter" };
    let properties = json!({
        "OwnershipControls": { "Rules": [{ "ObjectOwnership": ownership }] },
        "PublicAccessBlockConfiguration": block(true),
        "BucketPolicy": { "Version": "2012-10-17", "Statement": [tls_only(name)] },
        "AccessControlList": {
            "Owner": { "ID": OWNER },
            "Grants": [{
                "Grantee": { "Type": "CanonicalUser", "ID": OWNER },
                "Permission": "FULL_CONTROL",
            }],
        },
    });
    state(bucket_ref(name), tags, properties)
}

fn group(name: &str, dice: &mut Dice) -> State {
    let id = format!("sg-0{:016x}", dice.number());
    let rule = |number: u64, port: u16, cidr: &str, why: &str| {
        json!({
            "RuleId": format!("sgr-0{number:016x}"),
            "IpProtocol": "tcp",
            "FromPort": port,
            "ToPort": port,
            "CidrIp": cidr,
            "Description": why,
        })
    };
    let properties = json!({
        "GroupName": name,
        "VpcId": "vpc-0123456789abcdef0",
        "SecurityGroupIngress": [
            rule(dice.number(), 443, "0.0.0.0/0", "public web"),
            rule(dice.number(), 22, "203.0.113.0/24", "office"),
        ],
        "PrefixLists": {},
    });
    state(resource(GROUP, &id, REGION), &[("team", "platform")], properties)
}

fn trail(name: &str) -> State {
    let resource = trail_ref(name);
    let properties = json!({
        "TrailName": name,
        "Arn": resource.id,
        "HomeRegion": HOME_REGION,
        "S3BucketName": "acme-audit-logs",
        "IsLogging": true,
        "IsMultiRegionTrail": true,
        "IncludeGlobalServiceEvents": true,
        "EnableLogFileValidation": true,
        "IsOrganizationTrail": false,
        "EventSelectors": [{
            "ReadWriteType": "All",
            "IncludeManagementEvents": true,
            "DataResources": [],
            "ExcludeManagementEventSources": [],
        }],
    });
    state(resource, &[], properties)
}

fn managed_policy(name: &str) -> State {
    let properties = json!({
        "PolicyName": name,
        "Path": "/",
        "DefaultVersionId": "v1",
        "Versions": ["v1"],
        "PolicyDocument": { "Version": "2012-10-17", "Statement": [{
            "Sid": "ReadLogs",
            "Effect": "Allow",
            "Action": ["logs:GetLogEvents", "logs:FilterLogEvents"],
            "Resource": format!("arn:aws:logs:*:{ACCOUNT}:log-group:/{name}/*"),
        }]},
    });
    state(policy_ref(name), &[], properties)
}

fn principal(kind: &str, name: &str) -> State {
    let word = if kind.ends_with("User") { "user" } else { "role" };
    let properties = json!({
        "Arn": format!("arn:aws:iam::{ACCOUNT}:{word}/{name}"),
        "Path": "/",
        "ManagedPolicyArns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"],
        "AttachedPolicyDocuments": {},
        "Policies": {},
    });
    let mut state = state(principal_ref(kind, name), &[], properties);
    state.tags = BTreeMap::from([("team".to_owned(), "platform".to_owned())]);
    state
}
