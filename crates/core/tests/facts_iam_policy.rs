//! What IAM policies mean: cases of our own, by the pages of AWS's documentation, and the laws that
//! remediations rely on.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use proptest::prelude::*;
use quell_core::change::element_id;
use quell_core::facts::iam_policy::admin::is_admin_managed_policy;
use quell_core::facts::iam_policy::document::{DOCUMENT_BYTES_MAX, kind_of};
use quell_core::facts::iam_policy::{Allow, Analysis, Kind, Verdict, analyze, analyze_text};
use serde_json::{Value, json};

/// The owner is account 111111111111, of organization o-ours.
fn inside() -> Allow {
    let set = |it: &str| [it.to_owned()].into();
    Allow {
        accounts: set("111111111111"),
        org_ids: set("o-ours"),
        org_paths: set("o-partner/r-root/ou-shared"),
        vpcs: set("vpc-ours"),
        vpc_endpoints: set("vpce-ours"),
        principals: ["arn:aws:iam::222222222222:role/friend-*", "AROAFRIEND"]
            .map(str::to_owned)
            .into(),
    }
}

fn document(statements: Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn brief(analysis: &Analysis) -> &'static str {
    match (analysis.public, analysis.cross_account, analysis.admin) {
        (Some(true), ..) => "public",
        (_, Some(true), _) => "cross-account",
        (.., Some(true)) => "admin",
        (Some(false), Some(false), Some(false)) => "harmless",
        _ => "unknown",
    }
}

/// What an Allow of `s3:GetObject` comes to with this principal and these conditions.
fn grant(principal: Value, condition: Value) -> &'static str {
    let statement = json!({"Effect": "Allow", "Principal": principal, "Action": "s3:GetObject",
        "Resource": "*", "Condition": condition});
    brief(&analyze(&document(json!([statement])), None, &inside()))
}

/// What it comes to for everybody with these conditions.
fn anyone(condition: Value) -> &'static str {
    grant(json!("*"), condition)
}

/// What an identity policy of one Allow comes to.
fn identity(statement: Value) -> &'static str {
    let mut statement = statement;
    statement["Effect"] = json!("Allow");
    brief(&analyze(&document(statement), None, &inside()))
}

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

