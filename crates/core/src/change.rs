//! A fix is data.
//!
//! A [`Change`] says which [`Facet`] of which resource goes from `before` to `after`. Because it is
//! data, undo is its [`inverse`](Change::inverse), a dry run is printing it, a simulated account
//! applies it to a JSON document, and the ledger can hold it. `before` is always read, never
//! supplied.
//!
//! A facet addresses an element of a list by its content ([`element_id`]), never by its index: an
//! index means something else after somebody inserted an element. Ids that the provider assigns
//! ([`PROVIDER_ASSIGNED`]) are no part of that content, since they differ after an undo.

use crate::resource::{ResourceRef, State};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::fmt;
use thiserror::Error;

/// Keys whose values the provider assigns: not part of an element's identity or equality.
pub const PROVIDER_ASSIGNED: [&str; 2] = ["RuleId", "VersionId"];

/// One part of one resource goes from `before` to `after`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Name of the action that can apply it, such as `s3.put_public_access_block`.
    pub action: String,
    /// What is changed.
    pub resource: ResourceRef,
    /// Which part of it.
    pub facet: Facet,
    /// The part as it was read; null where there is none.
    pub before: Value,
    /// The part as it shall be; null where there shall be none.
    pub after: Value,
    /// Where the element stood in its list: a hint for undo, no identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<usize>,
    /// What else must go for good so that this can be made, such as the oldest version of a policy
    /// that has as many as it may. A fix discards exactly this, and its plan demands approval; an
    /// undo discards nothing and does not bring it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discards: Option<String>,
    /// Whether this fixes or undoes.
    pub direction: Direction,
}

/// Whether a change fixes or undoes a fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// A fix.
    Forward,
    /// The inverse of a fix.
    Undo,
}

/// A part of a resource's properties.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Facet {
    /// JSON pointer (RFC 6901) to a property, or to the list that holds the element.
    pub pointer: String,
    /// [`element_id`] of the element.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub element: Option<String>,
}

impl Facet {
    /// A whole property.
    pub fn property(pointer: &str) -> Facet {
        Facet { pointer: pointer.to_owned(), element: None }
    }

    /// One element of a list.
    pub fn element(pointer: &str, element: &Value) -> Facet {
        Facet { pointer: pointer.to_owned(), element: Some(element_id(element)) }
    }

    /// What `properties` hold there; null where there is nothing.
    pub fn read(&self, properties: &Value) -> Value {
        let found = properties.pointer(&self.pointer);
        let found = match (&self.element, found) {
            (Some(id), Some(Value::Array(list))) => list.iter().find(|it| element_id(it) == *id),
            (Some(_), _) => None,
            (None, found) => found,
        };
        found.cloned().unwrap_or(Value::Null)
    }

    /// Where its element stands in the list.
    fn position(&self, properties: &Value) -> Option<usize> {
        let id = self.element.as_ref()?;
        let list = properties.pointer(&self.pointer)?.as_array()?;
        list.iter().position(|it| element_id(it) == *id)
    }
}

impl fmt::Display for Facet {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.element {
            Some(id) => write!(out, "{}/{id}", self.pointer),
            None => write!(out, "{}", self.pointer),
        }
    }
}

/// Why a change could not be applied to a document.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum FacetError {
    /// The parent of the facet is neither an object nor absent.
    #[error("`{0}` does not lead through objects")]
    NoParent(String),
    /// The facet names an element, but there is no list.
    #[error("`{0}` is not a list")]
    NotAList(String),
}

impl Change {
    /// A fix by the named action: a part of what was read goes to `after`; null takes it away.
    pub fn fix(action: &str, state: &State, facet: Facet, after: Value) -> Change {
        Change {
            action: action.to_owned(),
            resource: state.resource.clone(),
            before: facet.read(&state.properties),
            position: facet.position(&state.properties),
            facet,
            after,
            discards: None,
            direction: Direction::Forward,
        }
    }

    /// The change that takes this one back.
    pub fn inverse(&self) -> Change {
        Change {
            before: self.after.clone(),
            after: self.before.clone(),
            direction: match self.direction {
                Direction::Forward => Direction::Undo,
                Direction::Undo => Direction::Forward,
            },
            ..self.clone()
        }
    }

