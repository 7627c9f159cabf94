//! Every case of every built-in policy at every clock: event, scan, and the gate's languages.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use quell_library::clocks::{Clock, judge};
use quell_library::folder::Case;
use quell_library::{Library, story};
use std::collections::BTreeSet;

/// Policies on what only runs: no infrastructure code is read for it.
const NOT_PLANNED: [&str; 1] = ["aws.self.tamper"];
/// Policies on what CloudFormation has no type for.
const NO_TEMPLATE: [&str; 1] = ["aws.s3.account_public_block"];

/// No clock disagrees with another, and of every policy some violation is seen by each clock that
/// can see any.
#[test]
fn the_clocks_agree() {
    let library = Library::builtin().unwrap();
    for (policy, folder) in library.policies().iter().zip(library.folders()) {
        let mut seen = BTreeSet::new();
        for (name, case) in &folder.cases {
            let told = story::tell(&library, policy, &case.event, &case.state).unwrap();
            let agreement = judge(policy, case, &told)
                .unwrap_or_else(|it| panic!("{} {name}: {it}", folder.id));
            let all = agreement.clocks.len() + agreement.silent.len();
            // A scan that the event's verdict is not compared with is silent, and said to be.
            assert_eq!(all, 5, "{} {name}: {agreement:?}", folder.id);
            if told.violates {
                seen.extend(agreement.clocks);
            }
        }
        let mut expected = BTreeSet::from([Clock::Event, Clock::Scan]);
        if !NOT_PLANNED.contains(&policy.id()) {
            expected.extend([Clock::Plan, Clock::Source]);
            expected.extend((!NO_TEMPLATE.contains(&policy.id())).then_some(Clock::Template));
        }
        assert_eq!(seen, expected, "{}", folder.id);
    }
}

#[test]
fn who_cannot_speak_says_why() {
    let library = Library::builtin().unwrap();
    let silent = |id: &str, name: &str| {
        let at = library.policies().iter().position(|it| it.id() == id).unwrap();
        let case: &Case = library.folders()[at].cases.get(name).unwrap();
        let policy = library.policy(id).unwrap();
        let told = story::tell(&library, policy, &case.event, &case.state).unwrap();
        judge(policy, case, &told).unwrap().silent
    };
    let account = silent("aws.s3.account_public_block", "bad_deleted");
    assert!(account[&Clock::Template].contains("no type"), "{account:?}");
    let unknown = silent("aws.s3.bucket_public_block", "bad_account_unknown");
    assert_eq!(
        unknown[&Clock::Plan],
        "the case leaves `AccountPublicAccessBlockConfiguration` unknown"
    );
    let failed = silent("aws.cloudtrail.trail_stopped", "good_failed_call");
    assert!(failed[&Clock::Event].contains("failed"), "{failed:?}");
}

/// What looks like a template in a policy document is text.
#[test]
fn a_policy_variable_is_no_template() {
    let library = Library::builtin().unwrap();
    let policy = library.policy("aws.s3.policy_public_statement").unwrap();
    let at = library.policies().iter().position(|it| it.id() == policy.id()).unwrap();
    let (_, case) = library.folders()[at]
        .cases
        .iter()
        .find(|(name, _)| name.starts_with("bad_two_and"))
        .unwrap();
    let mut case = case.clone();
    case.state = case.state.replacen("/*\"", "/${aws:username}/%{x}*\"", 1);
    assert!(case.state.contains("${aws:username}"));
    let told = story::tell(&library, policy, &case.event, &case.state).unwrap();
    let agreement = judge(policy, &case, &told).unwrap();
    assert!(agreement.clocks.contains(&Clock::Source), "{agreement:?}");
}
