//! The resources that a template declares.
//!
//! A resource whose condition does not hold is not declared. One whose condition can't be known is,
//! with a note: it is judged as if it were created.

use crate::plan::cloudformation::evaluate::{Evaluator, Presence};
use crate::plan::cloudformation::tree::{Content, Entry, Fault, Mark, Pointers, Tree};
use crate::plan::cloudformation::{POINTER_BYTES_MAX, RESOURCES_MAX, sam};
use crate::plan::{Declared, Intent, Language};
use std::collections::BTreeMap;

/// A resource, its properties evaluated.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Its logical id.
    pub id: String,
    /// Where that is written.
    pub at: Mark,
    /// Its type.
    pub kind: String,
    /// What is declared of it.
    pub properties: Tree,
    /// Where `Properties` is written; where it is not, the resource.
    pub properties_at: Mark,
}

/// Everything that a template declares, in its order.
///
/// # Errors
///
/// When `Resources` is missing, a resource has no type or another shape than documented, or a limit
/// is exceeded.
pub fn declared(
    file: &str,
    template: &Tree,
    evaluator: &mut Evaluator<'_>,
) -> Result<Vec<Declared>, Fault> {
    let resources = sam::with_implied(resources(template, evaluator)?);
    let globals = template.get("Globals");
    for it in &resources {
        let presence = evaluator.presence(it.tree.get("Condition"))?;
        evaluator.resources.insert(it.key.clone(), presence);
        if kind(it)?.starts_with(sam::TYPES) {
            evaluator.generated.insert(it.key.clone());
        }
    }
    let mut pointers_left = POINTER_BYTES_MAX;
    let mut declared = Vec::new();
    for it in &resources {
        match evaluator.resources.get(&it.key) {
            Some(Presence::Absent(_)) => continue,
            // Nothing that is deployed: the CDK's own, with a condition on the region.
            Some(Presence::Perhaps(_)) if kind(it)? == "AWS::CDK::Metadata" => {}
            Some(Presence::Perhaps(condition)) => {
                let problem = format!(
                    "whether `{}` is created can't be known, as condition `{condition}` can't: \
                     it is judged as if it were",
                    it.key
                );
                evaluator.note(it.at, problem)?;
            }
            _ => {}
        }
        for resource in resource(it, globals, evaluator)? {
            if RESOURCES_MAX <= declared.len() {
                return Err(too_many(it.at));
            }
            declared.push(declaration(resource, file, &mut pointers_left)?);
        }
    }
    Ok(declared)
}

fn too_many(at: Mark) -> Fault {
    Fault::new(at, format!("a template has at most {RESOURCES_MAX} resources"))
}

/// The members of `Resources`, with loops unrolled.
fn resources(template: &Tree, evaluator: &mut Evaluator<'_>) -> Result<Vec<Entry>, Fault> {
    if template.entries().is_none() {
        return Err(Fault::new(template.at, "a template must be a mapping"));
    }
    let Some(section) = template.entry("Resources") else {
        return Err(Fault::new(template.at, "the template has no `Resources`"));
    };
    let Some(entries) = section.tree.entries() else {
        return Err(Fault::new(section.at, "`Resources` must be a mapping"));
    };
    let mut resources = evaluator.unroll(entries)?.entries.into_owned();
    if let Some(it) = resources.iter().find(|it| it.key == "Fn::Transform") {
        evaluator.note(it.at, "`Fn::Transform` may add any resource here")?;
    }
    resources.retain(|it| it.key != "Fn::Transform");
    match resources.get(RESOURCES_MAX) {
        Some(it) => Err(too_many(it.at)),
        None => Ok(resources),
    }
}

/// The type of a resource.
fn kind(resource: &Entry) -> Result<&str, Fault> {
    if resource.tree.entries().is_none() {
        let problem = format!("resource `{}` must be a mapping", resource.key);
        return Err(Fault::new(resource.at, problem));
    }
    let Some(kind) = resource.tree.entry("Type") else {
        return Err(Fault::new(resource.at, format!("resource `{}` has no `Type`", resource.key)));
    };
    match &kind.tree.content {
        Content::Text(text) => Ok(text),
        _ => Err(Fault::new(kind.at, format!("`Type` of `{}` must be a text", resource.key))),
    }
}

/// The resource, and what is generated for it.
fn resource(
    entry: &Entry,
    globals: Option<&Tree>,
    evaluator: &mut Evaluator<'_>,
) -> Result<Vec<Resource>, Fault> {
    let kind = kind(entry)?;
    let written = entry.tree.entry("Properties");
    let properties_at = written.map_or(entry.at, |it| it.at);
    let empty = Tree::new(properties_at, Content::Map(Vec::new()));
    let properties = match written.map(|it| (&it.tree, &it.tree.content)) {
        None | Some((_, Content::Null)) => empty.clone(),
        Some((properties, Content::Map(_))) => properties.clone(),
        Some(_) => {
            let problem = format!("`Properties` of `{}` must be a mapping", entry.key);
            return Err(Fault::new(properties_at, problem));
        }
    };
    let properties = sam::with_globals(kind, properties, globals);
    let properties = evaluator.evaluate(&properties)?.unwrap_or(empty);
    let included = entry.tree.entry("Fn::Transform");
    if let Some(it) = included {
        evaluator.note(it.at, format!("`Fn::Transform` may add anything to `{}`", entry.key))?;
    }
    let properties = match properties.content {
        Content::Map(_) | Content::Unknown if included.is_none() => properties,
        _ => Tree::unknown(properties_at, properties.all_references()),
    };
    note_what_is_elsewhere(entry, kind, evaluator)?;
    let (id, at, kind) = (entry.key.clone(), entry.at, kind.to_owned());
    sam::expand(Resource { id, at, kind, properties, properties_at }, evaluator)
}

/// What a resource is whose own resources stand in another template.
pub fn elsewhere(kind: &str) -> Option<&'static str> {
    match kind {
        "AWS::CloudFormation::Stack" | "AWS::Serverless::Application" => Some("a nested stack"),
        "AWS::CloudFormation::StackSet" => Some("a set of stacks"),
        "AWS::ServiceCatalog::CloudFormationProvisionedProduct" => Some("a product"),
        _ if kind.ends_with("::MODULE") => Some("a module"),
        _ => None,
    }
}

fn note_what_is_elsewhere(
    entry: &Entry,
    kind: &str,
    evaluator: &mut Evaluator<'_>,
) -> Result<(), Fault> {
    let Some(what) = elsewhere(kind) else { return Ok(()) };
    let asset = entry.tree.get("Metadata").and_then(|it| it.get("aws:asset:path")?.as_text());
    let file = asset.map(|it| format!(" `{it}`")).unwrap_or_default();
    let problem = format!("`{}` is {what}: its own template{file} is not read here", entry.key);
    evaluator.note(entry.at, problem)
}

fn declaration(
    resource: Resource,
    file: &str,
    pointers_left: &mut usize,
) -> Result<Declared, Fault> {
    let mut pointers = Pointers { bytes_left: *pointers_left, ..Pointers::default() };
    pointers.add(&resource.properties, resource.properties_at, file)?;
    *pointers_left = pointers.bytes_left;
    Ok(Declared {
        language: Language::CloudFormation,
        kind: resource.kind,
        address: resource.id,
        properties: resource.properties.to_json(),
        unknown: pointers.unknown,
        references: pointers.references,
        drafts: BTreeMap::new(),
        intent: Intent::Create,
        before: None,
        at: Some(resource.at.place(file)),
        places: pointers.places,
    })
}
