//! What a Deny takes away, and what it only seems to.

use crate::{anyone, brief, document, identity, inside};
use quell_core::facts::iam_policy::{Analysis, Verdict, analyze};
use serde_json::{Value, json};

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
