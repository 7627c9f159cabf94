//! Who may call by an Allow: principals, conditions, shared identity providers.

use crate::{anyone, brief, document, grant, inside};
use quell_core::facts::iam_policy::document::kind_of;
use quell_core::facts::iam_policy::{Allow, Kind, analyze};
use serde_json::{Value, json};

#[test]
fn principals() {
    let cases = [
        (json!("*"), "public"),
        (json!({"AWS": "*"}), "public"),
        (json!({"AWS": ["111111111111", "*"]}), "public"),
        (json!({"Service": "*"}), "public"),
        (json!({"AWS": "arn:aws:iam::*:role/admin"}), "public"),
        (json!({"AWS": "111111111111"}), "harmless"),
        (json!({"AWS": "arn:aws:iam::111111111111:root"}), "harmless"),
        (json!({"AWS": "arn:aws-cn:iam::111111111111:user/me"}), "harmless"),
        (json!({"AWS": "arn:aws:sts::111111111111:assumed-role/r/s"}), "harmless"),
        (json!({"AWS": "999999999999"}), "cross-account"),
        (json!({"AWS": ["111111111111", "999999999999"]}), "cross-account"),
        (json!({"AWS": "arn:aws:iam::222222222222:role/friend-1"}), "harmless"),
        (json!({"AWS": "arn:aws:iam::222222222222:role/other"}), "cross-account"),
        (json!({"AWS": "AIDACKCEVSQ6C2EXAMPLE"}), "cross-account"),
        (json!({"CanonicalUser": "79a59df900b949e55d96a1e698fbaced"}), "cross-account"),
        (json!({"Service": "cloudtrail.amazonaws.com"}), "harmless"),
        (json!({"Service": "s3.amazonaws.com", "AWS": "999999999999"}), "cross-account"),
        (
            json!({"AWS": "arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1"}),
            "harmless",
        ),
        // S3 user guide, The meaning of "public": the first example.
        (json!({"Federated": "graph.facebook.com"}), "public"),
        (json!({"Federated": "arn:aws:iam::111111111111:saml-provider/ours"}), "harmless"),
        (json!({"Federated": "arn:aws:iam::999999999999:saml-provider/theirs"}), "cross-account"),
        (json!(["619193117841"]), "cross-account"),
    ];
    for (principal, expected) in cases {
        assert_eq!(grant(principal.clone(), json!({})), expected, "{principal}");
    }
    let not = json!({"Effect": "Allow", "NotPrincipal": {"AWS": "999999999999"}, "Action": "*",
        "Resource": "*"});
    assert_eq!(brief(&analyze(&document(not), None, &inside())), "public");
    let nobody = json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"});
    let analysis = analyze(&document(nobody), Some(Kind::Resource), &inside());
    assert_eq!((analysis.valid, brief(&analysis)), (false, "public"));
}

#[test]
fn conditions_that_limit_who_may_call() {
    let cases = [
        (json!({"StringEquals": {"aws:PrincipalOrgID": "o-ours"}}), "harmless"),
        (json!({"StringEquals": {"AWS:principalorgid": ["o-ours"]}}), "harmless"),
        (json!({"StringEquals": {"aws:PrincipalOrgID": "o-theirs"}}), "cross-account"),
        (json!({"StringEquals": {"aws:PrincipalOrgID": ["o-ours", "o-theirs"]}}), "cross-account"),
        (json!({"StringEquals": {"aws:SourceAccount": "111111111111"}}), "harmless"),
        (json!({"StringEquals": {"aws:SourceAccount": 111111111111u64}}), "harmless"),
        (json!({"StringEquals": {"aws:SourceOwner": "999999999999"}}), "cross-account"),
        (json!({"StringEquals": {"aws:PrincipalAccount": "${aws:ResourceAccount}"}}), "harmless"),
        (json!({"StringEquals": {"kms:CallerAccount": "111111111111"}}), "harmless"),
        (json!({"StringEquals": {"s3:DataAccessPointAccount": "111111111111"}}), "harmless"),
        (
            json!({"StringLike": {"s3:DataAccessPointArn":
                "arn:aws:s3:us-west-2:111111111111:accesspoint/*"}}),
            "harmless",
        ),
    ];
    for (condition, expected) in cases {
        assert_eq!(anyone(condition.clone()), expected, "{condition}");
    }
}

#[test]
fn a_service_acts_for_whom_the_condition_names() {
    let service = |condition| grant(json!({"Service": "sns.amazonaws.com"}), condition);
    let own = json!({"StringEquals": {"aws:SourceAccount": "111111111111"}});
    let theirs = json!({"StringEquals": {"aws:SourceAccount": "999999999999"}});
    let arn =
        |account| json!({"ArnLike": {"aws:SourceArn": format!("arn:aws:sns:*:{account}:topic")}});
    assert_eq!(service(json!({})), "harmless");
    assert_eq!(service(own), "harmless");
    assert_eq!(service(arn("111111111111")), "harmless");
    assert_eq!(service(theirs), "cross-account");
    assert_eq!(service(arn("999999999999")), "cross-account");
    let either = json!({"StringEquals": {"aws:SourceAccount": ["111111111111", "999999999999"]}});
    assert_eq!(service(either), "cross-account");
}

