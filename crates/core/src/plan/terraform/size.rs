//! What a JSON document takes in memory once it is read, told before it is: eight bytes of text can
//! become an object of several hundred.

use super::PLAN_VALUES_BYTES_MAX;

/// What a value takes, and what the name of a member takes, in bytes: 32 for a `serde_json::Value`
/// in a list that has room to grow, 24 for a `String` in a node of a tree that is half full.
const VALUE_BYTES: usize = 64;
/// What an object takes besides, in bytes: a node of the standard library's B-tree has room for 11
/// members from the first on.
const OBJECT_BYTES: usize = 640;

/// Refuses a document whose values would take more than [`PLAN_VALUES_BYTES_MAX`].
pub(super) fn check(document: &[u8]) -> Result<(), String> {
    if PLAN_VALUES_BYTES_MAX < values_bytes(document) {
        let limit = PLAN_VALUES_BYTES_MAX;
        return Err(format!("has so many values that they take more than {limit} bytes"));
    }
    Ok(())
}

/// The most that all values of a document take besides their texts, in bytes.
fn values_bytes(document: &[u8]) -> usize {
    let (mut values, mut objects) = (1_usize, 0_usize);
    let (mut in_text, mut is_escaped) = (false, false);
    for byte in document {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = in_text,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'{' => objects = objects.saturating_add(1),
            b'[' | b',' | b':' => values = values.saturating_add(1),
            _ => {}
        }
    }
    let bytes = values.saturating_mul(VALUE_BYTES);
    bytes.saturating_add(objects.saturating_mul(OBJECT_BYTES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_outside_of_texts() {
        for (document, values, objects) in [
            ("", 1, 0),
            ("1", 1, 0),
            ("[1,2,3]", 4, 0),
            (r#"{"a":1,"b":[{}]}"#, 5, 2),
            (r#"["{,:[", "\"{,:["]"#, 3, 0),
            (r#"["\\", {}]"#, 3, 1),
        ] {
            let bytes = values * VALUE_BYTES + objects * OBJECT_BYTES;
            assert_eq!(values_bytes(document.as_bytes()), bytes, "{document}");
        }
    }
}
