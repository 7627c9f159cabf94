//! The builtins that users' own Rego may call, and what keeps one call from growing without bounds.
//!
//! More than a policy may call ([`ALLOWED`](crate::policy::builtins::ALLOWED)), since a bundle
//! decides nothing: what bundles in use call. An evaluation looks at the clock between the calls
//! and not within one, so those whose answer can be far larger than their arguments are bounded
//! before they are called.

use super::sprintf::sprintf;
use crate::policy::builtins::{FORMAT_WIDTH_MAX_DIGITS, within_limit};
use regorus::unstable::{BUILTINS, Expr, Ref, Source, Span};
use regorus::{Engine, LimitError, Value};

/// The builtins that a bundle may call besides those of a policy, sorted.
pub const FOR_BUNDLES: [&str; 26] = [
    "base64.encode",
    "format_int",
    "graph.reachable",
    "indexof_n",
    "json.filter",
    "json.marshal",
    "json.remove",
    "numbers.range",
    "object.filter",
    "object.subset",
    "object.union_n",
    "regex.find_all_string_submatch_n",
    "regex.find_n",
    "regex.is_valid",
    "regex.replace",
    "regex.split",
    "replace",
    "strings.any_prefix_match",
    "strings.any_suffix_match",
    "strings.count",
    "strings.reverse",
    "trim",
    "trim_left",
    "trim_right",
    "union",
    "walk",
];
/// The most bytes that a replacement may give.
pub const REPLACED_MAX_BYTES: u64 = 64 * 1024 * 1024;
/// The most numbers that `numbers.range` may give.
pub const RANGE_MAX: u64 = 100_000;

/// Whether a builtin's answer to its arguments is bounded.
type Guard = fn(&[Value]) -> Result<(), LimitError>;

/// The builtins that are guarded, their arity and their guard; sorted.
const GUARDED: [(&str, u8, Guard); 9] = [
    ("array.concat", 2, within_limit),
    ("concat", 2, within_limit),
    ("json.marshal", 1, within_limit),
    ("numbers.range", 2, short_range),
    ("object.union", 2, within_limit),
    ("object.union_n", 1, within_limit),
    ("regex.replace", 3, short_replacement),
    ("replace", 3, short_replacement),
    ("sprintf", 2, short_format),
];

/// Puts the guards before their builtins.
pub(super) fn install(engine: &mut Engine) -> Result<(), String> {
    let source = Source::from_contents("builtin".to_owned(), String::new());
    let source = source.map_err(|it| it.to_string())?;
    let span = Span { source, line: 1, col: 1, start: 0, end: 0 };
    for (name, arity, guard) in GUARDED {
        let nothing = Expr::Null { span: span.clone(), value: Value::Null, eidx: 0 };
        let (span, exprs) = (span.clone(), vec![Ref::new(nothing); usize::from(arity)]);
        let guarded = move |args: Vec<Value>| {
            guard(&args)?;
            if let ("sprintf", [Value::String(format), Value::Array(list)]) = (name, &args[..]) {
                let list: Vec<Value> = list.iter().cloned().collect();
                return Ok(Value::from(sprintf(format, &list)));
            }
            let Some((builtin, _)) = BUILTINS.get(name) else { return Ok(Value::Undefined) };
            match builtin(&span, &exprs, &args, false) {
                Err(error) if !error.is::<LimitError>() => Ok(Value::Undefined),
                answer => answer,
            }
        };
        let added = engine.add_extension(name.to_owned(), arity, Box::new(guarded));
        added.map_err(|it| it.to_string())?;
    }
    Ok(())
}

fn exceeded(usage: u64, limit: u64) -> Result<(), LimitError> {
    if limit < usage { Err(LimitError::MemoryLimitExceeded { usage, limit }) } else { Ok(()) }
}

/// Whether `numbers.range` gives a range of a size that can be held.
fn short_range(args: &[Value]) -> Result<(), LimitError> {
    let number = |it: &Value| match it {
        Value::Number(it) => it.as_i128(),
        _ => None,
    };
    match (args.first().and_then(number), args.get(1).and_then(number)) {
        (Some(from), Some(to)) => {
            exceeded(u64::try_from(from.abs_diff(to)).unwrap_or(u64::MAX), RANGE_MAX)
        }
        // No integers: the builtin says what is wrong.
        _ => Ok(()),
    }
}

/// Whether a text would still be short if each of its characters were replaced.
fn short_replacement(args: &[Value]) -> Result<(), LimitError> {
    let length = |it: Option<&Value>| match it {
        Some(Value::String(it)) => u64::try_from(it.len()).unwrap_or(u64::MAX),
        _ => 0,
    };
    let (text, new) = (length(args.first()), length(args.get(2)));
    exceeded(text.saturating_add(1).saturating_mul(new.saturating_add(1)), REPLACED_MAX_BYTES)
}

/// Whether no width of a format is longer than [`FORMAT_WIDTH_MAX_DIGITS`], and what is formatted
/// is light.
fn short_format(args: &[Value]) -> Result<(), LimitError> {
    within_limit(args)?;
    let Some(Value::String(format)) = args.first() else { return Ok(()) };
    let digits = |verb: &str| {
        let width = verb.chars().take_while(|it| it.is_numeric() || ".-+# *".contains(*it));
        width.filter(|it| it.is_numeric()).count()
    };
    let widest = format.split('%').skip(1).map(digits).max().unwrap_or(0);
    let limit = u64::try_from(FORMAT_WIDTH_MAX_DIGITS).unwrap_or(0);
    exceeded(u64::try_from(widest).unwrap_or(u64::MAX), limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::builtins::ALLOWED;

    #[test]
    fn the_lists_are_sorted_and_every_name_is_a_builtin() {
        assert!(FOR_BUNDLES.is_sorted() && GUARDED.is_sorted_by_key(|it| it.0));
        for name in FOR_BUNDLES {
            assert!(BUILTINS.contains_key(name) && !ALLOWED.contains(&name), "{name}");
        }
        for (name, arity, _) in GUARDED {
            assert!(ALLOWED.contains(&name) || FOR_BUNDLES.contains(&name), "{name}");
            assert_eq!(BUILTINS.get(name).map(|it| it.1), Some(arity), "{name}");
        }
    }
}
