//! `sprintf` as Open Policy Agent has it: Go's `fmt.Sprintf` over integers, floats and texts.
//!
//! regorus knows fewer verbs and fails at what Go writes out (`%!d(string=x)`); a failure within a
//! builtin is undefined, so that a message would be lost, and a violation with it. What OPA makes
//! of other values than numbers and texts is their text as terms of Rego.

use regorus::Value;
use std::fmt::Write as _;
use std::iter::Peekable;
use std::str::Chars;

/// An argument, as OPA hands it to Go.
enum Argument {
    Int(String),
    Float(f64),
    Text(String),
}

/// `%-08.3f` without its verb.
#[derive(Default)]
struct Flags {
    minus: bool,
    plus: bool,
    space: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
}

/// Formats as `sprintf(format, arguments)` does.
pub(super) fn sprintf(format: &str, arguments: &[Value]) -> String {
    let arguments: Vec<Argument> = arguments.iter().map(argument).collect();
    let (mut next, mut is_reordered) = (0, false);
    let (mut out, mut chars) = (String::with_capacity(format.len()), format.chars().peekable());
    while let Some(char) = chars.next() {
        if char != '%' {
            out.push(char);
            continue;
        }
        let mut flags = Flags::default();
        while let Some(flag) = chars.next_if(|it| "-+# 0".contains(*it)) {
            match flag {
                '-' => flags.minus = true,
                '+' => flags.plus = true,
                ' ' => flags.space = true,
                '0' => flags.zero = true,
                _ => {}
            }
        }
        flags.width = number(&mut chars);
        if chars.next_if_eq(&'.').is_some() {
            flags.precision = Some(number(&mut chars));
        }
        let at = match index(&mut chars) {
            Some(at) => {
                is_reordered = true;
                at.filter(|it| *it < arguments.len())
            }
            None => Some(next),
        };
        // Writing to a string does not fail.
        let _ = match (chars.next(), at) {
            (None, _) => write!(out, "%!(NOVERB)"),
            (Some('%'), _) => write!(out, "%"),
            (Some(verb), None) => write!(out, "%!{verb}(BADINDEX)"),
            (Some(verb), Some(at)) => {
                next = at.saturating_add(1);
                match arguments.get(at) {
                    None => write!(out, "%!{verb}(MISSING)"),
                    Some(argument) => write!(out, "{}", formatted(verb, argument, &flags)),
                }
            }
        };
    }
    let extra: Vec<String> = arguments.iter().skip(next).map(told).collect();
    if !is_reordered && !extra.is_empty() {
        let _ = write!(out, "%!(EXTRA {})", extra.join(", "));
    }
    out
}

/// `[2]`: which argument is meant, from 0; inner nothing where that is no number.
fn index(chars: &mut Peekable<Chars<'_>>) -> Option<Option<usize>> {
    chars.next_if_eq(&'[')?;
    let number: String = chars.by_ref().take_while(|it| *it != ']').collect();
    Some(number.parse::<usize>().ok().and_then(|it| it.checked_sub(1)))
}

fn number(chars: &mut Peekable<Chars<'_>>) -> usize {
    let mut number = 0_usize;
    while let Some(digit) = chars.next_if(char::is_ascii_digit) {
        let digit = digit.to_digit(10).and_then(|it| usize::try_from(it).ok()).unwrap_or(0);
        number = number.saturating_mul(10).saturating_add(digit);
    }
    number
}

fn argument(value: &Value) -> Argument {
    match value {
        Value::String(it) => Argument::Text(it.to_string()),
        Value::Number(it) => match (it.is_integer(), it.as_f64()) {
            (false, Some(float)) => Argument::Float(float),
            _ => Argument::Int(it.format_decimal()),
        },
        other => Argument::Text(term(other)),
    }
}

fn formatted(verb: char, argument: &Argument, flags: &Flags) -> String {
    let integer = |it: &str| it.parse::<i128>().ok();
    let text = match (verb, argument) {
        ('v' | 'd', Argument::Int(it)) => signed(it, flags),
        ('v' | 's', Argument::Text(it)) => match flags.precision {
            Some(precision) => it.chars().take(precision).collect(),
            None => it.clone(),
        },
        ('q', Argument::Text(it)) => quoted(it),
        ('v' | 'g', Argument::Float(it)) => signed(&shortest(*it), flags),
        ('f' | 'F', Argument::Float(it)) => {
            signed(&format!("{it:.*}", flags.precision.unwrap_or(6)), flags)
        }
        ('e', Argument::Float(it)) => {
            signed(&exponent(&format!("{it:.*e}", flags.precision.unwrap_or(6))), flags)
        }
        ('x', Argument::Text(it)) => it.bytes().map(|it| format!("{it:02x}")).collect(),
        ('X', Argument::Text(it)) => it.bytes().map(|it| format!("{it:02X}")).collect(),
        ('x' | 'X' | 'o' | 'b' | 'c' | 'U', Argument::Int(it)) => {
            let Some(number) = integer(it) else { return wrong(verb, argument) };
            let (sign, size) = (if number < 0 { "-" } else { "" }, number.unsigned_abs());
            let char = u32::try_from(size).ok().and_then(char::from_u32);
            match verb {
                'x' => signed(&format!("{sign}{size:x}"), flags),
                'X' => signed(&format!("{sign}{size:X}"), flags),
                'o' => signed(&format!("{sign}{size:o}"), flags),
                'b' => signed(&format!("{sign}{size:b}"), flags),
                'U' => format!("U+{size:04X}"),
                _ => char.unwrap_or(char::REPLACEMENT_CHARACTER).to_string(),
            }
        }
        _ => return wrong(verb, argument),
    };
    padded(text, argument, flags)
}