#[test]
fn conditions_that_limit_by_arn_network_and_path() {
    let cases = [
        (json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111111111111:role/*"}}), "harmless"),
        (json!({"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:999999999999:*"}}), "cross-account"),
        (
            json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::222222222222:role/friend-7"}}),
            "harmless",
        ),
        // A bucket's ARN does not tell whose it is.
        (json!({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::bucket"}}), "cross-account"),
        (
            json!({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::bucket"},
                "StringEquals": {"aws:SourceAccount": "111111111111"}}),
            "harmless",
        ),
        (json!({"StringEquals": {"aws:SourceVpc": "vpc-ours"}}), "harmless"),
        (json!({"StringEquals": {"aws:SourceVpc": "vpc-theirs"}}), "cross-account"),
        (json!({"StringEquals": {"aws:SourceVpce": ["vpce-ours"]}}), "harmless"),
        (json!({"IpAddress": {"aws:SourceIp": "198.51.100.0/24"}}), "harmless"),
        (json!({"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "2001:db8::/32"]}}), "harmless"),
        // A unique id does not tell its account.
        (json!({"StringLike": {"aws:userid": "AROAEXAMPLEID:*"}}), "cross-account"),
        (json!({"StringLike": {"aws:userid": "AROAFRIEND:*"}}), "harmless"),
        (
            json!({"StringLike": {"aws:SourceArn": "arn:aws:sns:eu-west-1:111111111111:*"}}),
            "harmless",
        ),
        (json!({"StringEquals": {"aws:userid": "999999999999"}}), "cross-account"),
        (json!({"Bool": {"aws:PrincipalIsAWSService": "true"}}), "harmless"),
        (json!({"Bool": {"elasticfilesystem:AccessedViaMountTarget": true}}), "harmless"),
        (
            json!({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths":
                ["o-partner/r-root/ou-shared/*"]}}),
            "harmless",
        ),
        (
            json!({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": ["o-partner/r-root/*"]}}),
            "cross-account",
        ),
        (
            json!({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths":
                ["o-partner/r-root/ou-shared*"]}}),
            "cross-account",
        ),
        (json!({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-ours/*"}}), "harmless"),
        // Presence demanded: neither `IfExists` nor `ForAllValues` lets the absent key pass.
        (
            json!({"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-ours"},
                "Null": {"aws:PrincipalOrgID": "false"}}),
            "harmless",
        ),
        (
            json!({"ForAllValues:StringLike": {"aws:PrincipalOrgPaths": "o-ours/*"},
                "Null": {"aws:PrincipalOrgPaths": false}}),
            "harmless",
        ),
        // All conditions hold together: one that limits is enough.
        (
            json!({"StringLike": {"aws:PrincipalArn": "*"},
                "StringEquals": {"aws:PrincipalOrgID": "o-ours", "s3:prefix": "x"}}),
            "harmless",
        ),
    ];
    for (condition, expected) in cases {
        assert_eq!(anyone(condition.clone()), expected, "{condition}");
    }
}

#[test]
fn conditions_that_limit_nobody() {
    let cases = [
        json!({}),
        // Wildcards and variables are no fixed values.
        json!({"StringLike": {"aws:SourceVpc": "vpc-*"}}),
        json!({"StringLike": {"aws:PrincipalOrgID": "o-*"}}),
        json!({"StringEquals": {"aws:PrincipalOrgID": "*"}}),
        json!({"StringEquals": {"aws:PrincipalOrgID": ["o-ours", "*"]}}),
        json!({"StringEquals": {"aws:SourceAccount": "${aws:PrincipalAccount}"}}),
        json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/MyRole"}}),
        json!({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::bucket-*"}}),
        // To `StringLike` an ARN is a text: the star may hold another account.
        json!({"StringLike": {"aws:SourceArn": "arn:aws:lambda:*:111111111111:*"}}),
        json!({"StringLike": {"aws:PrincipalArn": "arn:aws:*::111111111111:*"}}),
        json!({"StringLike": {"aws:userid": "*:session"}}),
        json!({"StringLike": {"aws:PrincipalOrgPaths": "*"}}),
        // Pass when the key is absent.
        json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-theirs"}}),
        json!({"NotIpAddress": {"aws:SourceIp": "198.51.100.0/24"}}),
        json!({"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-ours"}}),
        json!({"ForAllValues:StringEquals": {"aws:PrincipalOrgPaths": "o-ours/r/ou"}}),
        json!({"Null": {"aws:SourceVpce": "false"}}),
        // Too broad: S3 user guide, The meaning of "public".
        json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}),
        json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/1"}}),
        json!({"IpAddress": {"aws:SourceIp": ["198.51.100.0/24", "::/0"]}}),
        json!({"IpAddress": {"aws:SourceIp": "2001::/16"}}),
        // Every VPC can have these addresses.
        json!({"IpAddress": {"aws:VpcSourceIp": "10.0.0.0/16"}}),
        // The resource, the request, or what every account can set.
        json!({"StringEquals": {"aws:ResourceOrgID": "o-ours"}}),
        json!({"StringEquals": {"s3:prefix": "public/"}}),
        json!({"NumericGreaterThan": {"s3:TlsVersion": 1.1}}),
        json!({"Bool": {"aws:SecureTransport": "true"}}),
        json!({"StringEquals": {"aws:PrincipalTag/team": "ours"}}),
        json!({"StringEquals": {"aws:username": "alice"}}),
        json!({"StringEquals": {"sts:ExternalId": "secret"}}),
        json!({"StringLike": {"aws:Referer": "https://example.com/*"}}),
        json!({"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}),
        json!({"StringEquals": {"lambda:FunctionUrlAuthType": "AWS_IAM"}}),
        json!({"Bool": {"aws:PrincipalIsAWSService": "false"}}),
        // No condition at all.
        json!({"StringEqual": {"aws:PrincipalOrgID": "o-ours"}}),
        json!({"StringEquals": {"aws:PrincipalOrgID": []}}),
    ];
    for condition in cases {
        assert_eq!(anyone(condition.clone()), "public", "{condition}");
    }
}

#[test]
fn outsiders_and_conditions() {
    let foreign = json!({"AWS": "999999999999"});
    let with = |condition| grant(foreign.clone(), condition);
    assert_eq!(with(json!({"StringEquals": {"aws:PrincipalOrgID": "o-ours"}})), "harmless");
    assert_eq!(with(json!({"StringEquals": {"aws:SourceVpce": "vpce-ours"}})), "harmless");
    assert_eq!(with(json!({"IpAddress": {"aws:SourceIp": "198.51.100.0/24"}})), "cross-account");
    assert_eq!(with(json!({"StringEquals": {"sts:ExternalId": "1"}})), "cross-account");
}

#[test]
fn networks_are_not_checked_without_a_list() {
    let statement = json!({"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*",
        "Condition": {"StringEquals": {"aws:SourceVpc": "vpc-any"}}});
    let analysis = analyze(&document(statement), None, &Allow::default());
    assert_eq!(brief(&analysis), "harmless");
}

/// Who can assume a role that trusts GitHub, with this `sub`.
fn github(condition: Value) -> &'static str {
    let provider = "arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com";
    let statement = json!({"Effect": "Allow", "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity", "Condition": condition});
    let document = document(statement);
    assert_eq!(kind_of(&document), Kind::Trust);
    brief(&analyze(&document, None, &inside()))
}

#[test]
fn shared_identity_providers() {
    let key = "token.actions.githubusercontent.com:sub";
    let sub = |value: &str| github(json!({"StringLike": {key: value}}));
    assert_eq!(github(json!({})), "public");
    assert_eq!(
        github(json!({"StringEquals": {"token.actions.githubusercontent.com:aud": "sts"}})),
        "public"
    );
    assert_eq!(sub("repo:*"), "public");
    assert_eq!(sub("repo:octo*"), "public");
    assert_eq!(sub("*"), "public");
    assert_eq!(sub("repo:octo-org/*"), "harmless");
    assert_eq!(sub("repo:octo-org/app:ref:refs/heads/main"), "harmless");
    assert_eq!(github(json!({"StringLike": {key: ["repo:octo-org/*", "repo:*"]}})), "public");
    assert_eq!(github(json!({"ForAllValues:StringEquals": {key: "repo:o/r"}})), "public");
    assert_eq!(github(json!({"StringNotLike": {key: "repo:evil/*"}})), "public");

    let federated = |principal: &str, condition: Value| {
        let statement = json!({"Effect": "Allow", "Principal": {"Federated": principal},
            "Action": "sts:AssumeRoleWithWebIdentity", "Condition": condition});
        brief(&analyze(&document(statement), None, &inside()))
    };
    let pool = json!({"StringEquals": {"cognito-identity.amazonaws.com:aud": "eu-west-1:1"}});
    assert_eq!(federated("cognito-identity.amazonaws.com", pool), "cross-account");
    let authenticated = json!({"ForAnyValue:StringLike":
        {"cognito-identity.amazonaws.com:amr": "authenticated"}});
    assert_eq!(federated("cognito-identity.amazonaws.com", authenticated), "public");
    let cluster = "arn:aws:iam::111111111111:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/A1";
    assert_eq!(federated(cluster, json!({})), "harmless");
}
