//! Edits of templates: YAML, and JSON as far as it is written like it.

use super::text::{after_sign, blanks, line_end, line_from, line_to, named, next_line};
use super::{File, Splice, Syntax, last, offset, word};
use crate::plan::Place;
use serde_json::Value;
use std::ops::Range;

/// What `Properties` are called where a pointer is empty.
const PROPERTIES: &str = "Properties";

/// A member as the first one of the mapping whose key begins at `at`.
pub fn with(file: &File<'_>, pointer: &str, at: usize, value: &Value) -> Option<Splice> {
    let text = file.text;
    let (parent, _) = pointer.rsplit_once('/')?;
    let key = if parent.is_empty() { PROPERTIES.to_owned() } else { last(parent)? };
    let after = named(text, at, &key)?;
    let after = after_sign(text, after, ':')?;
    let quote = if file.syntax == Syntax::Json { "\"" } else { "" };
    let word = word(value).ok()?;
    let word = if value.is_boolean() { word } else { format!("\"{word}\"") };
    let member = format!("{quote}{}{quote}: {word}", last(pointer)?);
    // What stands in it already says how to write there.
    let first = file.members(parent).into_iter().next()?;
    let sibling = offset(text, first)?;
    let rest = line_from(text, after)?;
    let is_line = |it: &str| it.trim().is_empty() || it.trim_start().starts_with('#');
    if let Some(inside) = rest.strip_prefix('{') {
        if !inside.trim().is_empty() {
            let range = after + 1..after + 1;
            return Some(Splice { range, text: format!(" {member},") });
        }
        let inside = next_line(text, after)?;
        let line = line(text, first, sibling, &format!("{member},"))?;
        return Some(Splice { range: inside..inside, text: line });
    }
    if file.syntax == Syntax::Json || !is_line(rest) {
        return None;
    }
    let inside = next_line(text, after)?;
    Some(Splice { range: inside..inside, text: line(text, first, sibling, &member)? })
}

/// A line that is indented as the sibling is that begins one.
fn line(text: &str, place: &Place, sibling: usize, member: &str) -> Option<String> {
    let indent = line_to(text, sibling)?;
    let is_first = indent.trim().is_empty() && indent.chars().count() + 1 == place.column;
    is_first.then(|| format!("{indent}{member}{}", line_end(text)))
}

/// What goes with the item or the member that begins at `at`.
pub fn without(file: &File<'_>, pointer: &str, at: usize) -> Option<Range<usize>> {
    let text = file.text;
    let Some((parent, _)) = pointer.rsplit_once('/') else {
        return member(text, at);
    };
    match file.declared.properties.pointer(parent)? {
        Value::Array(items) if items.len() == 1 => {
            // An empty list would be null, which CloudFormation refuses.
            let (above, _) = parent.rsplit_once('/')?;
            let left = file.declared.properties.pointer(above)?.as_object()?.len();
            let key = offset(text, file.declared.places.get(parent)?)?;
            named(text, key, &last(parent)?)?;
            if 1 < left { member(text, key) } else { None }
        }
        Value::Array(_) => item(text, at),
        Value::Object(members) if 1 < members.len() => {
            named(text, at, &last(pointer)?)?;
            member(text, at)
        }
        _ => None,
    }
}

/// The lines of a member of a mapping, where it begins a line.
fn member(text: &str, at: usize) -> Option<Range<usize>> {
    let indent = line_to(text, at)?;
    if !indent.chars().all(|it| it == ' ') {
        return None;
    }
    lines(text, at, indent.len(), true)
}

/// The lines of an item of a sequence, where its hyphen begins a line.
fn item(text: &str, at: usize) -> Option<Range<usize>> {
    let before = line_to(text, at)?;
    let indent = before.trim_end_matches(' ').strip_suffix('-')?;
    if !indent.chars().all(|it| it == ' ') {
        return None;
    }
    // On its own line, an item in brackets must end there.
    let flow = text.get(at..)?.starts_with(['{', '[']);
    if flow && !line_from(text, at)?.trim_end().ends_with(['}', ']']) {
        return None;
    }
    let start = at - before.len();
    lines(text, start + indent.len(), indent.len(), false)
}

/// The line of `at` and those after it that are indented more than it is; those of a sequence
/// within a member may begin where the member does.
fn lines(text: &str, at: usize, indent: usize, has_items: bool) -> Option<Range<usize>> {
    let start = at.checked_sub(line_to(text, at)?.len())?;
    let mut end = next_line(text, at)?;
    let mut kept = end;
    while end < text.len() {
        let line = line_from(text, end)?;
        let depth = blanks(line, 0)?;
        let content = line.get(depth..)?.trim_end();
        let is_item = has_items && depth == indent && (content == "-" || content.starts_with("- "));
        if !content.is_empty() && depth <= indent && !is_item {
            break;
        }
        end = next_line(text, end)?;
        // Blank lines at the end are what stands between this and the next one.
        if !content.is_empty() {
            kept = end;
        }
    }
    Some(start..kept)
}
