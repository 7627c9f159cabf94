//! Terraform source without a plan: each feature of the language, on small sources.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod documents;
mod expressions;
mod files;
mod modules;
mod overrides;
mod resources;

use quell_core::plan::hcl::{Options, Sources, read};
use quell_core::plan::{Declared, Plan, PlanError};
use serde_json::Value;

fn sources(files: &[(&str, &str)]) -> Sources {
    let mut sources = Sources::default();
    for (path, text) in files {
        sources.insert(path, (*text).to_owned()).unwrap();
    }
    sources
}

fn try_plan(files: &[(&str, &str)]) -> Result<Plan, PlanError> {
    read(&sources(files), &Options::default())
}

fn plan(files: &[(&str, &str)]) -> Plan {
    try_plan(files).unwrap()
}

fn find<'p>(plan: &'p Plan, address: &str) -> &'p Declared {
    let addresses: Vec<_> = plan.declared.iter().map(|it| it.address.as_str()).collect();
    let found = plan.declared.iter().find(|it| it.address == address);
    found.unwrap_or_else(|| panic!("`{address}` is not among {addresses:?}"))
}

fn addresses(plan: &Plan) -> Vec<&str> {
    plan.declared.iter().map(|it| it.address.as_str()).collect()
}

fn notes(plan: &Plan) -> String {
    plan.notes.iter().map(|it| format!("{}\n", it.problem)).collect()
}

/// The value of an expression; nothing where it is unknown.
fn value(expression: &str) -> Option<Value> {
    let text = format!("resource \"r\" \"r\" {{\n  v = {expression}\n}}\n");
    let plan = plan(&[("main.tf", &text)]);
    let declared = find(&plan, "r.r");
    let known = !declared.unknown.contains("/v");
    known.then(|| declared.properties.get("v").cloned().unwrap_or_default())
}

const UNKNOWN: &str = "variable \"u\" {}\n";
