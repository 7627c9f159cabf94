//! IAM policies that nobody here wrote: Cloud Custodian's cross-account cases, the policies of
//! AWS's own documentation, AWS managed policies, and parliament's findings.
//!
//! Every row agrees, or stands in a table with the reason and the AWS page.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeSet;

use quell_core::facts::iam_policy::{Allow, Analysis, analyze, analyze_text};
use serde_json::{Value, json};

fn rows(set: &str) -> Vec<Value> {
    let text = testkit::corpus(&format!("iam/{set}.jsonl")).unwrap();
    text.lines().map(|it| serde_json::from_str(it).unwrap()).collect()
}

fn analyze_row(row: &Value, allow: &Allow) -> Analysis {
    match &row["policy"] {
        Value::String(text) => analyze_text(text, None, allow),
        document => analyze(document, None, allow),
    }
}

fn show(analysis: &Analysis) -> String {
    let reasons: Vec<_> = analysis.statements.iter().map(|it| it.reason.as_str()).collect();
    format!("{reasons:?} {:?}", analysis.error)
}

/// Rows in which Custodian and AWS differ, and what AWS says.
const CUSTODIAN_DIFFERS: [(&str, bool, &str); 2] = [
    (
        "test_resource_org_id_with_wildcard_principal#53",
        true,
        "aws:ResourceOrgID is a property of the resource, and aws:PrincipalArn has a wildcard for \
         the account: anyone can call. IAM user guide, AWS global condition context keys.",
    ),
    (
        "test_unknown_condition_with_org_id#121",
        false,
        "All keys must match (AND), so an unknown one can only narrow what aws:PrincipalOrgID of \
         an allowed organization already limits. IAM user guide, Creating a condition with \
         multiple keys or values.",
    ),
];

#[test]
fn custodian_cross_account() {
    let mut seen = 0;
    let mut differing = BTreeSet::new();
    for row in rows("c7n_cross_account") {
        let config = &row["allow_config"];
        let Some(allow) = allow_of(config) else { continue };
        seen += 1;
        let name = row["case"].as_str().unwrap().trim_start_matches("c7n/");
        let analysis = analyze_row(&row, &allow);
        let found = analysis.public == Some(true) || analysis.cross_account == Some(true);
        let label = row["cross_account_or_public_violation"].as_bool().unwrap();
        let expected = match CUSTODIAN_DIFFERS.iter().find(|(it, ..)| *it == name) {
            Some((_, aws, _)) => {
                differing.insert(name.to_owned());
                assert_ne!(*aws, label, "{name} does not differ");
                *aws
            }
            None => label,
        };
        assert_eq!(found, expected, "{name}: {} {}", row["policy"], show(&analysis));
    }
    assert!(40 <= seen, "only {seen} rows can be expressed");
    assert_eq!(differing.len(), CUSTODIAN_DIFFERS.len());
}

/// The row's settings as an allow list; `None` where it uses what an allow list cannot express.
fn allow_of(config: &Value) -> Option<Allow> {
    let is_set = |key: &str| {
        let value = &config[key];
        value.as_bool().unwrap_or(false) || value.as_array().is_some_and(|it| !it.is_empty())
    };
    if ["check_actions", "everyone_only", "return_allowed"].into_iter().any(is_set) {
        return None;
    }
    let conditions = &config["whitelist_conditions"];
    if !conditions.is_null() && *conditions != json!(["aws:userid", "aws:username"]) {
        return None;
    }
    let list = |key: &str| -> BTreeSet<String> {
        let values = config[key].as_array().into_iter().flatten();
        values.map(|it| it.as_str().unwrap().to_owned()).collect()
    };
    Some(Allow {
        accounts: list("allowed_accounts"),
        org_ids: list("allowed_orgid"),
        org_paths: list("allowed_org_units"),
        vpcs: list("allowed_vpc"),
        vpc_endpoints: list("allowed_vpce"),
        principals: list("whitelist_patterns"),
    })
}

/// Resource policies of AWS's documentation that the engines behind the labels call public and AWS
/// does not. They are told apart by the condition key.
const DOCS_DIFFER: [(&str, &str); 2] = [
    (
        "s3:DataAccessPointAccount",
        "A fixed value makes a bucket policy non-public. S3 user guide, The meaning of \"public\".",
    ),
    (
        "s3:DataAccessPointArn",
        "A fixed access point makes it non-public. S3 user guide, The meaning of \"public\".",
    ),
];

#[test]
fn public_in_the_documentation() {
    let mut seen = 0;
    for row in rows("aws_docs_policies_labelled") {
        let Some(label) = row["public"].as_bool() else { continue };
        seen += 1;
        let analysis = analyze_row(&row, &Allow::default());
        let text = row["policy"].to_string();
        let differs = label && DOCS_DIFFER.iter().any(|(key, _)| text.contains(key));
        let expected = label && !differs;
        assert_eq!(analysis.public, Some(expected), "{text} {}", show(&analysis));
    }
    assert!(80 <= seen, "only {seen} rows");
}

#[test]
fn administrators_in_the_documentation_and_among_managed_policies() {
    let mut seen = 0;
    for set in ["aws_docs_policies_labelled", "aws_managed_policies_cloudsplaining"] {
        for row in rows(set) {
            let Some(label) = row["full_admin"].as_bool() else { continue };
            seen += 1;
            let analysis = analyze_row(&row, &Allow::default());
            assert_eq!(analysis.admin, Some(label), "{} {}", row["policy"], show(&analysis));
        }
    }
    assert!(200 <= seen, "only {seen} rows");
}

/// parliament's findings that say what AWS refuses. The others are advice, or about actions, ARNs
/// and keys that do not exist, which AWS accepts.
const MALFORMED: [&str; 4] = ["MALFORMED", "MALFORMED_JSON", "INVALID_SID", "UNKNOWN_OPERATOR"];

/// Findings of another kind on documents that AWS refuses as well.
const REFUSED_AS_WELL: [(&str, &str); 4] = [
    (
        "test_condition_bad_key",
        "IAM refuses a key without a service prefix (\"must be prefaced by a vendor\").",
    ),
    (
        "test_condition_multiple",
        "\"bad\" is no date. IAM user guide, Condition operators; Access Analyzer, type mismatch.",
    ),
    (
        "test_condition_operator",
        "A path is no number, and numeric operators take no variable. IAM user guide, Condition \
         operators.",
    ),
    ("test_resource_with_sub", "A resource is a string. IAM user guide, policy grammar."),
];

#[test]
fn parliament_malformed() {
    let (mut malformed, mut clean, mut refused) = (0, 0, BTreeSet::new());
    for row in rows("parliament") {
        let findings = row["finding_ids"].as_array().unwrap();
        let findings: Vec<&str> = findings.iter().map(|it| it.as_str().unwrap()).collect();
        let (_, name) = row["case"].as_str().unwrap().rsplit_once("::").unwrap();
        let analysis = analyze_row(&row, &Allow::default());
        let told = format!("{name} {findings:?} {:?}: {}", analysis.error, row["policy"]);
        if findings.iter().any(|it| MALFORMED.contains(it)) {
            malformed += 1;
            assert!(!analysis.valid, "{told}");
        } else if findings.is_empty() {
            clean += 1;
            assert!(analysis.valid, "{told}");
        } else if !analysis.valid {
            assert!(REFUSED_AS_WELL.iter().any(|(it, _)| *it == name), "{told}");
            refused.insert(name.to_owned());
        }
    }
    assert!(5 <= malformed && 5 <= clean, "{malformed} malformed, {clean} clean");
    assert_eq!(refused.len(), REFUSED_AS_WELL.len());
}