    /// A stable id: equal changes have equal ids.
    pub fn id(&self) -> String {
        digest(&[
            &self.action,
            &self.resource.to_string(),
            &self.facet.to_string(),
            &canonical(&self.before),
            &canonical(&self.after),
            self.discards.as_deref().unwrap_or_default(),
        ])
    }

    /// Whether `properties` are already as the change wants them.
    pub fn is_done(&self, properties: &Value) -> bool {
        same(&self.facet.read(properties), &self.after)
    }

    /// Whether `properties` are as they were when the change was planned.
    pub fn starts_from(&self, properties: &Value) -> bool {
        same(&self.facet.read(properties), &self.before)
    }

    /// Applies the change to a document, as the cloud would.
    pub fn apply_to(&self, properties: &mut Value) -> Result<(), FacetError> {
        let path = &self.facet.pointer;
        let (parent, key) = path.rsplit_once('/').unwrap_or(("", path));
        let parent =
            object_at(properties, parent).ok_or_else(|| FacetError::NoParent(path.clone()))?;
        let Some(id) = &self.facet.element else {
            match &self.after {
                Value::Null => parent.remove(key),
                after => parent.insert(key.to_owned(), after.clone()),
            };
            return Ok(());
        };
        let slot = parent.entry(key.to_owned()).or_insert_with(|| Value::Array(Vec::new()));
        let Value::Array(list) = slot else {
            return Err(FacetError::NotAList(path.clone()));
        };
        let found = list.iter().position(|it| element_id(it) == *id);
        match (&self.after, found) {
            // Equal elements are one violation: a grant that stands twice goes twice.
            (Value::Null, Some(_)) => list.retain(|it| element_id(it) != *id),
            (Value::Null, None) => {}
            (after, Some(at)) => {
                if let Some(slot) = list.get_mut(at) {
                    *slot = after.clone();
                }
            }
            (after, None) => {
                let at = self.position.unwrap_or(list.len()).min(list.len());
                list.insert(at, after.clone());
            }
        }
        Ok(())
    }
}

/// The object at a pointer; objects on the way are made where nothing (or null) stands.
fn object_at<'a>(document: &'a mut Value, pointer: &str) -> Option<&'a mut Map<String, Value>> {
    let mut at = document;
    for key in pointer.split('/').skip(1) {
        if at.is_null() {
            *at = Value::Object(Map::new());
        }
        at = at.as_object_mut()?.entry(key.to_owned()).or_insert(Value::Null);
    }
    if at.is_null() {
        *at = Value::Object(Map::new());
    }
    at.as_object_mut()
}

/// The stable identity of a list's element: a digest of its content without
/// [`PROVIDER_ASSIGNED`] keys.
pub fn element_id(element: &Value) -> String {
    digest(&[&canonical(&without_assigned(element))])
}

/// Equal but for what the provider assigns.
pub fn same(left: &Value, right: &Value) -> bool {
    left == right || without_assigned(left) == without_assigned(right)
}

/// JSON text with sorted keys and no spaces: equal values have equal texts.
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    text
}

fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut keys: Vec<_> = fields.iter().collect();
            keys.sort_by_key(|(key, _)| *key);
            text.push('{');
            for (at, (key, value)) in keys.into_iter().enumerate() {
                if 0 < at {
                    text.push(',');
                }
                text.push_str(&Value::String(key.clone()).to_string());
                text.push(':');
                write_canonical(value, text);
            }
            text.push('}');
        }
        Value::Array(list) => {
            text.push('[');
            for (at, value) in list.iter().enumerate() {
                if 0 < at {
                    text.push(',');
                }
                write_canonical(value, text);
            }
            text.push(']');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}

fn without_assigned(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(key, _)| !PROVIDER_ASSIGNED.contains(&key.as_str()))
            .map(|(key, value)| (key.clone(), without_assigned(value)))
            .collect(),
        Value::Array(list) => list.iter().map(without_assigned).collect(),
        scalar => scalar.clone(),
    }
}

/// Sixteen bytes of SHA-256 in hex over the parts, each ended by a zero byte.
pub fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hex::encode(hash.finalize().get(..16).unwrap_or_default())
}
