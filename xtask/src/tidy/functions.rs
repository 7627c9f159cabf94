//! A function fits on a screen.
//!
//! No parser: rustfmt has laid the file out, so a function ends at the first line that is its own
//! indentation and a closing brace. A raw string that holds such a line ends it early; then a long
//! function may pass, but never does a short one fail.

use crate::tidy::repository::{Repository, Violation};

/// From the line with `fn` to the closing brace, comments and all.
const FUNCTION_LINES_MAX: usize = 70;

/// Finds the functions that are too long.
pub fn are_short(repository: &Repository) -> Vec<Violation> {
    let mut violations = vec![];
    for (path, text) in repository.with_extension("rs") {
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let Some(name) = function_name(line) else { continue };
            let length = length(lines.get(at..).unwrap_or_default());
            if FUNCTION_LINES_MAX < length {
                let message = format!("`{name}` has {length} lines; at most {FUNCTION_LINES_MAX}");
                violations.push(Violation::new(path, at + 1, message));
            }
        }
    }
    violations
}

/// The name in a line that begins a function.
fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let qualifier = |it: &str| {
        matches!(it, "async" | "const" | "extern" | "unsafe" | "\"C\"") || it.starts_with("pub")
    };
    let name = after.split(|it: char| !it.is_alphanumeric() && it != '_').next()?;
    (before.split_whitespace().all(qualifier) && !name.is_empty()).then_some(name)
}

/// How many lines the function takes that begins at the first of these; 1 where it has no body.
fn length(lines: &[&str]) -> usize {
    let first = lines.first().copied().unwrap_or_default();
    let indent = first.len() - first.trim_start().len();
    let ends = |line: &&str| {
        let own = line.len() - line.trim_start().len() == indent;
        own && (line.trim_start().starts_with('}') || line.ends_with(';') || line.ends_with('}'))
    };
    lines.iter().position(ends).map_or(lines.len(), |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_beginnings_of_functions_have_a_name() {
        assert_eq!(function_name("fn a() {"), Some("a"));
        assert_eq!(function_name("    pub(crate) async unsafe fn b_2<T>("), Some("b_2"));
        assert_eq!(function_name("    apply: fn (u8),"), None);
        assert_eq!(function_name("// the fn that"), None);
        assert_eq!(function_name("let f: &dyn Fn(u8) = x;"), None);
    }

    #[test]
    fn length_is_counted_to_the_closing_brace() {
        let length = |text: &str| length(&text.lines().collect::<Vec<_>>());
        assert_eq!(length("fn a() {}\nfn b() {}"), 1);
        assert_eq!(length("    fn a(&self);\n    fn b(&self);"), 1);
        assert_eq!(length("    fn a(\n        b: u8,\n    ) -> u8;\n"), 3);
        assert_eq!(length("fn a()\nwhere\n    T: B,\n{\n    if x {\n    }\n}\n"), 7);
    }

    #[test]
    fn a_function_may_have_70_lines() {
        let function = |lines: usize| format!("fn a() {{\n{}}}\n", "    x;\n".repeat(lines - 2));
        assert!(are_short(&Repository::of(&[("a.rs", &function(70))])).is_empty());
        let expected = Violation::new("a.rs".into(), 1, "`a` has 71 lines; at most 70");
        assert_eq!(are_short(&Repository::of(&[("a.rs", &function(71))])), [expected]);
    }
}
