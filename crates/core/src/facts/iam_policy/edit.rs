//! Taking statements out of a document and putting them back.
//!
//! A statement is addressed by its content ([`element_id`]), never by its index. Everything else in
//! the document stays as it is, and in its order.

use serde_json::{Map, Value};

use crate::change::element_id;

/// The document without these statements; `None` when none is left, since AWS accepts no document
/// without a statement. A document that has none of them comes back as it is.
#[must_use]
pub fn without_statements(document: &Value, ids: &[String]) -> Option<Value> {
    let mut document = document.clone();
    let goes = |it: &Value| ids.contains(&element_id(it));
    let is_empty = match document.get_mut("Statement") {
        Some(Value::Array(list)) => {
            list.retain(|it| !goes(it));
            list.is_empty()
        }
        Some(single) => goes(single),
        None => true,
    };
    (!is_empty).then_some(document)
}

/// The document with a statement more, at `position` or at the end where there are fewer. One that
/// is there already is not put in twice. A single statement becomes a list.
#[must_use]
pub fn insert_statement(document: &Value, statement: &Value, position: usize) -> Value {
    let mut fields: Map<String, Value> = document.as_object().cloned().unwrap_or_default();
    let mut list = match fields.remove("Statement") {
        Some(Value::Array(list)) => list,
        Some(single) => vec![single],
        None => Vec::new(),
    };
    if !list.iter().any(|it| element_id(it) == element_id(statement)) {
        list.insert(position.min(list.len()), statement.clone());
    }
    fields.insert("Statement".to_owned(), Value::Array(list));
    Value::Object(fields)
}
