//! Edits of Terraform's source.

use super::text::{line_end, line_from, line_to, next_line, whole_lines};
use super::{File, Splice, last, word};
use crate::plan::Place;
use hcl_edit::Span;
use hcl_edit::structure::Body;
use serde_json::Value;
use std::ops::Range;

/// How far what stands in a block is indented, in spaces (`terraform fmt`).
const INDENT: usize = 2;

/// An attribute as the first line of the block that begins at `at`.
pub fn with(
    file: &File<'_>,
    pointer: &str,
    place: &Place,
    at: usize,
    value: &Value,
) -> Option<Splice> {
    let text = file.text;
    let header = line_from(text, at)?;
    let before = line_to(text, at)?;
    if !header.trim_end().ends_with('{') || !before.trim().is_empty() {
        return None;
    }
    let name = last(pointer)?;
    let word = word(value).ok()?;
    let word = if value.is_boolean() { word } else { format!("\"{word}\"") };
    let inside = next_line(text, at)?;
    let indent = place.column.checked_sub(1)? + INDENT;
    let width = aligned(line_from(text, inside)?, indent).unwrap_or(0);
    let line = format!("{:indent$}{name:width$} = {word}{}", "", line_end(text));
    Some(Splice { range: inside..inside, text: line })
}

/// How wide the names are in a group of attributes that begins with this line.
fn aligned(line: &str, indent: usize) -> Option<usize> {
    let (name, _) = line.split_once('=')?;
    let width = name.trim_end().len().checked_sub(indent)?;
    let is_name = name.trim().chars().all(|it| it.is_ascii_alphanumeric() || it == '_');
    let padded = name.len().checked_sub(indent + 1)?;
    (is_name && 0 < width).then_some(padded)
}

/// What goes with the block, or with the text in a list, that begins at `at`.
pub fn without(file: &File<'_>, pointer: &str, at: usize) -> Option<Range<usize>> {
    if pointer.is_empty() {
        return block(file.text, at, "resource");
    }
    let value = file.declared.properties.pointer(pointer)?;
    let (list, _) = pointer.rsplit_once('/')?;
    match value {
        Value::Object(_) => block(file.text, at, &last(list)?),
        Value::String(it) => item(file.text, at, it),
        _ => None,
    }
}

/// The lines of the block of a type that begins at `at`.
fn block(text: &str, at: usize, kind: &str) -> Option<Range<usize>> {
    let after = text.get(at..)?.strip_prefix(kind)?;
    if !after.starts_with([' ', '\t', '{', '"']) {
        return None;
    }
    let end = end_of_block(&hcl_edit::parser::parse_body(text).ok()?, at)?;
    let written = text.get(at..end)?.trim_end();
    written.ends_with('}').then(|| whole_lines(text, at, at + written.len())).flatten()
}

/// Where the block ends that begins at `at`.
fn end_of_block(body: &Body, at: usize) -> Option<usize> {
    for block in body.blocks() {
        let span = block.span()?;
        if span.start == at {
            return Some(span.end);
        }
        if span.contains(&at) {
            return end_of_block(&block.body, at);
        }
    }
    None
}

/// A text of a list, with its comma: the one after it, or else the one before.
fn item(text: &str, at: usize, value: &str) -> Option<Range<usize>> {
    let rest = text.get(at..)?.strip_prefix('"')?.strip_prefix(value)?;
    let after = rest.strip_prefix('"')?;
    let end = text.len() - after.len();
    let left = after.trim_start_matches([' ', '\t']);
    if let Some(next) = left.strip_prefix(',') {
        let comma = text.len() - next.len();
        let next = next.trim_start_matches([' ', '\t']);
        return whole_lines(text, at, comma).or(Some(at..text.len() - next.len()));
    }
    let before = text.get(..at)?.trim_end();
    match before.strip_suffix(',') {
        Some(kept) => Some(kept.len()..end),
        None => before.ends_with('[').then_some(at..end),
    }
}
