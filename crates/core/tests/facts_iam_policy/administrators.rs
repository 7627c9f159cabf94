//! Who is an administrator.

use crate::identity;
use quell_core::facts::iam_policy::admin::is_admin_managed_policy;
use serde_json::json;

#[test]
fn administrators() {
    let every = json!("*");
    let admin = [
        json!({"Action": "*", "Resource": "*"}),
        json!({"Action": ["s3:Get*", "*:*"], "Resource": ["arn:aws:s3:::b", "*"]}),
        json!({"Action": "**", "Resource": "arn:aws:*:*:*:*"}),
        json!({"Action": "*", "Resource": "arn:*"}),
        json!({"Action": "*", "Resource": "arn:aws:*:*:111122223333:*"}),
        json!({"NotAction": "s3:DeleteBucket", "Resource": every}),
        json!({"NotAction": ["aws-portal:*", "organizations:*"], "Resource": "*"}),
        json!({"Action": "*", "NotResource": "arn:aws:s3:::secret/*"}),
        json!({"Action": "*", "Resource": "*", "Condition": {}}),
        json!({"Action": "*", "Resource": "*",
            "Condition": {"Bool": {"aws:SecureTransport": "true"}}}),
        json!({"Action": "*", "Resource": "*",
            "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "false"}}}),
        json!({"Action": "*", "Resource": "*",
            "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "true"}}}),
        json!({"Action": "*", "Resource": "*",
            "Condition": {"StringNotEquals": {"aws:RequestedRegion": "us-east-2"}}}),
        json!({"Action": "*", "Resource": "*",
            "Condition": {"StringLike": {"aws:RequestedRegion": "*"}}}),
        // IAM is called in this region, wherever its users are.
        json!({"Action": "*", "Resource": "*",
            "Condition": {"StringEquals": {"aws:RequestedRegion": ["eu-west-1", "us-east-1"]}}}),
        json!({"Action": "*", "Resource": "*",
            "Condition": {"StringLike": {"aws:RequestedRegion": "cn-*"}}}),
        json!({"Action": "*", "Resource": "*",
            "Condition": {"IpAddress": {"aws:SourceIp": ["0.0.0.0/1", "128.0.0.0/1"]}}}),
        json!({"Action": "*", "Resource": "*",
            "Condition": {"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}}),
        // What an administrator gives himself, or calls himself.
        json!({"Action": "*", "Resource": "*",
            "Condition": {"StringEquals": {"aws:PrincipalTag/team": "ours"}}}),
        json!({"Action": "*", "Resource": "*",
            "Condition": {"StringLike": {"aws:SourceIdentity": "alice"}}}),
        json!({"Action": "*", "Resource": "*",
            "Condition": {"StringEquals": {"aws:MultiFactorAuthPresent": "false"}}}),
        json!({"Action": "*", "Resource": "*",
            "Condition": {"StringLike": {"aws:MultiFactorAuthPresent": ["true", "false"]}}}),
    ];
    for statement in admin {
        assert_eq!(identity(statement.clone()), "admin", "{statement}");
    }
    let harmless = [
        json!({"Action": "iam:*", "Resource": "*"}),
        json!({"Action": "s3:*", "Resource": "*"}),
        json!({"Action": "*", "Resource": "arn:aws:s3:::bucket/*"}),
        json!({"Action": "*", "Resource": "arn:aws:s3:::*"}),
        json!({"Action": "*", "Resource": "arn:aws:s3:*:111122223333:*"}),
        json!({"Action": "*", "Resource": "arn:aws:*:111122223333:*:*"}),
        json!({"Action": "*", "Resource": "*",
            "Condition": {"StringEquals": {"aws:MultiFactorAuthPresent": "true"}}}),
        json!({"NotAction": ["iam:*", "organizations:*"], "Resource": "*"}),
        json!({"NotAction": "*", "Resource": "*"}),
        json!({"Action": "*", "NotResource": "*"}),
        json!({"Action": "*", "Resource": "*",
            "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}),
        json!({"Action": "*", "Resource": "*",
            "Condition": {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}}),
        json!({"Action": "*", "Resource": "*",
            "Condition": {"IpAddress": {"aws:SourceIp": "198.51.100.0/24"}}}),
        json!({"Action": "*", "Resource": "*",
            "Condition": {"StringEquals": {"aws:ResourceTag/team": "ours"}}}),
    ];
    for statement in harmless {
        assert_eq!(identity(statement.clone()), "harmless", "{statement}");
    }
}

#[test]
fn managed_administrators() {
    assert!(is_admin_managed_policy("arn:aws:iam::aws:policy/AdministratorAccess"));
    assert!(is_admin_managed_policy("arn:aws-cn:iam::aws:policy/AdministratorAccess"));
    assert!(is_admin_managed_policy("arn:aws-us-gov:iam::aws:policy/AdministratorAccess"));
    assert!(!is_admin_managed_policy("arn:aws:iam::111111111111:policy/AdministratorAccess"));
    assert!(!is_admin_managed_policy("arn:aws:iam::aws:policy/AdministratorAccess-Amplify"));
    assert!(!is_admin_managed_policy("arn:aws:iam::aws:policy/PowerUserAccess"));
}
