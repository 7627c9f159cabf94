//! The analysis against the evaluation of requests: whoever is a stranger and gets in, by the rules
//! of "Policy evaluation logic" in the IAM user guide, gets in through a statement that is called
//! public.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use proptest::prelude::*;
use proptest::sample::select;
use quell_core::facts::iam_policy::{Allow, Kind, analyze};
use quell_core::facts::net::cidr_set::{Cidr, CidrSet};
use serde_json::{Map, Value, json};

/// The context of a request, by keys in lower case.
type Request = BTreeMap<String, Vec<String>>;

const ACTION: &str = "s3:GetObject";
const RESOURCE: &str = "arn:aws:s3:::b/key";

/// Callers whom nobody trusts and of whom there are many: without and with credentials, from the
/// internet and through an endpoint of their own, directly and by way of a service.
fn strangers() -> Vec<Request> {
    let request = |parts: &[&[(&str, &str)]]| -> Request {
        let fields = parts.iter().flat_map(|it| it.iter());
        fields.map(|(key, value)| ((*key).to_owned(), vec![(*value).to_owned()])).collect()
    };
    let tls = [("aws:securetransport", "true")];
    let from_v4 = [("aws:sourceip", "8.8.8.8")];
    let from_v6 = [("aws:sourceip", "2607:f8b0::1")];
    let by_endpoint = [("aws:sourcevpce", "vpce-evil"), ("aws:sourcevpc", "vpc-evil")];
    let signed = [
        ("aws:principalaccount", "888888888888"),
        ("aws:principalarn", "arn:aws:iam::888888888888:role/admin"),
        ("aws:principalisawsservice", "false"),
        ("aws:principaltag/exempt", "yes"),
    ];
    let of_organization =
        [("aws:principalorgid", "o-evil"), ("aws:principalorgpaths", "o-evil/r-1/ou-1/")];
    let directly = [("aws:viaawsservice", "false")];
    let by_service = [("aws:viaawsservice", "true")];
    let mut all = Vec::new();
    for network in [&from_v4[..], &from_v6, &by_endpoint] {
        all.push(request(&[&tls, network]));
        for way in [&directly[..], &by_service] {
            all.push(request(&[&tls, network, &signed, way]));
            all.push(request(&[&tls, network, &signed, way, &of_organization]));
        }
    }
    all
}

fn matches(pattern: &str, text: &str) -> bool {
    matches_bytes(pattern.as_bytes(), text.as_bytes())
}

fn matches_bytes(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        ([b'*', rest @ ..], _) if matches_bytes(rest, text) => true,
        ([b'*', ..], [_, text @ ..]) => matches_bytes(pattern, text),
        ([wanted, rest @ ..], [is, text @ ..]) if *wanted == b'?' || wanted == is => {
            matches_bytes(rest, text)
        }
        _ => false,
    }
}

/// Whether a value of the request meets a value of the policy, negation aside.
fn meets(base: &str, is: &str, wanted: &str) -> bool {
    match base {
        "StringEquals" => is == wanted,
        "Bool" => is.eq_ignore_ascii_case(wanted),
        "IpAddress" => {
            let block: CidrSet = [wanted.parse::<Cidr>().unwrap()].into_iter().collect();
            block.contains(is.parse::<IpAddr>().unwrap())
        }
        _ => matches(wanted, is),
    }
}

fn holds(operator: &str, key: &str, values: &[String], request: &Request) -> bool {
    let given = request.get(&key.to_lowercase());
    if operator == "Null" {
        return values.iter().any(|it| (it == "true") == given.is_none());
    }
    let (quantifier, rest) = operator.split_once(':').unwrap_or(("", operator));
    let (rest, if_exists) = rest.strip_suffix("IfExists").map_or((rest, false), |it| (it, true));
    let base = rest.replace("Not", "");
    let is_negated = base != rest;
    let fits = |is: &String| values.iter().any(|it| meets(&base, is, it)) != is_negated;
    match (given, quantifier) {
        (None, "ForAnyValue") => false,
        (None, "ForAllValues") => true,
        (None, _) => if_exists || is_negated,
        (Some(given), "ForAllValues") => given.iter().all(fits),
        (Some(given), _) => given.iter().any(fits),
    }
}

fn list(value: &Value) -> Vec<String> {
    match value {
        Value::Array(list) => list.iter().map(|it| it.as_str().unwrap().to_owned()).collect(),
        single => vec![single.as_str().unwrap().to_owned()],
    }
}

/// Whether a statement applies to the request of a stranger, whom no element names.
fn applies(statement: &Value, request: &Request) -> bool {
    let scope = |only: &str, except: &str, text: &str| match &statement[only] {
        Value::Null => !list(&statement[except]).iter().any(|it| matches(it, text)),
        it => list(it).iter().any(|it| matches(it, text)),
    };
    let is_for_him = statement["Principal"] == "*" || statement.get("NotPrincipal").is_some();
    let mut conditions = statement["Condition"].as_object().into_iter().flatten();
    is_for_him
        && scope("Action", "NotAction", ACTION)
        && scope("Resource", "NotResource", RESOURCE)
        && conditions.all(|(operator, keys)| {
            let mut keys = keys.as_object().unwrap().iter();
            keys.all(|(key, values)| holds(operator, key, &list(values), request))
        })
}

