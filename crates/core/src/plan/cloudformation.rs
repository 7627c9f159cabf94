//! CloudFormation templates: YAML with short or long forms, JSON, SAM, and what the CDK writes.
//!
//! `yaml` reads text into a `tree` with positions, `evaluate` works the intrinsic functions out as
//! far as they can be known before deployment, `resources` makes declarations of it, and `sam`
//! those that its transform generates. Parameters have the given values, or else their defaults.
//!
//! CloudFormation makes of `"true"` a boolean and of `80` a text as a property's type needs it. A
//! template does not say that type, so values are here as they are written: whoever maps them to
//! a state converts.
//!
//! Deliberately absent: nested stacks and modules (each is noted; their templates are further
//! files), macros (noted), change sets, and rules that only check parameters.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

use crate::plan::{Note, Plan, PlanError};

pub mod cdk;
mod evaluate;
mod parameters;
mod resources;
mod sam;
mod scalar;
mod tree;
mod yaml;

use evaluate::Evaluator;
use tree::{Entry, Fault, Mark, Tree};

/// The largest template, in bytes. AWS takes 1 MB, by S3.
pub const TEMPLATE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// The largest template with its aliases expanded, in bytes: its text, and [`VALUE_BYTES`] for each
/// value.
pub const EXPANDED_BYTES_MAX: usize = 16 * 1024 * 1024;
/// What a value counts beside its text, in bytes.
pub const VALUE_BYTES: usize = 64;
/// The deepest nesting of a template, aliases expanded, in levels.
pub const NESTING_LEVELS_MAX: usize = 100;
/// The longest key, in bytes: YAML's own limit.
pub const KEY_BYTES_MAX: usize = 1024;
/// The most values that evaluating one template may visit.
pub const EVALUATION_STEPS_MAX: usize = 1_000_000;
/// The most that evaluating one template may produce, in bytes: text, and [`VALUE_BYTES`] for each
/// value.
pub const EVALUATION_BYTES_MAX: usize = 32 * 1024 * 1024;
/// The deepest evaluation, through conditions that use conditions, in levels.
pub const EVALUATION_LEVELS_MAX: usize = 150;
/// The most resources of a template, generated ones included. AWS takes 500.
pub const RESOURCES_MAX: usize = 10_000;
/// The longest that all JSON pointers of a template's properties may be together, in bytes; each
/// counts with the file's name.
pub const POINTER_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What a template is deployed with.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Values of parameters by name. A list is one text with commas.
    pub parameters: BTreeMap<String, String>,
    /// The account, where it is known.
    pub account: Option<String>,
    /// The region, where it is known. The partition follows from it.
    pub region: Option<String>,
}

/// Shows no parameter's value: it may be secret.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("parameters", &self.parameters.keys())
            .field("account", &self.account)
            .field("region", &self.region)
            .finish()
    }
}

/// Reads a template; `file` is its name in positions and errors.
///
/// # Errors
///
/// With a position: when it is no YAML, has no resources or one without a type, is not of the shape
/// that CloudFormation documents, calls a function that is not known where no macro could know it,
/// or exceeds a limit.
pub fn read(file: &str, text: &str, options: &Options) -> Result<Plan, PlanError> {
    read_template(file, text, options).map_err(|it| faulty(file, it))
}

/// A template as JSON, nothing evaluated and every intrinsic function in its long form: the same
/// for YAML as for the JSON that says the same.
///
/// # Errors
///
/// With a position: when it is no YAML, or exceeds a limit.
pub fn document(file: &str, text: &str) -> Result<Value, PlanError> {
    parse(text).map(|it| it.to_json()).map_err(|it| faulty(file, it))
}

/// Whether a resource of this type stands for resources of another template, which is not read.
pub fn is_elsewhere(kind: &str) -> bool {
    resources::elsewhere(kind).is_some()
}

