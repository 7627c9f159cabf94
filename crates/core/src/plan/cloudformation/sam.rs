//! SAM: what its transform generates, as far as it is documented and a policy can judge it.
//!
//! Each `AWS::Serverless::…` becomes resources with the documented logical ids, so a function's
//! default role or a public function URL is judged like a written one. Property by property SAM's
//! names become CloudFormation's; what is generated stands where the property is written that asks
//! for it.
//!
//! Deliberately absent: deployments, versions and aliases (their ids hold digests), mappings of
//! event sources, and changes to other resources (the notifications of an event's bucket). What a
//! rare policy template allows is unknown, and a type that is not known here is noted.
//!
//! Source: AWS SAM Developer Guide, page `sam-specification-generated-resources`.

use std::collections::BTreeMap;

use crate::plan::cloudformation::evaluate::Evaluator;
use crate::plan::cloudformation::resources::Resource;
use crate::plan::cloudformation::tree::{Content, Entry, Fault, Mark, Tree};

mod api;
mod function;
mod policy_template;
mod role;
mod table;
mod workflow;

/// How SAM's types begin.
pub const TYPES: &str = "AWS::Serverless::";

/// Kinds of events that make an API of their own where none is named, and that API.
const IMPLIED: [(&str, &str, &str, &str); 2] = [
    ("Api", "RestApiId", "ServerlessRestApi", "AWS::Serverless::Api"),
    ("HttpApi", "ApiId", "ServerlessHttpApi", "AWS::Serverless::HttpApi"),
];

/// The resources with the APIs that functions' events imply.
pub fn with_implied(mut resources: Vec<Entry>) -> Vec<Entry> {
    for (event_type, named_by, id, kind) in IMPLIED {
        let implies = |event: &&Entry| {
            let properties = event.tree.get("Properties");
            event.tree.get("Type").and_then(Tree::as_text) == Some(event_type)
                && properties.is_none_or(|it| it.get(named_by).is_none())
        };
        let events = resources.iter().filter_map(|it| {
            let kind = it.tree.get("Type")?.as_text()?;
            let events = it.tree.get("Properties")?.get("Events")?.entries()?;
            kind.starts_with(TYPES).then_some(events)
        });
        let Some(at) = events.flatten().find(implies).map(|it| it.at) else { continue };
        if resources.iter().all(|it| it.key != id) {
            let stage = Entry::new("StageName", Tree::text(at, "Prod"));
            let properties = if event_type == "Api" { vec![stage] } else { vec![] };
            let members = vec![
                Entry::new("Type", Tree::text(at, kind)),
                Entry::new("Properties", Tree::new(at, Content::Map(properties))),
            ];
            resources.push(Entry::new(id, Tree::new(at, Content::Map(members))));
        }
    }
    resources
}

/// A resource's properties with those of the template's `Globals` for its type.
///
/// Mappings are merged, lists are appended, anything else of the resource replaces.
pub fn with_globals(kind: &str, properties: Tree, globals: Option<&Tree>) -> Tree {
    match kind.strip_prefix(TYPES).and_then(|it| globals?.get(it)) {
        Some(defaults) => merged(defaults, properties),
        None => properties,
    }
}

fn merged(default: &Tree, own: Tree) -> Tree {
    let is_function =
        |it: &[Entry]| matches!(it, [it] if it.key == "Ref" || it.key.starts_with("Fn::"));
    let content = match (&default.content, own.content) {
        (Content::Map(defaults), Content::Map(mut entries))
            if !is_function(defaults) && !is_function(&entries) =>
        {
            let mut missing: BTreeMap<&str, &Entry> =
                defaults.iter().map(|it| (it.key.as_str(), it)).collect();
            for it in &mut entries {
                if let Some(default) = missing.remove(it.key.as_str()) {
                    let own = Tree::new(it.tree.at, Content::Null);
                    it.tree = merged(&default.tree, std::mem::replace(&mut it.tree, own));
                }
            }
            entries.extend(missing.into_values().cloned());
            Content::Map(entries)
        }
        (Content::List(defaults), Content::List(items)) => {
            Content::List([defaults.clone(), items].concat())
        }
        (_, own) => own,
    };
    Tree { at: own.at, content, references: own.references }
}

/// What a resource becomes: itself, unless it is SAM's.
///
/// # Errors
///
/// When a limit of evaluation is exceeded.
pub fn expand(resource: Resource, evaluator: &mut Evaluator<'_>) -> Result<Vec<Resource>, Fault> {
    let Some(name) = resource.kind.strip_prefix(TYPES) else { return Ok(vec![resource]) };
    match name {
        "Function" => function::resources(&resource, evaluator),
        "Api" => Ok(api::rest(&resource)),
        "HttpApi" => Ok(api::http(&resource)),
        "SimpleTable" => Ok(vec![table::table(&resource)]),
        "StateMachine" => workflow::resources(&resource, evaluator),
        "LayerVersion" => Ok(vec![table::layer(&resource)]),
        _ => {
            let problem = format!("what SAM makes of `{}` is not judged", resource.id);
            evaluator.note(resource.at, problem)?;
            Ok(vec![resource])
        }
    }
}

impl Resource {
    /// A value that is made of this resource, or of one that is generated for it.
    fn made_of(at: Mark, id: &str) -> Tree {
        Tree::unknown(at, vec![id.to_owned()])
    }

    /// A generated resource. Where nothing is known of the source, nothing is known of it.
    fn generate(&self, id: String, kind: &str, at: Mark, entries: Vec<Entry>) -> Resource {
        let content = match self.properties.content {
            Content::Unknown => Content::Unknown,
            _ => Content::Map(entries),
        };
        let properties = Tree::new(at, content);
        Resource { id, at, kind: kind.to_owned(), properties, properties_at: at }
    }

    /// The resource that bears its own id.
    fn main(&self, kind: &str, entries: Vec<Entry>) -> Resource {
        let main = self.generate(self.id.clone(), kind, self.at, entries);
        Resource { properties_at: self.properties_at, ..main }
    }

    /// Its properties by SAM's names, as those by CloudFormation's.
    fn renamed(&self, names: &[(&str, &str)]) -> Vec<Entry> {
        let rename = |(from, to): &(&str, &str)| {
            let it = self.properties.entry(from)?;
            Some(Entry { key: (*to).to_owned(), at: it.at, tree: it.tree.clone() })
        };
        names.iter().filter_map(rename).collect()
    }

    /// Its properties that have the same names in both.
    fn kept(&self, names: &[&str]) -> Vec<Entry> {
        self.renamed(&names.iter().map(|it| (*it, *it)).collect::<Vec<_>>())
    }

    /// SAM's tags, a mapping, as CloudFormation's list.
    fn tags(&self) -> Option<Entry> {
        let tags = self.properties.entry("Tags")?;
        let tree = match &tags.tree.content {
            Content::Map(entries) => {
                let items = entries.iter().map(|it| {
                    let name = Entry::new("Key", Tree::text(it.at, &it.key));
                    let value = Entry { key: "Value".to_owned(), ..it.clone() };
                    Tree::new(it.at, Content::Map(vec![name, value]))
                });
                Tree::new(tags.tree.at, Content::List(items.collect()))
            }
            _ => tags.tree.clone(),
        };
        Some(Entry { key: tags.key.clone(), at: tags.at, tree })
    }
}

/// A mapping of texts, all written at one place.
fn texts(at: Mark, members: &[(&str, &str)]) -> Tree {
    let entries = members.iter().map(|(key, text)| Entry::new(key, Tree::text(at, *text)));
    Tree::new(at, Content::Map(entries.collect()))
}