fn gets_in(statements: &[Value], request: &Request) -> bool {
    let any =
        |effect: &str| statements.iter().any(|it| it["Effect"] == effect && applies(it, request));
    any("Allow") && !any("Deny")
}

/// A condition of one key: `(operator, key, values)`.
fn condition() -> impl Strategy<Value = (String, &'static str, Vec<&'static str>)> {
    let texts = select(vec![
        ("aws:PrincipalOrgID", vec!["o-ours", "o-*"]),
        ("aws:PrincipalAccount", vec!["111111111111", "9*"]),
        ("aws:SourceVpce", vec!["vpce-ours", "vpce-?urs"]),
        ("aws:PrincipalOrgPaths", vec!["o-ours/r-1/*", "o-ours/r-1/ou-2/"]),
        ("aws:PrincipalTag/exempt", vec!["yes", "no"]),
    ]);
    let texts =
        (texts, select(vec!["StringEquals", "StringLike", "StringNotEquals", "StringNotLike"]));
    let arns = (
        Just((
            "aws:PrincipalArn",
            vec!["arn:aws:iam::111111111111:role/*", "arn:aws:iam::*:role/admin"],
        )),
        select(vec!["ArnLike", "ArnNotLike", "StringNotLike"]),
    );
    let blocks = vec!["198.51.100.0/24", "0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "::/0"];
    let blocks = (Just(("aws:SourceIp", blocks)), select(vec!["IpAddress", "NotIpAddress"]));
    let switches = (
        select(vec!["aws:PrincipalIsAWSService", "aws:ViaAWSService", "aws:SecureTransport"])
            .prop_map(|it| (it, vec!["true", "false"])),
        Just("Bool"),
    );
    let compared = prop_oneof![3 => texts, 1 => arns, 2 => blocks, 2 => switches];
    let quantifier = prop_oneof![4 => Just(""), 1 => Just("ForAllValues:"),
        1 => Just("ForAnyValue:")];
    let suffix = select(vec!["", "IfExists"]);
    let compared = (compared, quantifier, suffix, any::<[bool; 5]>()).prop_map(
        |(((key, pool), base), quantifier, suffix, taken)| {
            let mut values: Vec<_> =
                pool.iter().zip(taken).filter(|(_, it)| *it).map(|(it, _)| *it).collect();
            if values.is_empty() {
                values.push(pool[0]);
            }
            (format!("{quantifier}{base}{suffix}"), key, values)
        },
    );
    let keys = vec!["aws:PrincipalOrgID", "aws:SourceIp", "aws:SourceVpce"];
    let null = (select(keys), select(vec!["true", "false"]))
        .prop_map(|(key, value)| ("Null".to_owned(), key, vec![value]));
    prop_oneof![6 => compared, 1 => null]
}

fn conditions(most: usize) -> impl Strategy<Value = Value> {
    prop::collection::vec(condition(), 0..=most).prop_map(|all| {
        let mut element = Map::new();
        for (operator, key, values) in all {
            element.entry(operator).or_insert(json!({}))[key] = json!(values);
        }
        Value::Object(element)
    })
}

fn statement(effect: &'static str) -> impl Strategy<Value = Value> {
    let principal = match effect {
        "Allow" => select(vec![("Principal", json!("*"))]),
        _ => select(vec![
            ("Principal", json!("*")),
            ("Principal", json!("*")),
            ("Principal", json!({"AWS": "999999999999"})),
            ("NotPrincipal", json!({"AWS": "111111111111"})),
        ]),
    };
    let action = select(vec![
        ("Action", json!("s3:*")),
        ("Action", json!("*")),
        ("Action", json!("s3:GetObject")),
        ("Action", json!("????????????????*")),
        ("NotAction", json!("s3:PutObject")),
        ("NotAction", json!(["s3:Get*Acl", "iam:*"])),
        ("NotAction", json!("s3:*Object")),
    ]);
    let resource = select(vec![
        ("Resource", json!("*")),
        ("Resource", json!(["arn:aws:s3:::b", "arn:aws:s3:::b/*"])),
        ("Resource", json!("arn:aws:s3:::b/key")),
        ("NotResource", json!("arn:aws:s3:::b")),
        ("NotResource", json!("arn:aws:s3:::b/k*")),
    ]);
    (principal, action, resource, conditions(3)).prop_map(
        move |(principal, action, resource, condition)| {
            json!({"Effect": effect, principal.0: principal.1, action.0: action.1,
                resource.0: resource.1, "Condition": condition})
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn a_stranger_gets_in_only_where_it_is_public(
        allow in statement("Allow"),
        denies in prop::collection::vec(statement("Deny"), 0..3),
    ) {
        let statements = [vec![allow], denies].concat();
        let document = json!({"Version": "2012-10-17", "Statement": statements});
        let inside = Allow {
            accounts: BTreeSet::from(["111111111111".to_owned()]),
            org_ids: BTreeSet::from(["o-ours".to_owned()]),
            ..Allow::default()
        };
        let analysis = analyze(&document, Some(Kind::Resource), &inside);
        for stranger in strangers() {
            let escaped = gets_in(&statements, &stranger) && analysis.public != Some(true);
            prop_assert!(!escaped, "{:?}\n{:#}\n{:#?}", stranger, document, analysis);
        }
    }
}