fn signed(number: &str, flags: &Flags) -> String {
    match number.starts_with('-') {
        false if flags.plus => format!("+{number}"),
        false if flags.space => format!(" {number}"),
        _ => number.to_owned(),
    }
}

fn padded(text: String, argument: &Argument, flags: &Flags) -> String {
    let missing = flags.width.saturating_sub(text.chars().count());
    if flags.minus {
        return text + &" ".repeat(missing);
    }
    if !flags.zero {
        return " ".repeat(missing) + &text;
    }
    let digits = match argument {
        Argument::Text(_) => text.as_str(),
        _ => text.trim_start_matches(['-', '+', ' ']),
    };
    let sign = text.strip_suffix(digits).unwrap_or_default();
    format!("{sign}{}{digits}", "0".repeat(missing))
}

/// What Go writes where a verb does not fit.
fn wrong(verb: char, argument: &Argument) -> String {
    format!("%!{verb}({})", told(argument))
}

fn told(argument: &Argument) -> String {
    match argument {
        Argument::Int(it) => format!("int64={it}"),
        Argument::Float(it) => format!("float64={}", shortest(*it)),
        Argument::Text(it) => format!("string={it}"),
    }
}

/// Go's `%v` of a float: as short as possible, with an exponent where it is very small or large.
fn shortest(number: f64) -> String {
    let size = number.abs();
    match size != 0.0 && !(1e-4..1e21).contains(&size) {
        true => exponent(&format!("{number:e}")),
        false => format!("{number}"),
    }
}

/// Rust's `1.5e0` as Go's `1.5e+00`.
fn exponent(number: &str) -> String {
    let Some((digits, power)) = number.split_once('e') else { return number.to_owned() };
    let (sign, power) = match power.strip_prefix('-') {
        Some(power) => ('-', power),
        None => ('+', power),
    };
    format!("{digits}e{sign}{power:0>2}")
}

fn quoted(text: &str) -> String {
    Value::from(text).to_json_str().unwrap_or_else(|_| format!("{text:?}"))
}

/// A value as a term of Rego.
fn term(value: &Value) -> String {
    let list = |it: Vec<String>| it.join(", ");
    match value {
        Value::String(it) => quoted(it),
        Value::Array(it) => format!("[{}]", list(it.iter().map(term).collect())),
        Value::Set(it) if it.is_empty() => "set()".to_owned(),
        Value::Set(it) => format!("{{{}}}", list(it.iter().map(term).collect())),
        Value::Object(it) => {
            let pairs = it.iter().map(|(key, value)| format!("{}: {}", term(key), term(value)));
            format!("{{{}}}", list(pairs.collect()))
        }
        Value::Number(it) => it.format_decimal(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_gos() {
        // What OPA 1.20 gives.
        for (format, arguments, expected) in [
            ("%s %d %v", r#"["x", "y"]"#, "x %!d(string=y) %!v(MISSING)"),
            ("%d %s %q", r#"[1.5, 3, "a\"b"]"#, r#"%!d(float64=1.5) %!s(int64=3) "a\"b""#),
            ("%-6s|%06d|%x|%v", r#"["ab", 42, 255, null]"#, "ab    |000042|ff|null"),
            ("%t", "[true]", "%!t(string=true)"),
            ("%v %v %d %s", "[1.0, 2.50, 3.0, 4.5]", "1 2.5 3 %!s(float64=4.5)"),
            ("%s", r#"["a", "b"]"#, "a%!(EXTRA string=b)"),
            ("%d%%", "[12345678901234567890]", "12345678901234567890%"),
            ("%v %s", r#"[["x", {"k": "v"}], true]"#, r#"["x", {"k": "v"}] true"#),
            ("%x %X %o %b %c", r#"["hi", 255, 8, 5, 65]"#, "6869 FF 10 101 A"),
            ("%e %g %U", "[1.5, 1.5, 65]", "1.500000e+00 1.5 U+0041"),
            ("%", "[]", "%!(NOVERB)"),
            ("%z", "[1]", "%!z(int64=1)"),
            ("%+d|% d", "[3, 4]", "+3| 4"),
            ("%f %.1f|%8.3f", "[1.25, 2.55, 1.5]", "1.250000 2.5|   1.500"),
            // By the tests of Go's `fmt`.
            ("%[2]d %[1]d", "[1, 2]", "2 1"),
            ("%[5]d %[2]d %d", "[1, 2, 3]", "%!d(BADINDEX) 2 3"),
            ("%[2]s", r#"["a", "b"]"#, "b"),
            ("%[3]", "[1]", "%!(NOVERB)"),
        ] {
            let arguments = Value::from_json_str(arguments).unwrap();
            let arguments: Vec<Value> = arguments.as_array().unwrap().iter().cloned().collect();
            assert_eq!(sprintf(format, &arguments), expected, "{format}");
        }
        let empty = [Value::new_set()];
        assert_eq!(sprintf("%v", &empty), "set()");
    }
}
