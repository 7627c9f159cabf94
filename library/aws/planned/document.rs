//! Policy documents of which parts are not known yet.
//!
//! A text, an object, a text that will be written when its parts are known, or the blocks of an
//! `aws_iam_policy_document` that will only be read then.

use super::{Property, find};
use quell_core::plan::{Declared, Draft, Plan, Told};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What a stand-in begins with.
const STAND_IN: &str = "arn:aws:planned:::";
/// What it begins with where a `Deny` is about it.
const DENIED: &str = "arn:aws:planned:denied::";

/// A policy document, as far as it is known.
pub fn of(plan: &Plan, declared: &Declared, pointer: &str) -> Property {
    read(plan, declared, pointer, false)
}

/// The same, of a resource's own policy: each of its statements is about that resource or what it
/// holds, whatever is not known of its name.
pub fn of_resource(plan: &Plan, declared: &Declared, pointer: &str) -> Property {
    read(plan, declared, pointer, true)
}

fn read(plan: &Plan, declared: &Declared, pointer: &str, is_own: bool) -> Property {
    match declared.told(pointer) {
        Told::Absent => Property::None,
        Told::Unknown => match (declared.drafts.get(pointer), declared.referred(pointer)) {
            (Some(draft), _) => drafted(declared, draft, is_own),
            (None, [source]) => described(plan, source),
            _ => Property::Unknown,
        },
        Told::Value(Value::String(text)) if text.trim().is_empty() => Property::None,
        Told::Value(Value::String(text)) => match serde_json::from_str(text) {
            Ok(it @ Value::Object(_)) => Property::Is(it),
            _ => Property::Unknown,
        },
        Told::Value(_) => filled(declared, pointer, is_own),
    }
}

/// A document that will be a text.
fn drafted(declared: &Declared, draft: &Draft, is_own: bool) -> Property {
    if draft.unknown.contains("") {
        return Property::Unknown;
    }
    let document = Declared {
        properties: draft.document.clone(),
        unknown: draft.unknown.clone(),
        references: draft.references.clone(),
        ..declared.clone()
    };
    filled(&document, "", is_own)
}

/// A document of which single values may be unknown. What another resource will be called is never
/// a wildcard, so that is filled in; a statement with anything else unknown is left out.
///
/// Of a plan only a resource can leave a value unknown. Of source a variable can, too, and that may
/// be anything: there only what a statement is about is filled in, where the rest of it decides, as
/// it always does in a resource's own policy.
fn filled(declared: &Declared, pointer: &str, is_own: bool) -> Property {
    let Some(document) = declared.properties.pointer(pointer) else { return Property::Unknown };
    let mut document = document.clone();
    let (mut left_out, mut filled_in) = (BTreeSet::new(), BTreeSet::new());
    for at in &declared.unknown {
        let Some(below) = at.strip_prefix(pointer).filter(|it| it.starts_with('/')) else {
            continue;
        };
        let steps: Vec<&str> = below.split('/').skip(1).collect();
        let number = match steps.as_slice() {
            ["Statement", number, ..] => number.parse::<usize>().ok(),
            _ => None,
        };
        let Some(number) = number else { return Property::Unknown };
        let is_subject = matches!(steps.get(2), Some(&"Resource" | &"NotResource"));
        let name = stand_in(declared.referred(at)).filter(|_| is_subject || is_of_plan(declared));
        let own = || stand_in(std::slice::from_ref(&declared.address));
        let name = name.or_else(|| own().filter(|_| is_own && is_subject));
        match (name, document.pointer_mut(below)) {
            (Some(name), Some(slot)) => {
                *slot = json!(name);
                filled_in.insert(number);
            }
            _ => {
                left_out.insert(number);
            }
        }
    }
    let Some(Value::Array(statements)) = document.get_mut("Statement") else {
        let whole = left_out.is_empty() && filled_in.is_empty();
        return if whole { Property::Is(document) } else { Property::Unknown };
    };
    let mut kept = Vec::new();
    for (number, it) in std::mem::take(statements).into_iter().enumerate() {
        let decides = !is_own && !is_of_plan(declared) && allows_all(&it);
        let hangs = filled_in.contains(&number) && decides;
        if hangs || left_out.contains(&number) {
            left_out.insert(number);
        } else {
            kept.push(keeping_nobody_out(it));
        }
    }
    if kept.is_empty() && !left_out.is_empty() {
        return Property::Unknown;
    }
    *statements = kept;
    if left_out.is_empty() { Property::Is(document) } else { Property::AtLeast(document) }
}

/// Whether it comes from a plan: only source has places.
fn is_of_plan(declared: &Declared) -> bool {
    declared.at.is_none()
}

/// Whether a statement is about every action, or about all but some: then what it is about decides.
fn allows_all(statement: &Value) -> bool {
    let all = |it: &Value| matches!(it.as_str(), Some("*" | "*:*"));
    let of = |it: &Value| it.as_array().map_or_else(|| all(it), |it| it.iter().any(all));
    statement.get("NotAction").is_some() || statement.get("Action").is_none_or(of)
}

/// A `Deny` about what is not known yet may be about a part of it alone: a bucket, and not its
/// objects. Under a name of its own it keeps nobody out of what another statement is about.
fn keeping_nobody_out(mut statement: Value) -> Value {
    if statement.get("Effect").and_then(Value::as_str) == Some("Deny")
        && let Some(subject) = statement.get_mut("Resource")
    {
        rename(subject);
    }
    statement
}

fn rename(subject: &mut Value) {
    match subject {
        Value::String(it) => *it = it.replacen(STAND_IN, DENIED, 1),
        Value::Array(list) => list.iter_mut().for_each(rename),
        _ => {}
    }
}

