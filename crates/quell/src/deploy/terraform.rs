//! The generated files of the Terraform modules, laid out as `terraform fmt` wants them.
//!
//! IAM policies become `aws_iam_policy_document` data sources, which people review and scanners
//! read; rules, alarms and dashboard become JSON beside them, which the modules decode.

use super::grants::{Document, Effect, Statement};
use super::rules::Rule;
use super::{Deployment, GENERATED, Grant, pretty};
use crate::telemetry::alarms::{self, Names};
use crate::telemetry::dashboard;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The names that a template leaves open, as the modules know them.
const NAMES: [(&str, &str); 5] = [
    ("{partition}", "${local.partition}"),
    ("{region}", "${local.region}"),
    ("{account}", "${local.account}"),
    ("{prefix}", "${var.prefix}"),
    ("{checkpoints}", "${local.checkpoints_bucket}"),
];

/// The names of the hub's parts, as `templatefile` knows them.
const PARTS: Names<'static> = Names {
    prefix: "${prefix}",
    queue: "${prefix}-events",
    dead_letter_queue: "${prefix}-dead-letters",
    function: "${prefix}",
    checkpoint_function: "${prefix}-checkpoint",
};

/// The files by their path below `deploy/terraform/aws/modules`.
pub fn files(deployment: &Deployment) -> BTreeMap<String, String> {
    let rules: Vec<Value> = deployment.rules.iter().map(Rule::as_json).collect();
    BTreeMap::from([
        ("hub/generated/alarms.json".to_owned(), pretty(&alarms::properties(&PARTS).into())),
        ("hub/generated/dashboard.json".to_owned(), pretty(&dashboard::body(&PARTS, "${region}"))),
        ("hub/generated.tf".to_owned(), documents(deployment, &Grant::HUB)),
        ("spoke/generated.tf".to_owned(), documents(deployment, &Grant::SPOKE)),
        ("spoke/generated/rules.json".to_owned(), pretty(&rules.into())),
    ])
}

/// The data sources of some grants, and a local value that lists them by grant.
fn documents(deployment: &Deployment, grants: &[Grant]) -> String {
    let mut text = format!("# {GENERATED}\n");
    let mut names: Vec<(&str, Vec<String>)> = Vec::new();
    for grant in grants {
        let documents = deployment.grants.get(grant).into_iter().flatten().enumerate();
        let mut of_grant = Vec::new();
        for (at, it) in documents {
            let name = format!("{}_{}", grant.name(), at + 1);
            document(&mut text, &name, it);
            of_grant.push(format!("data.aws_iam_policy_document.{name}.json"));
        }
        names.push((grant.name(), of_grant));
    }
    let width = names.iter().map(|(grant, _)| grant.len()).max().unwrap_or_default();
    text.push_str("\nlocals {\n  documents = {\n");
    for (grant, of_grant) in names {
        let _ = writeln!(text, "    {grant:width$} = [{}]", of_grant.join(", "));
    }
    text.push_str("  }\n}\n");
    text
}

// Writing into a `String` cannot fail, so the results of `writeln!` are let go.
fn document(text: &mut String, name: &str, document: &Document) {
    let _ = writeln!(text, "\ndata \"aws_iam_policy_document\" \"{name}\" {{");
    for it in &document.statements {
        statement(text, it);
    }
    text.push_str("}\n");
}

fn statement(text: &mut String, statement: &Statement) {
    text.push_str("  statement {\n");
    match (statement.sid, statement.effect) {
        (Some(sid), Effect::Deny) => {
            let _ = writeln!(text, "    sid    = \"{sid}\"\n    effect = \"Deny\"");
        }
        (Some(sid), Effect::Allow) => {
            let _ = writeln!(text, "    sid = \"{sid}\"");
        }
        (None, _) => {}
    }
    list(text, "actions", &statement.actions);
    list(text, "resources", &statement.resources);
    if let Some((operator, key, value)) = statement.condition {
        let value = filled(value);
        let _ = writeln!(
            text,
            "    condition {{\n      test     = \"{operator}\"\n      variable = \"{key}\"\n      \
             values   = [\"{value}\"]\n    }}"
        );
    }
    text.push_str("  }\n");
}

fn list(text: &mut String, name: &str, values: &[String]) {
    let _ = writeln!(text, "    {name} = [");
    for it in values {
        let _ = writeln!(text, "      \"{}\",", filled(it));
    }
    text.push_str("    ]\n");
}

fn filled(template: &str) -> String {
    NAMES.iter().fold(template.to_owned(), |text, (name, value)| text.replace(name, value))
}
