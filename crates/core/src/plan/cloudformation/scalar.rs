//! What a plain YAML scalar means.
//!
//! CloudFormation reads YAML 1.1, so `yes`, `no`, `on` and `off` are booleans. Where 1.1 is known
//! to surprise (dates, octal numbers, sixties), what is written stays text: `012345678901` is an
//! account, `2012-10-17` a version and `22:22` two ports.

use serde_json::Number;

use crate::plan::cloudformation::tree::Content;

const TRUE: [&str; 9] = ["true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"];
const FALSE: [&str; 9] = ["false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"];

/// The meaning of an unquoted scalar.
pub fn plain(text: &str) -> Content {
    if matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        return Content::Null;
    }
    for (words, value) in [(TRUE, true), (FALSE, false)] {
        if let Some(word) = words.into_iter().find(|it| *it == text) {
            return Content::Bool(value, word);
        }
    }
    match number(text) {
        Some(number) => Content::Number(number, text.to_owned()),
        None => Content::Text(text.to_owned()),
    }
}

/// A number of JSON's grammar, also with a `+`, or of hexadecimal digits.
pub fn number(text: &str) -> Option<Number> {
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok().map(Number::from);
    }
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    let first = unsigned.strip_prefix('-').unwrap_or(unsigned).chars().next()?;
    if !first.is_ascii_digit() || (unsigned.len() < text.len() && unsigned.starts_with('-')) {
        return None;
    }
    serde_json::from_str(unsigned).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_of_yaml_1_1_without_its_surprises() {
        let show = |text| format!("{:?}", plain(text));
        for text in ["2012-10-17", "012345678901", "22:22", "-", "+-1", "1_000", "0x", "0xg", ".5"]
        {
            assert_eq!(show(text), format!("{:?}", Content::Text(text.to_owned())), "{text}");
        }
        for (text, value) in
            [("0", "0"), ("-7", "-7"), ("+7", "7"), ("0x1F", "31"), ("1e3", "1000.0")]
        {
            assert_eq!(number(text).unwrap().to_string(), value, "{text}");
        }
        assert_eq!(show("On"), "Bool(true, \"On\")");
        assert_eq!(show("no"), "Bool(false, \"no\")");
        assert_eq!(show("~"), "Null");
    }
}
