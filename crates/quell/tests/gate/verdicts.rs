//! Plans that nobody here wrote.

use crate::{judged, rows};
use quell_core::report::Verdict;
use std::collections::BTreeMap;

/// Every plan of other people is judged, and no policy fails on any.
#[test]
fn every_plan_of_others_is_judged() {
    let mut sums: BTreeMap<String, usize> = BTreeMap::new();
    let plans = [rows("terraform_plans"), rows("checkov_tf_aws_plans")].concat();
    for row in &plans {
        for it in judged(&row["plan"], "") {
            assert_ne!(it.verdict, Verdict::Error, "{}: {}", row["path"], it.reason);
            assert!(!it.subject().is_empty() && !it.subject().contains('\0'), "{}", row["path"]);
            assert!(!it.resource.id.contains('\0'), "{}", row["path"]);
            *sums.entry(format!("{} {}", it.rule.id, it.verdict.word())).or_default() += 1;
        }
    }
    println!("{} plans: {sums:#?}", plans.len());
    assert!(250 <= plans.len());
    assert!(8 <= sums.len(), "{sums:?}");
}