#[test]
fn administrators() {
    let every = json!("*");
    let admin = [
        json!({"Action": "*", "Resource": "*"}),
        json!({"Action": ["s3:Get*", "*:*"], "Resource": ["arn:aws:s3:::b", "*"]}),
        json!({"Action": "**", "Resource": "arn:aws:*:*:*:*"}),
        json!({"Action": "*", "Resource": "arn:*"}),
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
    ];
    for statement in admin {
        assert_eq!(identity(statement.clone()), "admin", "{statement}");
    }
    let harmless = [
        json!({"Action": "iam:*", "Resource": "*"}),
        json!({"Action": "s3:*", "Resource": "*"}),
        json!({"Action": "*", "Resource": "arn:aws:s3:::bucket/*"}),
        json!({"Action": "*", "Resource": "arn:aws:s3:::*"}),
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

#[test]
fn a_deny_counts_only_where_it_surely_cancels() {
    let allow = json!({"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject"],
        "Resource": "arn:aws:s3:::b/*"});
    let with = |deny: Value| {
        let mut deny = deny;
        deny["Effect"] = json!("Deny");
        brief(&analyze(&document(json!([allow, deny])), None, &inside()))
    };
    let all = json!({"Principal": "*", "Action": "s3:Get*", "Resource": "arn:aws:s3:::b*"});
    assert_eq!(with(all.clone()), "harmless");
    let changed = |key: &str, value: Value| {
        let mut deny = all.clone();
        deny[key] = value;
        with(deny)
    };
    assert_eq!(changed("Principal", json!({"AWS": "999999999999"})), "public");
    assert_eq!(changed("Action", json!("s3:GetObjectAcl")), "public");
    assert_eq!(changed("Resource", json!("arn:aws:s3:::b/private/*")), "public");
    assert_eq!(changed("Condition", json!({"Bool": {"aws:SecureTransport": "false"}})), "public");
    // These deny some callers; `{"AWS": "*"}` denies all, as `"*"` does.
    for some in ["Service", "Federated", "CanonicalUser"] {
        assert_eq!(changed("Principal", json!({ some: "*" })), "public", "{some}");
    }
    assert_eq!(changed("Principal", json!({"AWS": "*"})), "harmless");
    // Not everybody any more: only those whom the Deny spares by name.
    let but = json!({"NotPrincipal": {"AWS": "999999999999"}, "Action": "*", "Resource": "*"});
    assert_eq!(with(but), "cross-account");

    let admin = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    let deny = json!({"Effect": "Deny", "Action": "*", "Resource": "*"});
    let analysis = analyze(&document(json!([admin, deny])), None, &inside());
    assert_eq!(brief(&analysis), "harmless");
}

/// What `Allow` everybody `s3:GetObject` on `b/*` comes to beside a Deny of these elements; without
/// others, the Deny is for everybody, of `s3:*`, on the bucket and all in it.
fn beside(deny: Value) -> Analysis {
    let mut whole = json!({"Effect": "Deny", "Action": "s3:*",
        "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"]});
    let fields = whole.as_object_mut().unwrap();
    for (name, value) in deny.as_object().unwrap() {
        // `NotAction` takes the place of `Action`, and so on.
        fields.remove(name.trim_start_matches("Not"));
        fields.insert(name.clone(), value.clone());
    }
    if !fields.contains_key("NotPrincipal") {
        fields.entry("Principal").or_insert(json!("*"));
    }
    let allow = json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::b/*"});
    analyze(&document(json!([allow, whole])), None, &inside())
}

/// What it comes to beside a Deny on these conditions.
fn perimeter(condition: Value) -> &'static str {
    brief(&beside(json!({ "Condition": condition })))
}

#[test]
fn a_deny_of_all_others_is_a_perimeter() {
    let org = json!({"aws:PrincipalOrgID": "o-ours"});
    let cases = [
        // An absent key is no match: anonymous callers are denied, too.
        (json!({"StringNotEquals": org}), "harmless"),
        (json!({"StringNotEqualsIfExists": org}), "harmless"),
        (json!({"StringNotEqualsIgnoreCase": org}), "harmless"),
        (json!({"ForAllValues:StringNotEquals": org}), "harmless"),
        (json!({"StringNotLike": {"aws:PrincipalOrgID": "o-ours"}}), "harmless"),
        (json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-theirs"}}), "cross-account"),
        (
            json!({"StringNotEquals": {"aws:PrincipalOrgID": ["o-ours", "o-theirs"]}}),
            "cross-account",
        ),
        (json!({"StringNotEquals": {"aws:PrincipalAccount": "111111111111"}}), "harmless"),
        (
            json!({"StringNotEquals": {"aws:PrincipalAccount": "${aws:ResourceAccount}"}}),
            "harmless",
        ),
        (json!({"StringNotEquals": {"aws:SourceVpce": "vpce-ours"}}), "harmless"),
        (json!({"StringNotEquals": {"aws:SourceVpc": "vpc-theirs"}}), "cross-account"),
        (
            json!({"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::111111111111:role/*"}}),
            "harmless",
        ),
        (json!({"NotIpAddress": {"aws:SourceIp": "198.51.100.0/24"}}), "harmless"),
        (json!({"NotIpAddressIfExists": {"aws:SourceIp": "198.51.100.0/24"}}), "harmless"),
        (json!({"ForAllValues:StringNotLike": {"aws:PrincipalOrgPaths": "o-ours/*"}}), "harmless"),
        (
            json!({"ForAllValues:StringNotEquals":
            {"aws:PrincipalServiceNamesList": "logging.s3.amazonaws.com"}}),
            "harmless",
        ),
        // The conditions hold together, so whoever fails one of them passes.
        (
            json!({"StringNotEqualsIfExists": org,
            "BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}),
            "harmless",
        ),
        (
            json!({"StringNotEqualsIfExists":
            {"aws:PrincipalOrgID": "o-ours", "aws:PrincipalAccount": "999999999999"}}),
            "cross-account",
        ),
        (
            json!({"StringNotEquals": org,
            "NotIpAddress": {"aws:SourceIp": "198.51.100.0/24"}}),
            "harmless",
        ),
    ];
    for (condition, expected) in cases {
        assert_eq!(perimeter(condition.clone()), expected, "{condition}");
    }
}

#[test]
fn a_deny_with_a_way_past_it_is_no_perimeter() {
    let ours = json!({"aws:PrincipalOrgID": "o-ours"});
    let with_org = |operator: &str, keys: Value| json!({"StringNotEquals": ours, operator: keys});
    let cases = [
        // Everybody can arrange this.
        with_org("Bool", json!({"aws:SecureTransport": "false"})),
        with_org("BoolIfExists", json!({"aws:ViaAWSService": "false"})),
        with_org("StringNotEqualsIfExists", json!({"aws:PrincipalTag/exempt": "yes"})),
        with_org("StringNotLike", json!({"s3:prefix": "public/*"})),
        with_org("StringEquals", json!({"aws:PrincipalTag/perimeter": "on"})),
        with_org("NumericLessThan", json!({"s3:TlsVersion": "1.2"})),
        json!({"StringNotEquals": {"s3:x-amz-server-side-encryption-aws-kms-key-id": "key"}}),
        // Anonymous callers have no such key.
        with_org("Bool", json!({"aws:PrincipalIsAWSService": "false"})),
        with_org("Null", json!({"aws:PrincipalAccount": "false"})),
        json!({"ForAnyValue:StringNotEquals": {"aws:PrincipalOrgID": "o-ours"}}),
        json!({"ForAnyValue:StringNotLike": {"aws:PrincipalOrgPaths": "o-ours/*"}}),
        json!({"StringNotLike": {"aws:PrincipalOrgPaths": "o-ours/*"}}),
        json!({"Null": {"aws:PrincipalOrgID": "false"}}),
        // Calls from the internet have no endpoint, calls through an endpoint no address.
        json!({"Null": {"aws:SourceVpce": "false"},
            "StringNotEquals": {"aws:SourceVpce": "vpce-ours"}}),
        json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}),
        // Too many are let past.
        json!({"Null": {"aws:PrincipalOrgID": "true"}}),
        json!({"StringNotLike": {"aws:PrincipalOrgID": "o-*"}}),
        json!({"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/admin"}}),
        json!({"NotIpAddress": {"aws:SourceIp": "0.0.0.0/1"}}),
        json!({"NotIpAddress": {"aws:SourceIp": ["198.51.100.0/24", "::/0"]}}),
        json!({"StringEquals": {"aws:PrincipalOrgID": "o-theirs"}}),
        json!({"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-theirs"}}),
        // A variable that is not resolved voids the Deny: who is in no organization, has no tag.
        json!({"StringNotEquals": {"aws:PrincipalOrgID": "${aws:ResourceOrgID}"}}),
        json!({"ArnNotLike":
            {"aws:PrincipalArn": "arn:aws:iam::111111111111:role/${aws:PrincipalTag/role}"}}),
        // No condition that can be read.
        json!({"StringNotEqual": {"aws:PrincipalOrgID": "o-ours"}}),
        json!({"StringNotEquals": {"aws:PrincipalOrgID": []}}),
        json!({"StringNotEquals": {}}),
        with_org("Unheard", json!("of")),
        json!("always"),
    ];
    for condition in cases {
        assert_eq!(perimeter(condition.clone()), "public", "{condition}");
    }
}

#[test]
fn a_deny_spares_whom_not_principal_names() {
    let spare = |named: Value| brief(&beside(json!({ "NotPrincipal": named })));
    assert_eq!(spare(json!({"AWS": "arn:aws:iam::111111111111:root"})), "harmless");
    assert_eq!(spare(json!({"AWS": ["111111111111", "999999999999"]})), "cross-account");
    assert_eq!(spare(json!({"Service": "cloudtrail.amazonaws.com"})), "harmless");
    assert_eq!(spare(json!("*")), "public");
    assert_eq!(spare(json!({"AWS": "arn:aws:iam::*:role/admin"})), "public");
    assert_eq!(spare(json!({"Federated": "accounts.google.com"})), "public");
    assert_eq!(spare(json!({"AWS": []})), "public");
    let both = |named: &str, condition: Value| {
        brief(&beside(json!({"NotPrincipal": {"AWS": named}, "Condition": condition})))
    };
    let org = json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-ours"}});
    assert_eq!(both("111111111111", org.clone()), "harmless");
    assert_eq!(both("999999999999", org), "cross-account");
    let tls = json!({"Bool": {"aws:SecureTransport": "false"}});
    assert_eq!(both("111111111111", tls), "public");
}

#[test]
fn a_deny_of_a_part_is_not_weighed() {
    let org = json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-ours"}});
    let with =
        |element: &str, value: Value| brief(&beside(json!({ element: value, "Condition": org })));
    assert_eq!(with("Principal", json!({"AWS": "*"})), "harmless");
    assert_eq!(with("Principal", json!({"AWS": "arn:aws:iam::999999999999:root"})), "public");
    assert_eq!(with("Action", json!("*:*")), "harmless");
    assert_eq!(with("Action", json!(["s3:PutObject", "S3:getobject"])), "harmless");
    assert_eq!(with("Action", json!("s3:GetObject*Acl")), "public");
    // A pattern of wildcards that no action is long enough for.
    assert_eq!(with("Action", json!("???????????????????????????????????????*")), "public");
    assert_eq!(with("NotAction", json!(["s3:PutObject", "s3:GetObjectAcl"])), "harmless");
    assert_eq!(with("NotAction", json!("s3:Get*")), "public");
    assert_eq!(with("NotAction", json!([])), "public");
    assert_eq!(with("Resource", json!("arn:aws:s3:::*")), "harmless");
    assert_eq!(with("Resource", json!("arn:aws:s3:::b")), "public");
    assert_eq!(with("Resource", json!(["arn:aws:s3:::b/a*", "arn:aws:s3:::b/b*"])), "public");
    assert_eq!(with("NotResource", json!("arn:aws:s3:::b")), "harmless");
    assert_eq!(with("NotResource", json!("arn:aws:s3:::b/public/*")), "public");
    let void = json!(["*", "arn:aws:s3:::b/${aws:PrincipalTag/nobody-has-it}"]);
    assert_eq!(with("Resource", void), "public");

    let allow = json!({"Effect": "Allow", "Principal": "*", "NotAction": "s3:PutBucketPolicy",
        "Resource": "arn:aws:s3:::b/*"});
    let deny = |element: &str, value: Value| {
        let deny = json!({"Effect": "Deny", "Principal": "*", element: value, "Resource": "*",
            "Condition": org});
        brief(&analyze(&document(json!([allow, deny])), None, &inside()))
    };
    assert_eq!(deny("NotAction", json!("s3:PutBucketPolicy")), "harmless");
    assert_eq!(deny("NotAction", json!("s3:Put*")), "public");
    assert_eq!(deny("Action", json!("s3:*")), "public");
    assert_eq!(deny("Action", json!("*")), "harmless");
}

#[test]
fn what_a_deny_takes_away_is_latent() {
    let only = |analysis: &Analysis| {
        let it = analysis.statements[0].clone();
        (it.latent, it.reason)
    };
    let (latent, reason) = only(&beside(json!({})));
    assert_eq!(latent, Some(Verdict::Public));
    assert_eq!(reason, "statement #1 denies all of it to everybody");

    let condition = json!({"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-ours"},
        "BoolIfExists": {"aws:PrincipalIsAWSService": "false"}});
    let (latent, reason) = only(&beside(json!({"Sid": "Perimeter", "Condition": condition})));
    assert_eq!(latent, Some(Verdict::Public));
    assert_eq!(
        reason,
        "statement `Perimeter` denies all of it but this: principal `*`, limited to \
         `aws:principalisawsservice`; or principal `*`, limited to organization `o-ours`"
    );

    let (latent, reason) = only(&beside(json!({"NotPrincipal": {"AWS": "999999999999"}})));
    assert_eq!(latent, Some(Verdict::Public));
    assert_eq!(
        reason,
        "statement #1 denies all of it but this: principal `999999999999` is outside"
    );

    let tls = json!({"Condition": {"Bool": {"aws:SecureTransport": "false"}}});
    assert_eq!(only(&beside(tls)).0, None);

    let org = json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-ours"}});
    let statements = json!([
        {"Effect": "Allow", "Principal": {"AWS": "999999999999"}, "Action": "s3:GetObject",
            "Resource": "*"},
        {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*", "Condition": org},
        {"Effect": "Allow", "Principal": {"AWS": "111111111111"}, "Action": "s3:GetObject",
            "Resource": "*"},
    ]);
    let analysis = analyze(&document(statements), None, &inside());
    assert_eq!(brief(&analysis), "harmless");
    let latent: Vec<_> = analysis.statements.iter().map(|it| it.latent).collect();
    assert_eq!(latent, [Some(Verdict::CrossAccount), None, None]);
}

#[test]
fn a_deny_in_a_trust_policy() {
    let provider = "arn:aws:iam::111111111111:oidc-provider/token.actions.githubusercontent.com";
    let with = |subject: &str| {
        let action = "sts:AssumeRoleWithWebIdentity";
        let statements = json!([
            {"Effect": "Allow", "Principal": {"Federated": provider}, "Action": action},
            {"Effect": "Deny", "Principal": "*", "Action": action, "Condition":
                {"StringNotLike": {"token.actions.githubusercontent.com:sub": subject}}},
        ]);
        brief(&analyze(&document(statements), None, &inside()))
    };
    assert_eq!(with("repo:octo-org/*"), "harmless");
    assert_eq!(with("repo:*"), "public");
}

#[test]
fn addresses_are_judged_together() {
    let world = json!(["0.0.0.0/0", "::/0"]);
    let one_of_each = |bits: u32| {
        let blocks: Vec<String> = (1..=223).map(|it| format!("{it}.0.0.0/{bits}")).collect();
        json!({"IpAddress": {"aws:SourceIp": blocks}})
    };
    let public = [
        // What is left is the world, or every VPC endpoint, whose calls have no address.
        json!({"NotIpAddress": {"aws:SourceIp": "198.51.100.0/24"}}),
        json!({"NotIpAddress": {"aws:SourceIp": "0.0.0.0/0"}}),
        json!({"NotIpAddress": {"aws:SourceIp": world}}),
        json!({"NotIpAddress": {"aws:SourceIp": ["0.0.0.0/0"]}, "Null": {"aws:SourceIp": "false"}}),
        json!({"NotIpAddress": {"aws:SourceIp": "198.51.100.0/24"},
            "IpAddress": {"aws:SourceIp": world}}),
        json!({"NotIpAddress": {"aws:SourceIp": world},
            "IpAddressIfExists": {"aws:SourceIp": world}}),
        // A broad block cut to pieces.
        json!({"IpAddress": {"aws:SourceIp": ["4.0.0.0/8", "5.0.0.0/8"]}}),
        json!({"IpAddress": {"aws:SourceIp": ["4.0.0.0/9", "4.128.0.0/9", "5.0.0.0/32"]}}),
        json!({"IpAddress": {"aws:SourceIp": ["2001:db9::/32", "2001:dba::/32"]}}),
        one_of_each(8),
        one_of_each(9),
    ];
    for condition in public {
        assert_eq!(anyone(condition.clone()), "public", "{condition}");
    }
    let harmless = [
        json!({"NotIpAddress": {"aws:SourceIp": world}, "Null": {"aws:SourceIp": "false"}}),
        json!({"NotIpAddress": {"aws:SourceIp": world}, "IpAddress": {"aws:SourceIp": world}}),
        json!({"NotIpAddress": {"aws:SourceIp": ["0.0.0.0/1", "128.0.0.0/2"]},
            "IpAddress": {"aws:SourceIp": ["0.0.0.0/1", "192.0.2.0/24"]}}),
        json!({"IpAddress": {"aws:SourceIp": ["4.0.0.0/8", "9.0.0.0/8"]}}),
        // Next to each other, but one of them is private.
        json!({"IpAddress": {"aws:SourceIp": ["9.0.0.0/8", "10.0.0.0/8"]}}),
        json!({"IpAddress": {"aws:SourceIp": ["fc00::/7", "198.51.100.0/24"]}}),
        one_of_each(24),
    ];
    for condition in harmless {
        assert_eq!(anyone(condition.clone()), "harmless", "{condition}");
    }
}

#[test]
fn administrators_beside_a_deny() {
    let beside = |deny: Value| {
        let mut deny = deny;
        deny["Effect"] = json!("Deny");
        let all = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
        let analysis = analyze(&document(json!([all, deny])), None, &inside());
        (brief(&analysis), analysis.statements[0].latent, analysis.statements[0].reason.clone())
    };
    let admin = [
        json!({"Action": ["s3:*", "ec2:*"], "Resource": "*"}),
        json!({"Action": ["iam:Create*", "iam:Put*"], "Resource": "*"}),
        json!({"Action": "*", "Resource": "arn:aws:s3:::secret/*"}),
        json!({"Action": "iam:*", "Resource": "arn:aws:iam::*:user/*"}),
        json!({"Action": "*", "NotResource": "arn:aws:iam::111111111111:user/me"}),
        json!({"NotAction": ["iam:*", "s3:*"], "Resource": "*"}),
        json!({"NotAction": "iam:AttachUserPolicy", "Resource": "*"}),
        json!({"NotAction": "i*:*", "Resource": "*"}),
        json!({"NotAction": "*", "Resource": "*"}),
        // Whoever has MFA, or calls another region, is an administrator.
        json!({"NotAction": "iam:*", "Resource": "*",
            "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}}),
        json!({"Action": "*", "Resource": "*",
            "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}}),
        json!({"Action": "*", "Resource": "*",
            "Condition": {"StringNotEquals": {"aws:RequestedRegion": "eu-west-1"}}}),
        json!({"Action": "iam:*", "Resource": "*", "Condition": {"StringEquals": {}}}),
    ];
    for deny in admin {
        let (is, latent, reason) = beside(deny.clone());
        assert_eq!((is, latent), ("admin", None), "{deny}");
        assert!(reason.ends_with(", and no Deny beside it surely takes IAM away"), "{reason}");
    }
    let harmless = [
        json!({"Action": "*:*", "Resource": "*"}),
        json!({"Action": ["organizations:*", "iam:*"], "Resource": "*"}),
        json!({"Action": "i*", "Resource": "**", "Condition": {}}),
        json!({"NotAction": ["s3:Get*", "iam:List*"], "Resource": "*"}),
        json!({"NotAction": ["iam:EnableMFADevice", "sts:GetSessionToken"], "Resource": "*"}),
    ];
    for deny in harmless {
        let (is, latent, reason) = beside(deny.clone());
        assert_eq!((is, latent), ("harmless", Some(Verdict::Admin)), "{deny}");
        assert!(reason.starts_with("statement #1 denies "), "{reason}");
    }
    // Without the age of an MFA, or whatever it is but this, it holds.
    let age = json!({"Action": "*", "Resource": "*",
        "Condition": {"NumericNotEquals": {"aws:MultiFactorAuthAge": "5"}}});
    assert_eq!(identity(age), "admin");
}

/// The Deny covers, but finding that out would cost too much: the grant stays what it is.
#[test]
fn patterns_made_to_be_slow_are_not_compared() {
    let with = |repeats: usize| {
        let action = |letter: &str| format!("s3:{}", letter.repeat(repeats));
        let statements = json!([
            {"Effect": "Allow", "Principal": "*", "Action": action("a"), "Resource": "*"},
            {"Effect": "Deny", "Principal": "*", "Action": action("*a"), "Resource": "*"},
        ]);
        brief(&analyze(&document(statements), None, &inside()))
    };
    assert_eq!((with(300), with(30_000)), ("harmless", "public"));
}

#[test]
fn refused_documents_name_the_place() {
    let cases = [
        ("not json", "not a JSON document"),
        ("[]", "`/` is not an object"),
        (r#"{"Version":"2012-10-17"}"#, "`/Statement` is missing"),
        (r#"{"Version":"2012","Statement":[]}"#, "`/Version`"),
        (r#"{"Statement":[]}"#, "`/Statement` is empty"),
        (r#"{"Statement":[{"Effect":"allow","Action":"*","Resource":"*"}]}"#, "0/Effect`"),
        (r#"{"Statement":{"Effect":"Allow","Effect":"Deny"}}"#, "`Effect` occurs twice"),
        (r#"{"Statement":{"Effect":"Allow","Resource":"*"}}"#, "`/Statement/Action` is missing"),
        (r#"{"Statement":{"Effect":"Allow","Action":"*"}}"#, "`/Statement/Resource` is missing"),
        (
            r#"{"Statement":{"Effect":"Allow","Action":"*","NotAction":"*","Resource":"*"}}"#,
            "`/Statement/NotAction` stands beside `Action`",
        ),
        (
            r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Resources":{}}}"#,
            "`/Statement/Resources` is not an element",
        ),
        (r#"{"Statement":{"Effect":"Allow","Action":"s3","Resource":"*"}}"#, "`s3`"),
        (r#"{"Statement":{"Effect":"Allow","Action":["*",1],"Resource":"*"}}"#, "Action`"),
        (r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"bucket"}}"#, "`bucket`"),
        (
            r#"{"Statement":{"Sid":"a b","Effect":"Allow","Action":"*","Resource":"*"}}"#,
            "`/Statement/Sid`",
        ),
        (
            r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"me"},"Action":"s3:*"}}"#,
            "`me`, which is no principal",
        ),
        (
            r#"{"Statement":{"Effect":"Allow","Principal":{"Aws":"*"},"Action":"s3:*"}}"#,
            "`/Statement/Principal/Aws`",
        ),
        (
            r#"{"Statement":{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Is":{}}}}"#,
            "`/Statement/Condition/Is` is not a condition operator",
        ),
    ];
    for (text, expected) in cases {
        let analysis = analyze_text(text, None, &inside());
        let error = analysis.error.unwrap_or_default();
        assert!(!analysis.valid && error.contains(expected), "{text}: {error}");
    }
    let no_such = json!({"Effect": "Deny", "Action": "*", "Resource": "*",
        "Condition": {"NullIfExists": {"aws:SourceVpc": "true"}}});
    assert!(!analyze(&document(no_such), None, &inside()).valid);
    let two = json!({"Sid": "Same", "Effect": "Allow", "Action": "s3:*", "Resource": "*"});
    assert!(!analyze(&document(json!([two, two])), None, &inside()).valid);
    let without = |action: &str| {
        let statement = json!({"Effect": "Allow", "Principal": "*", "Action": action});
        analyze(&document(statement), None, &inside()).valid
    };
    assert!(without("ecr:GetDownloadUrlForLayer") && without("sts:AssumeRole"));
    assert!(!without("s3:GetObject"));
    let trust = json!({"Effect": "Allow", "Principal": {"AWS": "111111111111"},
        "Action": "sts:AssumeRole", "Resource": "*"});
    assert!(!analyze(&document(trust), Some(Kind::Trust), &inside()).valid);
}

#[test]
fn what_cannot_be_read_is_unknown_and_never_fine() {
    let long = format!(r#"{{"Statement":"{}"}}"#, " ".repeat(DOCUMENT_BYTES_MAX));
    let deep = "[".repeat(10_000);
    for text in ["", "{}", "null", &long, &deep, r#"{"Statement":[1]}"#] {
        let analysis = analyze_text(text, None, &inside());
        assert_eq!((analysis.valid, analysis.public, analysis.admin), (false, None, None));
        assert!(analysis.error.is_some());
    }
}

#[test]
fn a_refused_document_is_still_judged() {
    let text = r#"{"Statement":{"Effect":"allow","Principal":"*","Action":"s3:*","Resource":"*"}}"#;
    let analysis = analyze_text(text, None, &inside());
    assert_eq!((analysis.valid, brief(&analysis)), (false, "public"));
}

#[test]
fn the_shape_of_an_analysis() {
    let statement = json!({"Sid": "Open", "Effect": "Allow", "Principal": "*",
        "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"});
    let analysis = analyze(&document(statement.clone()), None, &inside());
    assert_eq!(
        serde_json::to_value(&analysis).unwrap(),
        json!({
            "valid": true, "public": true, "cross_account": false, "admin": false, "error": null,
            "statements": [{
                "index": 0, "sid": "Open", "id": element_id(&statement), "effect": "Allow",
                "public": true, "cross_account": false, "admin": false, "latent": null,
                "reason": "principal `*`, and no condition limits who may call",
                "principals": ["*"],
            }],
        })
    );
}

fn any_principal() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!("*"),
        json!({"AWS": "*"}),
        json!({"AWS": "111111111111"}),
        json!({"AWS": ["111111111111", "999999999999"]}),
        json!({"Service": "sns.amazonaws.com"}),
        json!({"Federated": "accounts.google.com"}),
    ])
}

fn any_condition() -> impl Strategy<Value = Option<Value>> {
    let conditions = vec![
        json!({"StringEquals": {"aws:PrincipalOrgID": "o-ours"}}),
        json!({"StringLike": {"aws:PrincipalOrgID": "o-*"}}),
        json!({"IpAddress": {"aws:SourceIp": "198.51.100.0/24"}}),
        json!({"StringEquals": {"aws:SourceAccount": "999999999999"}}),
        json!({"Bool": {"aws:SecureTransport": "true"}}),
        json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-ours"}}),
        json!({"StringNotEqualsIfExists": {"aws:PrincipalAccount": ["111111111111",
            "999999999999"]}}),
        json!({"NotIpAddress": {"aws:SourceIp": "198.51.100.0/24"}}),
    ];
    prop::option::of(prop::sample::select(conditions))
}

fn any_statement() -> impl Strategy<Value = Value> {
    let effect = prop::sample::select(vec!["Allow", "Deny"]);
    let action = prop::sample::select(vec!["*", "s3:*", "s3:GetObject", "s3:Put*"]);
    let resource = prop::sample::select(vec!["*", "arn:aws:s3:::b", "arn:aws:s3:::b/*"]);
    let parts = (effect, any_principal(), action, resource, any_condition(), 0..10_000u32);
    parts.prop_map(|(effect, principal, action, resource, condition, number)| {
        let mut statement = json!({"Sid": format!("s{number}"), "Effect": effect,
            "Principal": principal, "Action": action, "Resource": resource});
        if let Some(condition) = condition {
            statement["Condition"] = condition;
        }
        statement
    })
}

fn any_document() -> impl Strategy<Value = Value> {
    prop::collection::vec(any_statement(), 1..6).prop_map(|it| document(json!(it)))
}

fn statements(document: &Value) -> Vec<Value> {
    document["Statement"].as_array().unwrap().clone()
}

/// Flags of the statement of this id.
fn flags(analysis: &Analysis, id: &str) -> (bool, bool, bool) {
    let found = analysis.statements.iter().find(|it| it.id == id).unwrap();
    (found.public, found.cross_account, found.admin)
}

proptest! {
    #[test]
    fn an_analysis_is_the_same_every_time(document in any_document()) {
        let analysis = analyze(&document, None, &inside());
        let text = serde_json::to_string_pretty(&document).unwrap();
        prop_assert_eq!(&analysis, &analyze_text(&text, None, &inside()));
    }

    #[test]
    fn without_its_public_statements_a_document_is_not_public(document in any_document()) {
        let analysis = analyze(&document, None, &inside());
        let public: Vec<String> = analysis.statements.iter()
            .filter(|it| it.public).map(|it| it.id.clone()).collect();
        let kept: Vec<Value> = statements(&document).into_iter()
            .filter(|it| !public.contains(&element_id(it))).collect();
        let fixed = json!({"Version": document["Version"], "Statement": kept});
        let analysis = analyze(&fixed, None, &inside());
        prop_assert!(kept.is_empty() || analysis.public == Some(false));
    }

    #[test]
    fn a_deny_more_never_opens(document in any_document(), deny in any_statement()) {
        let mut deny = deny;
        deny["Effect"] = json!("Deny");
        let before = analyze(&document, None, &inside());
        let all = statements(&document);
        let more = [vec![deny], all.clone()].concat();
        let more = json!({"Version": document["Version"], "Statement": more});
        let after = analyze(&more, None, &inside());
        for statement in all {
            let id = element_id(&statement);
            let (was, is) = (flags(&before, &id), flags(&after, &id));
            prop_assert!(was.0 || !is.0);
            // Of what was public, a Deny may leave a few from outside.
            prop_assert!(was.0 || was.1 || !is.1);
        }
    }

    #[test]
    fn what_is_latent_comes_to_life_without_the_denies(document in any_document()) {
        let analysis = analyze(&document, None, &inside());
        let allows: Vec<Value> =
            statements(&document).into_iter().filter(|it| it["Effect"] == "Allow").collect();
        prop_assume!(!allows.is_empty());
        let bare = json!({"Version": document["Version"], "Statement": allows});
        let bare = analyze(&bare, None, &inside());
        for it in analysis.statements.iter().filter(|it| it.latent.is_some()) {
            let (public, cross_account, _) = flags(&bare, &it.id);
            let expected = if public { Verdict::Public } else { Verdict::CrossAccount };
            prop_assert!(public || cross_account);
            prop_assert_eq!(it.latent, Some(expected));
            prop_assert!(!it.public);
        }
    }

    #[test]
    fn a_condition_more_never_makes_it_public(
        statement in any_statement(), more in any_condition(),
    ) {
        let condition = statement.get("Condition").cloned().unwrap_or(json!({}));
        let mut narrower = statement.clone();
        let mut joined = condition.as_object().unwrap().clone();
        for (operator, keys) in more.iter().flat_map(|it| it.as_object().unwrap()) {
            joined.entry(operator.clone()).or_insert_with(|| keys.clone());
        }
        narrower["Condition"] = Value::Object(joined);
        let before = analyze(&document(statement), None, &inside());
        let after = analyze(&document(narrower), None, &inside());
        prop_assert!(before.public == Some(true) || after.public == Some(false));
    }

    #[test]
    fn a_longer_allow_list_never_finds_more(document in any_document()) {
        let strict = analyze(&document, None, &Allow::default());
        let generous = analyze(&document, None, &inside());
        for (strict, generous) in strict.statements.iter().zip(&generous.statements) {
            prop_assert!(strict.public || !generous.public);
            let was = strict.public || strict.cross_account;
            prop_assert!(was || !generous.cross_account);
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "[\\[\\]{}:,\"a-zA-Z*\\\\ 0-9]{0,200}") {
        let _ = analyze_text(&text, None, &inside());
    }
}
