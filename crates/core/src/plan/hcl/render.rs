//! Values as JSON, with what is unknown in them and what they are made of.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use serde_json::{Map, Value};

use super::value::{Kind, Val, json_number};
use crate::plan::Draft;

/// How many digits an index has at most: no value has a million elements.
const INDEX_CHARS: usize = 6;

/// A value as a plan holds it.
#[derive(Default)]
pub(super) struct Rendered {
    pub value: Value,
    pub unknown: BTreeSet<String>,
    pub references: BTreeMap<String, Vec<String>>,
    pub drafts: BTreeMap<String, Draft>,
}

/// The pointer to what lies below another one.
pub(super) fn below(pointer: &str, name: impl Display) -> String {
    format!("{pointer}/{}", name.to_string().replace('~', "~0").replace('/', "~1"))
}

/// What all pointers into a value take, in bytes, where the one to it has `pointer` bytes.
pub(super) fn pointers_bytes(value: &Val, pointer: usize) -> usize {
    let below = |name: usize, it: &Val| pointers_bytes(it, pointer.saturating_add(name + 1));
    match &value.kind {
        Kind::List(items) | Kind::Set(items) => {
            items.iter().fold(pointer, |sum, it| sum.saturating_add(below(INDEX_CHARS, it)))
        }
        Kind::Map(entries) => {
            let entries = entries.iter();
            entries.fold(pointer, |sum, (name, it)| sum.saturating_add(below(name.len(), it)))
        }
        Kind::Unknown(Some(draft)) => pointer.saturating_add(pointers_bytes(draft, 0)),
        _ => pointer,
    }
}

pub(super) fn rendered(value: &Val) -> Rendered {
    let mut rendered = Rendered::default();
    rendered.value = rendered.render(value, "");
    rendered
}

impl Rendered {
    fn render(&mut self, value: &Val, pointer: &str) -> Value {
        if !value.references.is_empty() {
            self.references.insert(pointer.to_owned(), value.references.addresses());
        }
        match &value.kind {
            Kind::Unknown(draft) => {
                self.unknown.insert(pointer.to_owned());
                if let Some(draft) = draft {
                    let it = rendered(draft);
                    let draft = Draft {
                        document: it.value,
                        unknown: it.unknown,
                        references: it.references,
                    };
                    self.drafts.insert(pointer.to_owned(), draft);
                }
                Value::Null
            }
            // A whole resource, of which the provider alone knows what it has.
            Kind::Instance(_) => {
                self.unknown.insert(pointer.to_owned());
                Value::Null
            }
            Kind::Null => Value::Null,
            Kind::Bool(it) => Value::Bool(*it),
            Kind::Number(it) => json_number(*it),
            Kind::Text(text) => Value::String(text.to_string()),
            Kind::List(items) | Kind::Set(items) => {
                let items = items.iter().enumerate();
                Value::Array(items.map(|(at, it)| self.render(it, &below(pointer, at))).collect())
            }
            Kind::Map(entries) => {
                let mut object = Map::new();
                for (name, it) in entries.iter() {
                    object.insert(name.clone(), self.render(it, &below(pointer, name)));
                }
                Value::Object(object)
            }
        }
    }
}
