//! Words, literals and lines, whatever the language. All offsets are bytes of the whole text.

use super::Syntax;
use std::ops::Range;

/// A value that is written out.
pub struct Literal<'a> {
    /// What it says, without its quotes.
    pub text: &'a str,
    /// Where that stands.
    pub range: Range<usize>,
    /// Whether there are quotes around it.
    pub is_quoted: bool,
}

/// The offset after the name at `at`, and after its quotes.
pub fn named(text: &str, at: usize, name: &str) -> Option<usize> {
    let rest = text.get(at..)?;
    if rest.starts_with(name) {
        return Some(at + name.len());
    }
    let quote = rest.chars().next().filter(|it| matches!(it, '"' | '\''))?;
    let ends = rest.strip_prefix(quote)?.strip_prefix(name)?.starts_with(quote);
    ends.then_some(at + name.len() + 2)
}

/// The offset of what comes after a sign and the blanks around it.
pub fn after_sign(text: &str, at: usize, sign: char) -> Option<usize> {
    let at = blanks(text, at)?;
    let at = text.get(at..)?.strip_prefix(sign).map(|_| at + sign.len_utf8())?;
    blanks(text, at)
}

/// The offset after blanks, on the same line.
pub fn blanks(text: &str, at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    Some(at + rest.len() - rest.trim_start_matches([' ', '\t']).len())
}

/// The value at `at`, where nothing but a comment, a comma or a bracket follows it on its line.
pub fn literal(text: &str, at: usize, syntax: Syntax) -> Option<Literal<'_>> {
    let rest = text.get(at..)?;
    let quote = rest.chars().next()?;
    let (said, begins, ends) = if quote == '"' || (quote == '\'' && syntax == Syntax::Yaml) {
        let (said, _) = rest.get(1..)?.split_once(quote)?;
        // A template, or an escape: not what it says.
        if said.contains(['\\', '$', '%', '\n']) {
            return None;
        }
        (said, at + 1, at + said.len() + 2)
    } else {
        let is_end = |it: char| it.is_whitespace() || matches!(it, ',' | '}' | ']');
        let said = rest.split(is_end).next()?;
        (said, at, at + said.len())
    };
    let after = line_from(text, ends)?.trim_start();
    let is_over = after.is_empty() || after.starts_with(['#', ',', '}', ']']);
    let is_over = is_over || (syntax == Syntax::Hcl && after.starts_with("//"));
    let range = begins..begins + said.len();
    (is_over && !said.is_empty()).then_some(Literal { text: said, range, is_quoted: begins != at })
}

/// What of a line comes from `at` on, without its end.
pub fn line_from(text: &str, at: usize) -> Option<&str> {
    text.get(at..)?.split('\n').next()
}

/// What of a line comes before `at`.
pub fn line_to(text: &str, at: usize) -> Option<&str> {
    text.get(..at)?.rsplit('\n').next()
}

/// The offset of the next line, or of the end.
pub fn next_line(text: &str, at: usize) -> Option<usize> {
    let rest = line_from(text, at)?;
    Some((at + rest.len() + 1).min(text.len()))
}

/// The lines from the one of `first` to the one of `last`, where nothing else stands on them. A
/// blank line goes with them where two would be left.
pub fn whole_lines(text: &str, first: usize, last: usize) -> Option<Range<usize>> {
    let is_blank = |it: &str| it.trim().is_empty();
    let before = line_to(text, first).filter(|it| is_blank(it))?;
    line_from(text, last).filter(|it| is_blank(it))?;
    let start = first - before.len();
    let end = next_line(text, last)?;
    let after = line_from(text, end).is_some_and(is_blank) && end < text.len();
    let above = text.get(..start)?.trim_end_matches([' ', '\t']);
    let is_apart = above.is_empty() || above.ends_with("\n\n") || above.ends_with("\n\r\n");
    Some(start..if after && is_apart { next_line(text, end)? } else { end })
}

/// How a text ends its lines.
pub fn line_end(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

/// How often a name stands by itself in a text.
pub fn words(text: &str, name: &str) -> usize {
    if name.is_empty() {
        return 0;
    }
    let is_part = |it: char| it.is_alphanumeric() || it == '_' || it == '-';
    let stands_alone = |(at, found): &(usize, &str)| {
        let before = text.get(..*at).and_then(|it| it.chars().next_back());
        let after = text.get(at + found.len()..).and_then(|it| it.chars().next());
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    };
    text.match_indices(name).filter(stands_alone).count()
}
