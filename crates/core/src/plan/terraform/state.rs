//! Terraform's and OpenTofu's state: what `terraform state pull` prints, whatever keeps it.
//!
//! A state says which resource each declaration stands for. It is read into a [`Plan`] of what
//! exists and stays as it is, so that the same mapping finds a resource's declarations.
//!
//! A state holds secrets. No error shows a value of it.
//!
//! Deliberately absent: formats of before Terraform 0.12, and states that OpenTofu encrypts.

use super::{PLAN_MAX_BYTES, PLAN_RESOURCES_MAX, parse, size};
use crate::plan::{Declared, Intent, Language, Plan, PlanError};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The version of the format that is understood: since Terraform 0.12.
/// Source: `internal/states/statefile` of Terraform's source.
pub const STATE_VERSION: u64 = 4;

/// What tells a state from a plan.
#[derive(Deserialize)]
struct Head {
    version: Option<u64>,
    lineage: Option<IgnoredAny>,
    resources: Option<IgnoredAny>,
    encrypted_data: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Written {
    resources: Option<Vec<Resource>>,
}

#[derive(Deserialize)]
struct Resource {
    module: Option<String>,
    mode: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    name: String,
    instances: Option<Vec<Instance>>,
}

#[derive(Deserialize)]
struct Instance {
    index_key: Option<Value>,
    /// An object that its replacement left behind: it is no longer the resource's.
    deposed: Option<String>,
    attributes: Option<Value>,
}

/// Whether a JSON document is meant as a state, perhaps one that can't be read.
pub fn is_state(document: &[u8]) -> bool {
    let head: Option<Head> = serde_json::from_slice(document).ok();
    head.is_some_and(|it| {
        let has_content = it.resources.is_some() || it.encrypted_data.is_some();
        it.version.is_some() && (it.lineage.is_some() || has_content)
    })
}

/// Reads a state. `file` names it in errors.
///
/// # Errors
///
/// [`PlanError`] with line and column where the text is no JSON; and where it is no state, is of
/// another format, is encrypted, or exceeds a limit.
pub fn read(file: &str, document: &[u8]) -> Result<Plan, PlanError> {
    let fail =
        |problem: String| PlanError { file: file.to_owned(), line: None, column: None, problem };
    if PLAN_MAX_BYTES < document.len() {
        let bytes = document.len();
        return Err(fail(format!("{bytes} bytes; the limit is {PLAN_MAX_BYTES} bytes")));
    }
    let head: Head = parse(file, document)?;
    if head.encrypted_data.is_some() {
        return Err(fail("is encrypted: give what `tofu state pull` prints".to_owned()));
    }
    match head.version {
        Some(STATE_VERSION) => {}
        Some(version) => {
            return Err(fail(format!(
                "is a state of format version {version}; understood is {STATE_VERSION}"
            )));
        }
        None => return Err(fail("is no state: it has no `version`".to_owned())),
    }
    size::check(document).map_err(fail)?;
    let written: Written = parse(file, document)?;
    let mut declared = Vec::new();
    for resource in written.resources.unwrap_or_default() {
        declared.extend(declarations(resource));
        if PLAN_RESOURCES_MAX < declared.len() {
            let problem = format!("more resources than the limit of {PLAN_RESOURCES_MAX}");
            return Err(fail(problem));
        }
    }
    Ok(Plan { declared, ..Plan::default() })
}

/// The instances of a resource. What is only read stands for nothing.
fn declarations(resource: Resource) -> Vec<Declared> {
    let Resource { module, mode, kind, name, instances } = resource;
    if mode.is_some_and(|it| it != "managed") {
        return Vec::new();
    }
    let module = module.map(|it| format!("{it}.")).unwrap_or_default();
    let current = instances.unwrap_or_default().into_iter().filter(|it| it.deposed.is_none());
    let declared = |it: Instance| {
        // A key as an address writes it: a number, or a text between quotes.
        let key = it.index_key.map(|it| format!("[{it}]")).unwrap_or_default();
        Declared {
            language: Language::Terraform,
            kind: kind.clone(),
            address: format!("{module}{kind}.{name}{key}"),
            properties: it.attributes.unwrap_or_default(),
            unknown: BTreeSet::new(),
            references: BTreeMap::new(),
            drafts: BTreeMap::new(),
            intent: Intent::Keep,
            before: None,
            at: None,
            places: BTreeMap::new(),
        }
    };
    current.map(declared).collect()
}