fn faulty(file: &str, fault: Fault) -> PlanError {
    PlanError {
        file: file.to_owned(),
        line: Some(fault.at.line),
        column: Some(fault.at.column),
        problem: fault.problem,
    }
}

fn parse(text: &str) -> Result<Tree, Fault> {
    if TEMPLATE_BYTES_MAX < text.len() {
        let problem = format!("a template has at most {TEMPLATE_BYTES_MAX} bytes");
        return Err(Fault::new(Mark::START, problem));
    }
    yaml::parse(text)
}

fn read_template(file: &str, text: &str, options: &Options) -> Result<Plan, Fault> {
    let template = parse(text)?;
    let mut evaluator = Evaluator::new(&template, options)?;
    note_transforms(&template, &mut evaluator)?;
    let declared = resources::declared(file, &template, &mut evaluator)?;
    let note = |(at, problem): (Mark, String)| Note { at: Some(at.place(file)), problem };
    Ok(Plan {
        declared,
        account: options.account.clone(),
        region: options.region.clone(),
        notes: evaluator.into_notes().map(note).collect(),
    })
}

/// Transforms that change nothing about what is declared, or whose effect is known here.
const KNOWN_TRANSFORMS: [&str; 2] = ["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"];

/// The transforms that may make anything of a template: where each is named, and its name.
fn macros(template: &Tree) -> impl Iterator<Item = (Mark, Option<&str>)> {
    let transform = template.get("Transform").or_else(|| template.get("Fn::Transform"));
    let all = transform.map(|it| it.items().unwrap_or(std::slice::from_ref(it)));
    all.unwrap_or_default()
        .iter()
        .map(|it| (it.at, it.as_text().or_else(|| it.get("Name")?.as_text())))
        .filter(|(_, name)| name.is_none_or(|it| !KNOWN_TRANSFORMS.contains(&it)))
}

fn note_transforms(template: &Tree, evaluator: &mut Evaluator<'_>) -> Result<(), Fault> {
    for (at, name) in macros(template) {
        match name {
            Some(name) => {
                evaluator
                    .note(at, format!("what the transform `{name}` changes can't be known"))?;
            }
            None => evaluator.note(at, "what this transform changes can't be known")?,
        }
    }
    Ok(())
}

/// Whether a text is meant to be a template, also when it is a faulty one: told by its content.
///
/// Anything that has CloudFormation's version, resources with types such as `AWS::S3::Bucket`, or a
/// function among them, such as `Fn::ForEach`.
/// What can't be parsed is judged by its lines, so that a broken template is reported.
pub fn is_template(text: &str) -> bool {
    // An escape may hide a key from this look, and from nobody else.
    let marks = ["Resources", "AWSTemplateFormatVersion", "\\u00", "\\U0000", "\\x"];
    if !marks.iter().any(|it| text.contains(it)) {
        return false;
    }
    if TEMPLATE_BYTES_MAX < text.len() {
        return looks_like_a_template(text);
    }
    match yaml::parse(text) {
        Ok(template) => {
            let is_type = |it: &Tree| it.as_text().is_some_and(|it| it.contains("::"));
            let resources = template.get("Resources").and_then(Tree::entries).unwrap_or_default();
            let is_resource =
                |it: &Entry| it.key.starts_with("Fn::") || it.tree.get("Type").is_some_and(is_type);
            template.get("AWSTemplateFormatVersion").is_some() || resources.iter().any(is_resource)
        }
        Err(_) => looks_like_a_template(text),
    }
}

/// The beginnings of lines that only a template has; in JSON, its keys.
fn looks_like_a_template(text: &str) -> bool {
    let begins = |key: &str| text.lines().any(|it| it.starts_with(key));
    if text.trim_start().starts_with('{') {
        let resources = text.contains("\"Resources\"") && text.contains("\"AWS::");
        return resources || text.contains("\"AWSTemplateFormatVersion\"");
    }
    let resources = begins("Resources:") && text.contains(" AWS::");
    resources || begins("AWSTemplateFormatVersion:")
}
