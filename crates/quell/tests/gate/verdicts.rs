//! Verdicts beside those of others, on real plans.

use crate::{ADMIN_PORT, judged, rows};
use quell_core::report::{Entry, Verdict};
use std::collections::{BTreeMap, BTreeSet};

/// The addresses that violate a policy.
fn violating(entries: &[Entry], policy: &str) -> BTreeSet<String> {
    let found =
        entries.iter().filter(|it| it.rule.id == policy && it.verdict == Verdict::Violation);
    found.filter_map(|it| it.address.clone()).collect()
}

/// Checks of checkov that a policy of ours covers, and the configuration under which it asks for
/// the same.
const CHECKS: [(&str, &str, &str); 3] = [
    (
        "CKV_AWS_25",
        ADMIN_PORT,
        "policies: { params: { aws.ec2.admin_port_open: { ports: [3389] } } }",
    ),
    (
        "CKV_AWS_260",
        ADMIN_PORT,
        "policies: { params: { aws.ec2.admin_port_open: { ports: [80] } } }",
    ),
    ("CKV_AWS_274", "aws.iam.admin_policy_attached", ""),
];

/// Where we differ, and who is right: check, address, why. Nowhere at the moment.
const EXPLAINED: &[(&str, &str, &str)] = &[];

/// Per address: what checkov says, and what we say.
#[test]
fn verdicts_agree_with_checkov() {
    let (mut labels, mut agreed, mut differing) = (0, 0, Vec::new());
    let mut checks = BTreeSet::new();
    for row in rows("checkov_tf_aws_plans") {
        let check = row["check"].as_str().unwrap();
        let Some((_, policy, config)) = CHECKS.iter().find(|it| it.0 == check) else { continue };
        checks.insert(check.to_owned());
        let found = violating(&judged(&row["plan"], config), policy);
        let changes = row["plan"]["resource_changes"].as_array().unwrap();
        let planned: BTreeSet<&str> =
            changes.iter().map(|it| it["address"].as_str().unwrap()).collect();
        for (key, violates) in [("expected_pass", false), ("expected_violations", true)] {
            for address in row[key].as_array().unwrap().iter().map(|it| it.as_str().unwrap()) {
                if !planned.contains(address) {
                    continue;
                }
                labels += 1;
                if found.contains(address) == violates {
                    agreed += 1;
                } else {
                    differing.push(format!("{check} {address}: checkov says {violates}"));
                }
            }
        }
    }
    println!(
        "{agreed} of {labels} labels agree; {} differ:\n{}",
        differing.len(),
        differing.join("\n")
    );
    assert_eq!(checks.len(), CHECKS.len(), "{checks:?}");
    assert!(15 <= labels, "{labels} labels");
    let is_explained = |it: &&String| {
        EXPLAINED.iter().any(|(check, address, _)| it.starts_with(&format!("{check} {address}:")))
    };
    let unexplained: Vec<&String> = differing.iter().filter(|it| !is_explained(it)).collect();
    assert!(unexplained.is_empty(), "{unexplained:?}");
    assert!(labels * 97 <= (agreed + differing.len()) * 100);
}

/// Every plan of other people is judged, and no policy fails on any.
#[test]
fn every_plan_of_others_is_judged() {
    let mut sums: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows("terraform_plans") {
        for it in judged(&row["plan"], "") {
            assert_ne!(it.verdict, Verdict::Error, "{}: {}", row["path"], it.reason);
            assert!(!it.subject().is_empty() && !it.subject().contains('\0'), "{}", row["path"]);
            assert!(!it.resource.id.contains('\0'), "{}", row["path"]);
            *sums.entry(format!("{} {}", it.rule.id, it.verdict.word())).or_default() += 1;
        }
    }
    println!("{sums:#?}");
    assert!(8 <= sums.len(), "{sums:?}");
}