/// What stands for the name of a resource that does not have one yet: nothing that a policy could
/// take for a wildcard, for somebody known, or for a variable.
fn stand_in(addresses: &[String]) -> Option<String> {
    let plain = |it: char| if it.is_ascii_alphanumeric() || "._-".contains(it) { it } else { '_' };
    let address: String = addresses.first()?.chars().map(plain).collect();
    Some(format!("{STAND_IN}{address}"))
}

/// A document that Terraform's `aws_iam_policy_document` will write, from its blocks.
/// Source: that data source in the AWS provider's documentation.
fn described(plan: &Plan, source: &str) -> Property {
    let Some(source) = find(plan, source).filter(|it| it.kind == "aws_iam_policy_document") else {
        return Property::Unknown;
    };
    if let Told::Value(Value::String(_)) = source.told("/json") {
        return of(plan, source, "/json");
    }
    let merged = [
        "/override_json",
        "/override_policy_documents",
        "/source_json",
        "/source_policy_documents",
    ];
    let is_merged = |it: &&str| match source.told(it) {
        Told::Absent => false,
        Told::Value(it) => it.as_array().is_none_or(|it| !it.is_empty()),
        Told::Unknown => true,
    };
    let Told::Value(Value::Array(blocks)) = source.told("/statement") else {
        return Property::Unknown;
    };
    let count = blocks.len();
    let statements: Vec<Value> =
        (0..count).filter_map(|it| statement(source, &format!("/statement/{it}"))).collect();
    let whole = statements.len() == count && !merged.iter().any(is_merged);
    let document = json!({ "Version": "2012-10-17", "Statement": statements });
    if whole { Property::Is(document) } else { Property::AtLeast(document) }
}

/// One block `statement`; `None` where what decides is unknown.
fn statement(source: &Declared, at: &str) -> Option<Value> {
    let effect = match source.told(&format!("{at}/effect")) {
        Told::Unknown => return None,
        Told::Absent => json!("Allow"),
        Told::Value(it) => it.clone(),
    };
    let mut statement = Map::from_iter([("Effect".to_owned(), effect)]);
    if let Told::Value(Value::String(sid)) = source.told(&format!("{at}/sid"))
        && !sid.is_empty()
    {
        statement.insert("Sid".to_owned(), json!(sid));
    }
    let lists = [
        ("Action", "actions"),
        ("NotAction", "not_actions"),
        ("Resource", "resources"),
        ("NotResource", "not_resources"),
    ];
    for (name, written) in lists {
        let found = texts(source, &format!("{at}/{written}"))?;
        if !found.is_empty() {
            statement.insert(name.to_owned(), json!(found));
        }
    }
    for (name, written) in [("Principal", "principals"), ("NotPrincipal", "not_principals")] {
        if let Some(it) = principals(source, &format!("{at}/{written}"))? {
            statement.insert(name.to_owned(), it);
        }
    }
    if let Some(it) = conditions(source, &format!("{at}/condition"))? {
        statement.insert("Condition".to_owned(), it);
    }
    Some(keeping_nobody_out(Value::Object(statement)))
}

/// `{"AWS": [...]}`; all principals of any type are `*`.
fn principals(source: &Declared, at: &str) -> Option<Option<Value>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for block in blocks(source, at)? {
        let kind = text(source, &format!("{block}/type"))?;
        found.entry(kind).or_default().extend(texts(source, &format!("{block}/identifiers"))?);
    }
    if found.get("*").is_some_and(|it| it.iter().any(|it| it == "*")) {
        return Some(Some(json!("*")));
    }
    Some((!found.is_empty()).then(|| json!(found)))
}

fn conditions(source: &Declared, at: &str) -> Option<Option<Value>> {
    let mut found: BTreeMap<String, BTreeMap<String, Vec<String>>> = BTreeMap::new();
    for block in blocks(source, at)? {
        let test = text(source, &format!("{block}/test"))?;
        let variable = text(source, &format!("{block}/variable"))?;
        let values = texts(source, &format!("{block}/values"))?;
        found.entry(test).or_default().entry(variable).or_default().extend(values);
    }
    Some((!found.is_empty()).then(|| json!(found)))
}

/// The pointers to the blocks of a list; `None` where how many is unknown.
fn blocks(source: &Declared, at: &str) -> Option<Vec<String>> {
    match source.told(at) {
        Told::Unknown => None,
        Told::Value(Value::Array(list)) => {
            Some((0..list.len()).map(|it| format!("{at}/{it}")).collect())
        }
        _ => Some(Vec::new()),
    }
}

fn text(source: &Declared, at: &str) -> Option<String> {
    source.told(at).value()?.as_str().map(str::to_owned)
}

/// What stands for a value that a plan does not know. Source may leave anything unknown.
fn of_plan(source: &Declared, at: &str) -> Option<String> {
    stand_in(source.referred(at)).filter(|_| is_of_plan(source))
}

/// A list of texts, in which the names of resources to come are stood in for; `None` where anything
/// else is unknown.
fn texts(source: &Declared, at: &str) -> Option<Vec<String>> {
    match source.told(at) {
        Told::Absent => Some(Vec::new()),
        Told::Unknown => of_plan(source, at).map(|it| vec![it]),
        Told::Value(Value::Array(list)) => {
            let one = |(number, it): (usize, &Value)| match it {
                Value::String(it) => Some(it.clone()),
                _ => of_plan(source, &format!("{at}/{number}")),
            };
            list.iter().enumerate().map(one).collect()
        }
        Told::Value(Value::String(it)) => Some(vec![it.clone()]),
        Told::Value(_) => None,
    }
}
