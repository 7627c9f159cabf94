//! Texts of JSON and Base64, and primitive types.

use data_encoding::BASE64;

use super::{argument, refused, text_at, unknown_of};
use crate::plan::hcl::value::{Fault, Val, Valued};

/// The JSON of a value; where parts are unknown, a text of which the document is known in part.
pub fn jsonencode(arguments: &[Val]) -> Valued {
    Val::json_text(argument(arguments, 0)?.clone(), written)
}

/// The JSON of a known value.
pub fn json(value: &Val) -> Result<String, Fault> {
    value.to_json().map(|it| written(&it)).ok_or_else(|| refused(value, "known"))
}

/// JSON as Go writes it: nothing in it means anything in HTML.
fn written(json: &serde_json::Value) -> String {
    let escape = |text: String, (from, to): (char, &str)| text.replace(from, to);
    [
        ('<', "\\u003c"),
        ('>', "\\u003e"),
        ('&', "\\u0026"),
        ('\u{2028}', "\\u2028"),
        ('\u{2029}', "\\u2029"),
    ]
    .into_iter()
    .fold(json.to_string(), escape)
}

pub fn jsondecode(arguments: &[Val]) -> Valued {
    let json = serde_json::from_str(&text_at(arguments, 0)?);
    Val::from_json(&json.map_err(|error| Fault::new(format!("is no JSON: {error}")))?)
}

pub fn tostring(arguments: &[Val]) -> Valued {
    primitive(arguments, |it| it.to_text().map(Val::text).transpose(), "a string")
}

pub fn tonumber(arguments: &[Val]) -> Valued {
    primitive(arguments, |it| Ok(it.to_number().map(Val::number)), "a number")
}

pub fn tobool(arguments: &[Val]) -> Valued {
    primitive(arguments, |it| Ok(it.to_bool().map(Val::bool)), "a bool")
}

fn primitive(
    arguments: &[Val],
    make: fn(&Val) -> Result<Option<Val>, Fault>,
    wanted: &str,
) -> Valued {
    let it = argument(arguments, 0)?;
    if it.is_null() || it.is_unknown() {
        return Ok(it.clone());
    }
    if !it.known {
        return unknown_of(arguments);
    }
    Ok(make(it)?.ok_or_else(|| refused(it, wanted))?.with(&it.references))
}

pub fn base64encode(arguments: &[Val]) -> Valued {
    Val::text(BASE64.encode(text_at(arguments, 0)?.as_bytes()))
}

/// Without the ends of lines, which Go skips.
pub fn base64decode(arguments: &[Val]) -> Valued {
    let mut letters = text_at(arguments, 0)?.as_bytes().to_vec();
    letters.retain(|it| !matches!(it, b'\n' | b'\r'));
    // Go takes also what is not canonical.
    let bytes = BASE64.decode(&letters).map_err(|_| Fault::ours("is no Base64"))?;
    Val::text(String::from_utf8(bytes).map_err(|_| Fault::new("is no text"))?)
}

pub fn urlencode(arguments: &[Val]) -> Valued {
    let mut encoded = String::new();
    for byte in text_at(arguments, 0)?.bytes() {
        match byte {
            b' ' => encoded.push('+'),
            byte if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) => {
                encoded.push(char::from(byte));
            }
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    Val::text(encoded)
}
