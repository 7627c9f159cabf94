//! Policy documents: as IAM hands them out, and what makes an administrator in them.

use quell_core::facts::iam_policy::{Allow, Kind, analyze, document};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Reads a document as IAM returns it (percent-encoded, RFC 3986) or as a request holds it. A lone
/// statement becomes a list of one: that means the same, and a facet can name its elements.
pub fn parse(text: &str) -> Result<Value, String> {
    let text = if text.trim_start().starts_with('{') {
        text.to_owned()
    } else {
        percent_decoded(text).ok_or("the document is neither JSON nor percent-encoded JSON")?
    };
    document::parse(&text).map(listed).map_err(|it| it.to_string())
}

/// The document in an event's field: a text, or, in some archives, an object.
pub fn of_event(field: Option<&Value>) -> Option<Value> {
    match field? {
        Value::String(text) => parse(text).ok(),
        it @ Value::Object(_) => Some(listed(it.clone())),
        _ => None,
    }
}

/// A document's statements, as [`parse`] left them.
pub fn statements(document: &Value) -> &[Value] {
    document.get("Statement").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// What an administrator statement is called in facts.
pub struct AdminStatement {
    /// Its [`quell_core::change::element_id`].
    pub id: String,
    /// Its `Sid`, or its number in the document, from 1.
    pub name: String,
    /// Why it makes an administrator.
    pub reason: String,
}

/// The statements of an identity policy's document that make an administrator. Equal ones are one.
pub fn admin_statements(document: &Value) -> Vec<AdminStatement> {
    let analysis = analyze(document, Some(Kind::Identity), &Allow::default());
    let mut seen = BTreeSet::new();
    let admins = analysis.statements.into_iter().filter(|it| it.admin);
    admins
        .filter(|it| seen.insert(it.id.clone()))
        .map(|it| AdminStatement {
            id: it.id,
            name: it.sid.unwrap_or_else(|| format!("number {}", it.index.saturating_add(1))),
            reason: it.reason,
        })
        .collect()
}

/// Whether a document says nothing that we understand: it must not pass for harmless. IAM takes no
/// document without a statement, and no statement that is no object.
pub fn is_unreadable(document: &Value) -> bool {
    let statements = statements(document);
    statements.is_empty() || !statements.iter().all(Value::is_object)
}

/// A statement that neither allows nor denies anything: what a managed policy is left with when
/// its last statement goes, since IAM takes no document without one. IAM checks the form of an
/// action's name, not that it exists, and no service is called `none`.
pub fn inert_statement() -> Value {
    json!({
        "Sid": "QuellLeftNothing",
        "Effect": "Deny",
        "Action": "none:null",
        "Resource": "*",
    })
}

fn listed(mut document: Value) -> Value {
    if let Some(statement) = document.get_mut("Statement").filter(|it| it.is_object()) {
        *statement = Value::Array(vec![statement.take()]);
    }
    document
}

/// Undoes percent-encoding; `None` where it is broken. A `+` stands for itself.
fn percent_decoded(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let mut one = [0];
            hex::decode_to_slice([bytes.next()?, bytes.next()?], &mut one).ok()?;
            decoded.extend(one);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok()
}
