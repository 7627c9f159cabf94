//! `docs/reference/config.md` and its JSON schema: every setting, as the types describe it.

use crate::config::Config;
use schemars::schema_for;
use serde_json::Value;
use std::fmt::Write as _;

/// The JSON schema, for editors and validators.
pub fn schema() -> String {
    format!("{:#}\n", schema_for!(Config).to_value())
}

/// The page.
pub fn page() -> String {
    let mut page = super::head("Configuration");
    page.push_str(
        "\nOne YAML file, named with `--config` or `QUELL_CONFIG`. Unknown keys and values of the \
         wrong type are refused with\ntheir line; a value that contradicts another is refused by \
         the name of its setting.\nEditors complete it with \
         [config.schema.json](config.schema.json).\n",
    );
    let schema = schema_for!(Config).to_value();
    section(&schema, &schema, "", &mut page);
    page
}

/// The settings of an object, then those of the objects in it.
fn section(root: &Value, object: &Value, path: &str, page: &mut String) {
    let fields = object.get("properties").and_then(Value::as_object);
    let fields: Vec<_> = fields.into_iter().flatten().collect();
    let is_section = |field: &Value| field.get("properties").is_some();
    let (nested, plain): (Vec<_>, Vec<_>) = fields
        .into_iter()
        .map(|(name, field)| (name, field, resolved(root, field)))
        .partition(|(_, _, it)| is_section(it));
    if !plain.is_empty() {
        let title = if path.is_empty() { "(top)" } else { path };
        let _ = writeln!(page, "\n## `{title}`\n\n{}", text(object, "description"));
        page.push_str("\n| setting | type | default | meaning |\n|---|---|---|---|\n");
        for (name, field, meaning) in &plain {
            let description = match text(field, "description") {
                "" => text(meaning, "description"),
                own => own,
            };
            let default = field.get("default").map_or(String::new(), |it| format!("`{it}`"));
            let (kind, description) = (kind(root, field), super::cell(description));
            let _ = writeln!(page, "| `{name}` | {kind} | {default} | {description} |");
        }
        for (name, field, _) in plain {
            for (suffix, inner) in inner(root, field) {
                section(root, inner, &format!("{path}{}{name}{suffix}", dot(path)), page);
            }
        }
    }
    for (name, _, field) in nested {
        section(root, field, &format!("{path}{}{name}", dot(path)), page);
    }
}

fn dot(path: &str) -> &'static str {
    if path.is_empty() { "" } else { "." }
}

/// The objects that a list or map holds.
fn inner<'a>(root: &'a Value, field: &'a Value) -> Vec<(&'static str, &'a Value)> {
    let field = resolved(root, field);
    let items = field.get("items").map(|it| ("[]", resolved(root, it)));
    let values = field.get("additionalProperties").map(|it| (".NAME", resolved(root, it)));
    let alone = Some(("", field));
    let found = [items, values, alone.filter(|(_, it)| it.get("properties").is_some())];
    found.into_iter().flatten().filter(|(_, it)| it.get("properties").is_some()).collect()
}

/// What a reference leads to; an optional thing is the thing.
fn resolved<'a>(root: &'a Value, field: &'a Value) -> &'a Value {
    if let Some(pointer) = field.get("$ref").and_then(Value::as_str) {
        let target = root.pointer(pointer.trim_start_matches('#'));
        return target.unwrap_or(field);
    }
    let any = field.get("anyOf").and_then(Value::as_array).into_iter().flatten();
    match any.map(|it| resolved(root, it)).find(|it| text(it, "type") != "null") {
        Some(thing) => thing,
        None => field,
    }
}

/// A type in words.
fn kind(root: &Value, field: &Value) -> String {
    let thing = resolved(root, field);
    if let Some(choices) = choices(thing) {
        return choices.join(", ");
    }
    match thing.get("type") {
        Some(Value::String(kind)) if kind == "array" => {
            let items = thing.get("items").map_or(String::new(), |it| kind_of_part(root, it));
            format!("list of {items}")
        }
        Some(Value::String(kind)) if kind == "object" => {
            let values = thing.get("additionalProperties").filter(|it| it.is_object());
            values.map_or("section".to_owned(), |it| format!("map to {}", kind_of_part(root, it)))
        }
        Some(Value::String(kind)) => kind.clone(),
        Some(Value::Array(kinds)) => {
            let kinds = kinds.iter().filter_map(Value::as_str).filter(|it| *it != "null");
            kinds.collect::<Vec<_>>().join(" or ")
        }
        _ => "any".to_owned(),
    }
}

fn kind_of_part(root: &Value, part: &Value) -> String {
    match kind(root, part).as_str() {
        "section" => "sections".to_owned(),
        other => other.to_owned(),
    }
}

/// The values of an enumeration.
fn choices(thing: &Value) -> Option<Vec<String>> {
    let listed = |it: &Value| it.as_array().cloned();
    if let Some(values) = thing.get("enum").and_then(listed) {
        return Some(values.iter().map(|it| format!("`{it}`")).collect());
    }
    let each = thing.get("oneOf").and_then(listed)?;
    let values: Option<Vec<String>> =
        each.iter().map(|it| it.get("const").map(|it| format!("`{it}`"))).collect();
    values
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
