//! The builtins that a policy may call, and what one call may cost.
//!
//! The virtual machine counts instructions and looks at the clock between them; a builtin is one
//! instruction, however long it takes. So the list holds those alone whose time and answer grow
//! with the size of their arguments and no faster: no `numbers.range`, no `bits.lsh`, no
//! `product`, no `replace`. A value may hold another one many times without holding it in memory
//! more than once, so builtins that write their arguments out weigh them first ([`WEIGHED`]).
//!
//! Deliberately not here: builtins that reach for a clock, a network or chance. They are not even
//! compiled in, since a verdict depends on its input alone.

use regorus::unstable::{BUILTINS, BuiltinFcn};
use regorus::{LimitError, Value};

/// The most that a builtin may write out, and that the answer of a policy may be, in bytes of text.
pub const POLICY_VALUE_MAX_BYTES: u64 = 1024 * 1024;
/// The most digits of a width or a precision in a format of `sprintf`.
pub const FORMAT_WIDTH_MAX_DIGITS: usize = 2;

/// The builtins that a policy may call, sorted.
pub const ALLOWED: [&str; 51] = [
    "__builtin_sets.intersection",
    "__builtin_sets.union",
    "abs",
    "array.concat",
    "array.reverse",
    "array.slice",
    "base64.decode",
    "base64.is_valid",
    "ceil",
    "concat",
    "contains",
    "count",
    "endswith",
    "floor",
    "glob.match",
    "indexof",
    "intersection",
    "is_array",
    "is_boolean",
    "is_null",
    "is_number",
    "is_object",
    "is_set",
    "is_string",
    "json.is_valid",
    "json.unmarshal",
    "lower",
    "max",
    "min",
    "net.cidr_contains",
    "net.cidr_is_valid",
    "object.get",
    "object.keys",
    "object.remove",
    "object.union",
    "regex.match",
    "round",
    "semver.compare",
    "semver.is_valid",
    "sort",
    "split",
    "sprintf",
    "startswith",
    "substring",
    "sum",
    "to_number",
    "trim_prefix",
    "trim_space",
    "trim_suffix",
    "type_name",
    "upper",
];

/// Those of [`ALLOWED`] that write their arguments out: they fail when these are heavier than
/// [`POLICY_VALUE_MAX_BYTES`]. The failure ends the judgment: it is never "undefined".
pub const WEIGHED: [&str; 4] = ["array.concat", "concat", "object.union", "sprintf"];

/// The builtin that weighs its arguments first, if `name` is one of [`WEIGHED`].
pub(super) fn weighed(name: &str) -> Option<BuiltinFcn> {
    let at = WEIGHED.iter().position(|it| *it == name)?;
    let all = [weighed_at::<0>(), weighed_at::<1>(), weighed_at::<2>(), weighed_at::<3>()];
    all.get(at).copied()
}

/// The builtin `WEIGHED[AT]`. Builtins are plain function pointers, which can't hold a name.
fn weighed_at<const AT: usize>() -> BuiltinFcn {
    let call: BuiltinFcn = (
        |span, exprs, args, strict| {
            within_limit(args)?;
            match WEIGHED.get(AT).and_then(|it| BUILTINS.get(it)) {
                Some((builtin, _)) => builtin(span, exprs, args, strict),
                None => Ok(Value::Undefined),
            }
        },
        2,
    );
    call
}

/// Whether values are light enough to be written out.
pub(super) fn within_limit(values: &[Value]) -> Result<(), LimitError> {
    let mut left = POLICY_VALUE_MAX_BYTES;
    if values.iter().all(|it| weigh(it, &mut left)) {
        return Ok(());
    }
    let limit = POLICY_VALUE_MAX_BYTES;
    Err(LimitError::MemoryLimitExceeded { usage: limit + 1, limit })
}

/// Takes the weight of a value, as text, from what is left; false as soon as nothing is.
fn weigh(value: &Value, left: &mut u64) -> bool {
    const SCALAR_BYTES: usize = 8;
    let own = match value {
        Value::String(it) => it.len() + SCALAR_BYTES,
        // A number without a width of its own takes longer to write than it is long.
        Value::Number(it) if it.as_i128().is_none() && it.as_f64().is_none() => return false,
        _ => SCALAR_BYTES,
    };
    let Some(rest) = u64::try_from(own).ok().and_then(|it| left.checked_sub(it)) else {
        return false;
    };
    *left = rest;
    match value {
        Value::Array(it) => it.iter().all(|it| weigh(it, left)),
        Value::Set(it) => it.iter().all(|it| weigh(it, left)),
        Value::Object(it) => it.iter().all(|(key, it)| weigh(key, left) && weigh(it, left)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted_and_every_name_is_a_builtin() {
        assert!(ALLOWED.is_sorted() && WEIGHED.is_sorted());
        for name in ALLOWED {
            assert!(BUILTINS.contains_key(name), "{name}");
        }
        for name in WEIGHED {
            assert!(ALLOWED.contains(&name), "{name}");
            let arity = |it: Option<BuiltinFcn>| it.map(|(_, arity)| arity);
            assert_eq!(arity(weighed(name)), arity(BUILTINS.get(name).copied()), "{name}");
        }
    }
}
