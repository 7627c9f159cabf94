//! Unknown values: a plan leaves them out of its values and lists them in a second tree.

use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Puts `null` wherever `unknown` (the shape of `after_unknown`) says `true`, and returns the JSON
/// pointers of these places.
pub(super) fn mark(value: &mut Value, unknown: &Value) -> BTreeSet<String> {
    let mut pointers = BTreeSet::new();
    spread(value, unknown, "", &mut pointers);
    pointers
}

fn spread(value: &mut Value, unknown: &Value, at: &str, pointers: &mut BTreeSet<String>) {
    if !any(unknown) {
        return;
    }
    match unknown {
        Value::Object(fields) => {
            let mut known = match value.take() {
                Value::Object(known) => known,
                _ => Map::new(),
            };
            for (name, it) in fields.iter().filter(|(_, it)| any(it)) {
                let below = known.entry(name).or_insert(Value::Null);
                spread(below, it, &pointer(at, name), pointers);
            }
            *value = Value::Object(known);
        }
        Value::Array(list) => {
            let mut known = match value.take() {
                Value::Array(known) => known,
                _ => Vec::new(),
            };
            known.resize(known.len().max(list.len()), Value::Null);
            for (number, (below, it)) in known.iter_mut().zip(list).enumerate() {
                spread(below, it, &pointer(at, &number.to_string()), pointers);
            }
            *value = Value::Array(known);
        }
        _ => {
            *value = Value::Null;
            pointers.insert(at.to_owned());
        }
    }
}

fn any(unknown: &Value) -> bool {
    match unknown {
        Value::Bool(it) => *it,
        Value::Array(list) => list.iter().any(any),
        Value::Object(fields) => fields.values().any(any),
        _ => false,
    }
}

/// A pointer one step longer.
pub(super) fn pointer(at: &str, step: &str) -> String {
    format!("{at}/{}", step.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn unknown_is_null_and_listed() {
        let mut value = json!({ "a": 1, "list": [{ "x": 1 }, null], "b": null });
        let unknown = json!({
            "id": true, "a": false, "b": {},
            "list": [{ "y/z": true }, { "x": true }, false],
        });
        let pointers = mark(&mut value, &unknown);
        let expected = ["/id", "/list/0/y~1z", "/list/1/x"];
        assert_eq!(pointers.iter().map(String::as_str).collect::<Vec<_>>(), expected);
        let list = json!([{ "x": 1, "y/z": null }, { "x": null }, null]);
        assert_eq!(value, json!({ "a": 1, "b": null, "id": null, "list": list }));
        let mut all = json!({ "a": 1 });
        assert_eq!(mark(&mut all, &json!(true)), BTreeSet::from([String::new()]));
        assert_eq!(all, Value::Null);
    }
}
