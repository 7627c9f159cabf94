//! Terraform's `awscc` provider: generated from CloudFormation's schemas, so that its names are
//! CloudFormation's in another spelling.

use quell_core::plan::{Declared, Language};
use serde_json::Value;
use std::collections::BTreeMap;

/// The types of the `awscc` provider that are known.
const AWSCC: [(&str, &str); 12] = [
    ("awscc_cloudtrail_trail", "AWS::CloudTrail::Trail"),
    ("awscc_ec2_security_group", "AWS::EC2::SecurityGroup"),
    ("awscc_ec2_security_group_ingress", "AWS::EC2::SecurityGroupIngress"),
    ("awscc_iam_group", "AWS::IAM::Group"),
    ("awscc_iam_group_policy", "AWS::IAM::GroupPolicy"),
    ("awscc_iam_managed_policy", "AWS::IAM::ManagedPolicy"),
    ("awscc_iam_role", "AWS::IAM::Role"),
    ("awscc_iam_role_policy", "AWS::IAM::RolePolicy"),
    ("awscc_iam_user", "AWS::IAM::User"),
    ("awscc_iam_user_policy", "AWS::IAM::UserPolicy"),
    ("awscc_s3_bucket", "AWS::S3::Bucket"),
    ("awscc_s3_bucket_policy", "AWS::S3::BucketPolicy"),
];

/// Names that are not made by writing each word with a capital.
const SPELLINGS: [(&str, &str); 1] = [("kms_key_id", "KMSKeyId")];

/// The declaration in CloudFormation's names; `None` for a type that is not known.
pub(super) fn cloudformation(declared: &Declared) -> Option<Declared> {
    let (_, kind) = AWSCC.iter().find(|(it, _)| *it == declared.kind)?;
    let keyed = |it: &BTreeMap<String, Vec<String>>| {
        it.iter().map(|(at, it)| (pascal_pointer(at), it.clone())).collect()
    };
    Some(Declared {
        language: Language::CloudFormation,
        kind: (*kind).to_owned(),
        address: declared.address.clone(),
        properties: pascal_keys(&declared.properties),
        unknown: declared.unknown.iter().map(|it| pascal_pointer(it)).collect(),
        references: keyed(&declared.references),
        drafts: declared.drafts.iter().map(|(at, it)| (pascal_pointer(at), it.clone())).collect(),
        intent: declared.intent,
        before: declared.before.as_ref().map(pascal_keys),
        at: declared.at.clone(),
        places: declared.places.iter().map(|(at, it)| (pascal_pointer(at), it.clone())).collect(),
    })
}

fn pascal_keys(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            fields.iter().map(|(key, it)| (pascal(key), pascal_keys(it))).collect()
        }
        Value::Array(list) => list.iter().map(pascal_keys).collect(),
        other => other.clone(),
    }
}

fn pascal_pointer(pointer: &str) -> String {
    pointer.split('/').map(pascal).collect::<Vec<_>>().join("/")
}

fn pascal(name: &str) -> String {
    if let Some((_, spelled)) = SPELLINGS.iter().find(|(it, _)| *it == name) {
        return (*spelled).to_owned();
    }
    let word = |it: &str| {
        let mut letters = it.chars();
        let first = letters.next().map(|it| it.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    name.split('_').map(word).collect()
}
