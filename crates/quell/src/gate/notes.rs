//! What could not be understood of an input, and what hangs on it.

use super::blocks::Blocks;
use super::inputs::Input;
use quell_core::plan::{Intent, Note, Place};
use quell_core::policy::Severity;
use quell_core::report::{Entry, Level, Problem, Report, Rule, Verdict};
use quell_core::resource::ResourceRef;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Under which id what could not be understood is told.
pub const NOT_UNDERSTOOD: &str = "quell.gate.not_understood";

/// Terraform's resources that declare others in another language, which is not read there.
const ELSEWHERE: [&str; 5] = [
    "aws_cloudcontrolapi_resource",
    "aws_cloudformation_stack",
    "aws_cloudformation_stack_set",
    "aws_serverlessapplicationrepository_cloudformation_stack",
    "awscc_cloudformation_stack",
];

/// Tells the notes of an input. Within a declaration, the verdicts that hang on one are unknown
/// themselves; elsewhere nobody knows what hangs on it, so that is unknown.
pub fn tell(input: &Input, report: &mut Report) {
    let blocks = Blocks::of(&input.plan);
    // What is not understood may be as bad as anything that is looked for.
    let severities = report.rules.iter().map(|it| it.severity);
    let rule = Arc::new(rule(severities.max().unwrap_or(Severity::Critical)));
    for Note { at, problem } in &input.plan.notes {
        if at.as_ref().is_some_and(|it| blocks.is_whole(it)) {
            let (place, text) = (at.clone(), problem.clone());
            report.problems.push(Problem { level: Level::Warning, place, text });
        } else {
            let place = at.clone().unwrap_or_else(|| whole(&input.file));
            let reason = problem.clone();
            report.entries.push(of_file(&rule, Verdict::Unknown, place, reason, Value::Null));
        }
    }
    for it in &input.plan.declared {
        let is_made = matches!(it.intent, Intent::Create | Intent::Update);
        if is_made && ELSEWHERE.contains(&it.kind.as_str()) {
            let place = it.at.clone().unwrap_or_else(|| whole(&input.file));
            let reason = format!("what `{}` declares is not read here", it.address);
            report.entries.push(of_file(&rule, Verdict::Unknown, place, reason, Value::Null));
        }
    }
}

fn rule(severity: Severity) -> Rule {
    Rule {
        id: NOT_UNDERSTOOD.to_owned(),
        title: "what is not understood here violates a policy".to_owned(),
        description:
            "Part of the code could not be understood, so that what it declares or changes \
                      is not known."
                .to_owned(),
        severity,
        help: Some("a plan (`terraform show -json`) may know what its source does not".to_owned()),
        link: None,
        controls: BTreeMap::new(),
    }
}

/// An entry about a file rather than about a resource in it.
pub fn of_file(
    rule: &Arc<Rule>,
    verdict: Verdict,
    place: Place,
    reason: String,
    evidence: Value,
) -> Entry {
    Entry {
        rule: Arc::clone(rule),
        severity: rule.severity,
        verdict,
        resource: ResourceRef {
            kind: String::new(),
            id: place.file.clone(),
            account: String::new(),
            region: String::new(),
        },
        address: None,
        place: Some(place),
        end: None,
        block: None,
        element: reason.clone(),
        reason,
        evidence,
        patch: None,
    }
}

/// Where a thing stands of which only the file is known.
pub fn whole(file: &str) -> Place {
    Place { file: file.to_owned(), line: 1, column: 1 }
}
