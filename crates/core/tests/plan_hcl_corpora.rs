//! Terraform sources that nobody here wrote: those of checkov's and trivy's tests, and what real
//! Terraform planned for some of them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "a test may read its corpus; core may not")]
#![allow(clippy::disallowed_macros, reason = "a test may print what it compared; core may not")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use quell_core::plan::hcl::{Options, Sources, read};
use quell_core::plan::{Declared, Plan, PlanError};
use serde_json::Value;

fn rows(set: &str) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora/iac");
    let path = folder.join(format!("{set}.jsonl"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!("the corpus `{}` is needed for this test: {error}", path.display())
    });
    text.lines().map(|it| serde_json::from_str(it).unwrap()).collect()
}

/// The files of a row, under whichever name the set has them.
fn files(row: &Value) -> BTreeMap<String, String> {
    let named = row.get("files").or(row.get("hcl")).or(row.get("content")).unwrap();
    match named {
        Value::String(text) => [("main.tf".to_owned(), text.clone())].into(),
        named => named
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, text)| (name.clone(), text.as_str().unwrap().to_owned()))
            .collect(),
    }
}

fn plan(row: &Value) -> Result<Plan, PlanError> {
    let mut sources = Sources::default();
    for (name, text) in files(row) {
        sources.insert(&name, text).unwrap();
    }
    read(&sources, &Options::default())
}

fn name(set: &str, row: &Value) -> String {
    let text = |key: &str| row[key].as_str().unwrap_or_default();
    format!("{set}/{}/{}", text("check"), text("case"))
}

#[test]
fn every_source_is_read() {
    let mut refused = Vec::new();
    let mut seen = 0;
    let mut resources = 0;
    let mut notes: BTreeMap<String, usize> = BTreeMap::new();
    for set in ["checkov_tf_aws", "checkov_tf_aws_inline", "trivy_checks_aws", "checkov_tf_graph"] {
        for row in rows(set) {
            if row.get("format").is_some_and(|it| it != "terraform") {
                continue;
            }
            seen += 1;
            match plan(&row) {
                Ok(plan) => {
                    resources += plan.declared.len();
                    for note in plan.notes {
                        *notes.entry(note.problem).or_insert(0) += 1;
                    }
                }
                Err(error) => {
                    assert!(error.line.is_some() && error.column.is_some(), "{error}");
                    refused.push((name(set, &row), error.to_string()));
                }
            }
        }
    }
    println!("{seen} sources, {resources} declarations, {} refused", refused.len());
    for (note, count) in notes {
        println!("  {count} × {note}");
    }
    for (name, error) in &refused {
        println!("  {name}: {error}");
    }
    assert!(refused.is_empty(), "{refused:#?}");
    assert!(400 < seen && 1000 < resources);
}

/// What differs from a plan, and why.
const DIFFERS: [(&str, &str, &str); 1] = [(
    "aws_ecs_task_definition.",
    "/container_definitions",
    "The provider drops the keys that ECS does not know (`pidMode`, `privilege`); we keep what is \
     written.",
)];

#[test]
fn what_is_known_is_what_terraform_plans() {
    let (mut resources, mut values) = (0, 0);
    let (mut differences, mut missed) = (Vec::new(), Vec::new());
    for row in rows("checkov_tf_aws_plans") {
        let ours = plan(&row).unwrap();
        for planned in planned(&row["plan"]) {
            let address = planned["address"].as_str().unwrap();
            resources += 1;
            let Some(declared) = ours.declared.iter().find(|it| it.address == address) else {
                differences.push((name("", &row), address.to_owned(), "not declared".to_owned()));
                continue;
            };
            for (property, value) in declared.properties.as_object().unwrap() {
                values += 1;
                let mut compared = Compared { declared, missed: Vec::new(), differs: None };
                compared.value(&format!("/{property}"), value, &planned["values"][property]);
                missed.extend(compared.missed.iter().map(|it| format!("{address}: {it}")));
                if let Some(differs) = compared.differs {
                    differences.push((name("", &row), address.to_owned(), differs));
                }
            }
        }
    }
    println!("{resources} resources, {values} properties; known to the plan only:");
    for missed in &missed {
        println!("  {missed}");
    }
    println!("{} differences:", differences.len());
    for difference in &differences {
        println!("  {difference:?}");
    }
    let explained = |it: &(String, String, String)| {
        let about = |&(address, what, _): &(&str, &str, &str)| {
            it.1.starts_with(address) && it.2.starts_with(what)
        };
        DIFFERS.iter().any(about)
    };
    let unexplained: Vec<_> = differences.iter().filter(|it| !explained(it)).collect();
    assert!(unexplained.is_empty(), "{unexplained:#?}");
    assert!(150 < resources && 600 < values && differences.len() * 100 < values);
    // `yamlencode`, and the path of an image that only the data source's provider knows.
    assert!(missed.len() <= 4, "{missed:#?}");
}

/// The planned resources of a plan without modules, and the data sources that were read.
fn planned(plan: &Value) -> Vec<&Value> {
    let managed = &plan["planned_values"]["root_module"]["resources"];
    let read = &plan["prior_state"]["values"]["root_module"]["resources"];
    [managed, read].into_iter().filter_map(Value::as_array).flatten().collect()
}

/// Compares what a source says with what is planned.
struct Compared<'p> {
    declared: &'p Declared,
    /// What is unknown to us and known to the plan.
    missed: Vec<String>,
    differs: Option<String>,
}

impl Compared<'_> {
    fn value(&mut self, pointer: &str, ours: &Value, theirs: &Value) {
        if !self.fits(pointer, ours, theirs) {
            self.differs.get_or_insert(format!("{pointer}: {ours} is planned as {theirs}"));
        }
    }

    /// Whether the planned value says what ours says; it may say more.
    fn fits(&mut self, pointer: &str, ours: &Value, theirs: &Value) -> bool {
        if self.declared.unknown.contains(pointer) {
            if !theirs.is_null() {
                self.missed.push(format!("{pointer} is planned as {theirs}"));
            }
            return true;
        }
        match (ours, theirs) {
            (Value::Object(ours), Value::Object(theirs)) => ours.iter().all(|(name, it)| {
                self.fits(
                    &format!("{pointer}/{name}"),
                    it,
                    theirs.get(name).unwrap_or(&Value::Null),
                )
            }),
            (Value::Array(ours), Value::Array(theirs)) => {
                // Sets are planned in an order of their own.
                let mut left: Vec<&Value> = theirs.iter().collect();
                ours.len() == theirs.len()
                    && ours.iter().enumerate().all(|(at, it)| {
                        let pointer = format!("{pointer}/{at}");
                        let found = left.iter().position(|that| self.fits(&pointer, it, that));
                        found.map(|it| left.remove(it)).is_some()
                    })
            }
            (ours, theirs) => document(ours) == document(theirs),
        }
    }
}

/// A scalar as its text, a text of JSON as its document.
fn document(value: &Value) -> Value {
    match value {
        Value::String(text) => match serde_json::from_str(text) {
            Ok(it @ (Value::Object(_) | Value::Array(_))) => it,
            _ => value.clone(),
        },
        Value::Number(_) | Value::Bool(_) => Value::String(value.to_string()),
        other => other.clone(),
    }
}
