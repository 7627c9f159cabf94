//! Changes of source text: one value becomes another, or a part goes.
//!
//! [`rewrite`] changes what a declaration says at the place where it is written, and nothing else
//! of the file: no formatting, no comment. It is strict, not clever. A value gives way only where
//! it is written out (`= false`, not `= var.open`), and a part goes only where its end is certain.
//! Everything else is [`NotMechanical`], which says why.
//!
//! Whether the new text means what it should nobody knows here: read it again and compare.
//!
//! Deliberately absent: Terraform's JSON syntax, resources of its provider `awscc`, and taking
//! parts out of templates in JSON.

mod hcl;
mod text;
mod yaml;

use crate::plan::{Declared, Language, Place, Plan, Told};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use thiserror::Error;

/// The longest text that is written into a source, in bytes.
pub const WRITTEN_BYTES_MAX: usize = 256;

/// Types that are judged under other names than the source has.
const OTHER_NAMES: &str = "awscc_";

/// A change of what one declaration says.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    /// The declaration's address.
    pub address: String,
    /// JSON pointer into its properties; empty for all of it.
    pub pointer: String,
    /// The boolean or the text that it shall say there; `None` where that shall go.
    pub value: Option<Value>,
}

/// Why a source is not changed: what a person must look at.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct NotMechanical(pub String);

impl NotMechanical {
    fn new(problem: &str) -> NotMechanical {
        NotMechanical(problem.to_owned())
    }
}

/// Bytes of a file that give way to a text.
struct Splice {
    range: Range<usize>,
    text: String,
}

/// How a file is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Syntax {
    Hcl,
    Yaml,
    Json,
}

impl Syntax {
    fn of(language: Language, file: &str, text: &str) -> Result<Syntax, NotMechanical> {
        match language {
            Language::Terraform if file.ends_with(".json") => {
                Err(NotMechanical::new("Terraform's JSON syntax is not rewritten"))
            }
            Language::Terraform => Ok(Syntax::Hcl),
            Language::CloudFormation if text.trim_start().starts_with('{') => Ok(Syntax::Json),
            Language::CloudFormation => Ok(Syntax::Yaml),
        }
    }
}

/// The files that the edits change, by their names in `sources`, with their new texts. `sources`
/// are the texts that `plan` was read from, by the names in its places.
///
/// # Errors
///
/// Where an edit is not mechanical; then none is made.
pub fn rewrite(
    plan: &Plan,
    sources: &BTreeMap<String, String>,
    edits: &[Edit],
) -> Result<BTreeMap<String, String>, NotMechanical> {
    let mut splices: BTreeMap<&str, Vec<Splice>> = BTreeMap::new();
    for edit in edits {
        let (file, splice) = splice(plan, sources, edit)?;
        splices.entry(file).or_default().push(splice);
    }
    let changed = splices.into_iter().map(|(file, splices)| {
        let text = sources.get(file).map(String::as_str).unwrap_or_default();
        spliced(text, splices).map(|it| (file.to_owned(), it))
    });
    changed.collect()
}

/// The text with all splices made.
fn spliced(text: &str, mut splices: Vec<Splice>) -> Result<String, NotMechanical> {
    splices.sort_by_key(|it| (it.range.start, it.range.end));
    let (mut made, mut at) = (String::new(), 0);
    for splice in splices {
        let Some(kept) = text.get(at..splice.range.start) else {
            return Err(NotMechanical::new("what must change there overlaps"));
        };
        made.push_str(kept);
        made.push_str(&splice.text);
        at = splice.range.end;
    }
    made.push_str(text.get(at..).unwrap_or_default());
    Ok(made)
}

/// One edit as a splice of one file.
fn splice<'a>(
    plan: &'a Plan,
    sources: &BTreeMap<String, String>,
    edit: &Edit,
) -> Result<(&'a str, Splice), NotMechanical> {
    let declared = plan.declared.iter().find(|it| it.address == edit.address);
    let declared = declared.ok_or_else(|| NotMechanical::new("it is not declared here"))?;
    if declared.kind.starts_with(OTHER_NAMES) {
        return Err(NotMechanical::new("the provider `awscc` has names of its own"));
    }
    let (told, pointer) = (declared.told(&edit.pointer), edit.pointer.as_str());
    let place = match (&edit.value, told) {
        (None, _) if pointer.is_empty() => declared.at.as_ref(),
        (None, _) | (Some(_), Told::Value(_)) => declared.places.get(pointer),
        (Some(_), Told::Absent) => parent_place(declared, pointer),
        (Some(_), Told::Unknown) => {
            return Err(NotMechanical::new("what the source says there is not known"));
        }
    };
    let unplaced = || NotMechanical::new("where the source says it is not known");
    let place = place.ok_or_else(unplaced)?;
    let text = sources.get(&place.file).ok_or_else(unplaced)?;
    let at = offset(text, place).ok_or_else(unplaced)?;
    let file = File { text, syntax: Syntax::of(declared.language, &place.file, text)?, declared };
    let splice = match (&edit.value, told) {
        (None, _) => file.without(sources, pointer, at)?,
        (Some(value), Told::Value(old)) => file.set(pointer, at, old, value)?,
        (Some(value), _) => file.with(pointer, place, at, value)?,
    };
    Ok((place.file.as_str(), splice))
}

/// Where the parent of a property begins: the declaration itself, in Terraform.
fn parent_place<'a>(declared: &'a Declared, pointer: &str) -> Option<&'a Place> {
    let (parent, _) = pointer.rsplit_once('/')?;
    match (parent, declared.language) {
        ("", Language::Terraform) => declared.at.as_ref(),
        _ => declared.places.get(parent),
    }
}

/// The byte at which a place is.
fn offset(text: &str, place: &Place) -> Option<usize> {
    let mut start = 0;
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        if number == place.line {
            let mut columns = line.char_indices().map(|(at, _)| at);
            return Some(start + columns.nth(place.column.checked_sub(1)?)?);
        }
        start += line.len();
    }
    None
}

/// A file in which a declaration, or a part of it, is written.
struct File<'a> {
    text: &'a str,
    syntax: Syntax,
    declared: &'a Declared,
}

impl File<'_> {
    /// A value that is written out gives way to another. `at` is where its name begins.
    fn set(
        &self,
        pointer: &str,
        at: usize,
        old: &Value,
        new: &Value,
    ) -> Result<Splice, NotMechanical> {
        let computed = || {
            NotMechanical::new(
                "the source does not write the value out there, so whoever computes it decides",
            )
        };
        let name = last(pointer).ok_or_else(computed)?;
        let sign = if self.syntax == Syntax::Hcl { '=' } else { ':' };
        let after = text::named(self.text, at, &name).ok_or_else(computed)?;
        let value = text::after_sign(self.text, after, sign).ok_or_else(computed)?;
        let literal = text::literal(self.text, value, self.syntax).ok_or_else(computed)?;
        let is_old = match old {
            Value::Bool(it) => {
                literal.text.eq_ignore_ascii_case(if *it { "true" } else { "false" })
            }
            Value::String(it) => literal.text == it,
            _ => false,
        };
        if !is_old {
            return Err(computed());
        }
        let word = word(new)?;
        if !literal.is_quoted && self.syntax != Syntax::Yaml && !new.is_boolean() {
            return Err(computed());
        }
        Ok(Splice { range: literal.range, text: word })
    }

    /// A property comes to its parent, which begins at `at`.
    fn with(
        &self,
        pointer: &str,
        place: &Place,
        at: usize,
        value: &Value,
    ) -> Result<Splice, NotMechanical> {
        let made = match self.syntax {
            Syntax::Hcl => hcl::with(self, pointer, place, at, value),
            Syntax::Yaml | Syntax::Json => yaml::with(self, pointer, at, value),
        };
        let word = word(value)?;
        made.ok_or_else(|| NotMechanical(format!("the source has no plain place for `{word}`")))
    }

    /// What is written at `at` goes.
    fn without(
        &self,
        sources: &BTreeMap<String, String>,
        pointer: &str,
        at: usize,
    ) -> Result<Splice, NotMechanical> {
        if pointer.is_empty() && self.is_mentioned(sources) {
            return Err(NotMechanical::new("other code names the declaration that would go"));
        }
        let range = match self.syntax {
            Syntax::Hcl => hcl::without(self, pointer, at),
            Syntax::Yaml => yaml::without(self, pointer, at),
            Syntax::Json => None,
        };
        let range = range.ok_or_else(|| {
            NotMechanical::new("where what must go ends in the source is not certain")
        })?;
        Ok(Splice { range, text: String::new() })
    }

    /// Whether anything speaks of the declaration: a declaration itself writes its name in another
    /// way in Terraform, and once in a template.
    fn is_mentioned(&self, sources: &BTreeMap<String, String>) -> bool {
        let address = &self.declared.address;
        let key = address.strip_suffix(']').and_then(|it| it.rsplit_once('['));
        let name = key.map_or(address.as_str(), |(name, _)| name);
        match self.syntax {
            Syntax::Hcl => {
                let names: Vec<&str> = name.rsplit('.').take(2).collect();
                let name: Vec<&str> = names.into_iter().rev().collect();
                let name = name.join(".");
                sources.values().any(|it| text::words(it, &name) != 0)
            }
            Syntax::Yaml | Syntax::Json => text::words(self.text, name) != 1,
        }
    }

    /// The places of what stands directly in a property, in their order.
    fn members(&self, pointer: &str) -> BTreeSet<&Place> {
        let below = |it: &String| {
            let below = it.strip_prefix(pointer).and_then(|it| it.strip_prefix('/'));
            below.is_some_and(|it| !it.contains('/'))
        };
        self.declared.places.iter().filter(|&(to, _)| below(to)).map(|(_, it)| it).collect()
    }
}

/// What a property is called.
fn last(pointer: &str) -> Option<String> {
    let (_, name) = pointer.rsplit_once('/')?;
    Some(name.replace("~1", "/").replace("~0", "~"))
}

/// A value as a word, which means the same between quotes and, where it is a boolean, without.
fn word(value: &Value) -> Result<String, NotMechanical> {
    let is_plain =
        |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_' | '.' | '/' | ':');
    match value {
        Value::Bool(it) => Ok(it.to_string()),
        Value::String(it)
            if !it.is_empty() && it.len() <= WRITTEN_BYTES_MAX && it.chars().all(is_plain) =>
        {
            Ok(it.clone())
        }
        _ => Err(NotMechanical::new("what should be written there is neither a switch nor a word")),
    }
}
