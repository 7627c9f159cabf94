//! The comments of a source: just enough of HCL and YAML to tell a comment from a string.
//!
//! Where a source is no valid HCL or YAML, the scanner still ends and still finds the comments that
//! a person would see; the parser of the gate says what is wrong with the source.

use std::collections::BTreeSet;

/// The syntax of a source that can hold comments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// Terraform's: `#`, `//`, `/* */`; strings with interpolations, here-documents.
    Hcl,
    /// A template's: `#`; quoted strings, block scalars.
    Yaml,
}

impl Syntax {
    /// By name and content; none where it is JSON, which has no comments.
    pub fn of(file: &str, text: &str) -> Option<Syntax> {
        let is_json = text.trim_start_matches('\u{feff}').trim_start().starts_with('{');
        match file.rsplit_once('.') {
            Some((_, "tf" | "tofu" | "hcl" | "tfvars")) => Some(Syntax::Hcl),
            _ if is_json => None,
            _ => Some(Syntax::Yaml),
        }
    }
}

/// One line of a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment<'a> {
    /// Its line, counted from 1.
    pub line: usize,
    /// The column of its first character in characters, counted from 1.
    pub column: usize,
    /// Its text, without what makes it a comment and without white space around it.
    pub text: &'a str,
    /// Whether there is nothing else in its line.
    pub is_alone: bool,
}

/// Finds the comments of a source, line by line.
pub fn read(text: &str, syntax: Syntax) -> Vec<Comment<'_>> {
    let mut found = Found { comments: vec![], code: BTreeSet::new(), counted: (0, 0, 1) };
    match syntax {
        Syntax::Hcl => hcl(text, &mut found),
        Syntax::Yaml => yaml(text, &mut found),
    }
    let Found { mut comments, code, .. } = found;
    for comment in &mut comments {
        comment.is_alone = !code.contains(&comment.line);
    }
    comments
}

struct Found<'a> {
    comments: Vec<Comment<'a>>,
    /// The lines that hold something else than comments and white space.
    code: BTreeSet<usize>,
    /// A line, an offset in it, and the column there: where the last comment began. A line may have
    /// very many.
    counted: (usize, usize, usize),
}

impl<'a> Found<'a> {
    /// Notes the comment that begins `offset` bytes into a line.
    fn comment(&mut self, line: usize, whole: &'a str, offset: usize, text: &'a str) {
        let (from, before) = match self.counted {
            (counted, from, column) if counted == line => (from, column),
            _ => (0, 1),
        };
        let column = before + whole.get(from..offset).map_or(0, |it| it.chars().count());
        self.counted = (line, offset, column);
        self.comments.push(Comment { line, column, text: text.trim(), is_alone: false });
    }
}

/// What a reader of HCL is within.
#[derive(Clone, Copy, PartialEq)]
enum Within {
    /// An interpolation in a string, with so many open braces.
    Interpolation(usize),
    /// A quoted string.
    String,
}

fn hcl<'a>(text: &'a str, found: &mut Found<'a>) {
    let (mut within, mut in_comment) = (Vec::<Within>::new(), false);
    let mut heredoc: Option<&str> = None;
    for (line, whole) in (1..).zip(text.lines()) {
        if let Some(marker) = heredoc {
            found.code.insert(line);
            if whole.trim() == marker {
                heredoc = None;
            }
            continue;
        }
        // A string ends with its line at the latest.
        if within.last() == Some(&Within::String) {
            within.clear();
        }
        if in_comment && whole.is_empty() {
            found.comment(line, whole, 0, whole);
        }
        let mut rest = whole;
        while !rest.is_empty() {
            let offset = whole.len() - rest.len();
            if in_comment {
                let (text, after) = match rest.split_once("*/") {
                    Some((text, after)) => (text, Some(after)),
                    None => (rest, None),
                };
                found.comment(line, whole, offset, text.trim().trim_start_matches('*'));
                in_comment = after.is_none();
                rest = after.unwrap_or_default();
                continue;
            }
            if within.last() == Some(&Within::String) {
                rest = in_string(rest, &mut within);
                found.code.insert(line);
                continue;
            }
            if let Some(text) = rest.strip_prefix('#').or_else(|| rest.strip_prefix("//")) {
                found.comment(line, whole, offset, text);
                break;
            }
            if let Some(after) = rest.strip_prefix("/*") {
                (in_comment, rest) = (true, after);
                continue;
            }
            if let Some(marker) = heredoc_marker(rest) {
                heredoc = Some(marker);
                found.code.insert(line);
                break;
            }
            rest = in_code(rest, line, &mut within, found);
        }
    }
}

/// Takes one character of code.
fn in_code<'a>(
    rest: &'a str,
    line: usize,
    within: &mut Vec<Within>,
    found: &mut Found<'_>,
) -> &'a str {
    let mut chars = rest.chars();
    let char = chars.next().unwrap_or(' ');
    match (char, within.last_mut()) {
        ('"', _) => within.push(Within::String),
        ('{', Some(Within::Interpolation(open))) => *open += 1,
        ('}', Some(Within::Interpolation(0))) => {
            within.pop();
        }
        ('}', Some(Within::Interpolation(open))) => *open -= 1,
        _ => {}
    }
    if !char.is_whitespace() {
        found.code.insert(line);
    }
    chars.as_str()
}

/// Takes what comes next in a string: an escape, the begin of an interpolation, or a character.
fn in_string<'a>(rest: &'a str, within: &mut Vec<Within>) -> &'a str {
    for literal in ["$${", "%%{", "\\\\", "\\\""] {
        if let Some(after) = rest.strip_prefix(literal) {
            return after;
        }
    }
    if let Some(after) = rest.strip_prefix("${").or_else(|| rest.strip_prefix("%{")) {
        within.push(Within::Interpolation(0));
        return after;
    }
    let mut chars = rest.chars();
    if chars.next() == Some('"') {
        within.pop();
    }
    chars.as_str()
}

/// The marker of a here-document that begins here: `<<EOT` or `<<-EOT` at the end of a line.
fn heredoc_marker(rest: &str) -> Option<&str> {
    let after = rest.strip_prefix("<<")?;
    let marker = after.strip_prefix('-').unwrap_or(after).trim_end();
    let is_name = |it: char| it.is_alphanumeric() || it == '_' || it == '-';
    (!marker.is_empty() && marker.chars().all(is_name)).then_some(marker)
}

/// What a reader of YAML is within, across lines.
#[derive(Clone, Copy, PartialEq)]
enum Scalar {
    None,
    Single,
    Double,
    /// A block scalar, whose lines are indented by more than this.
    Block(usize),
}

fn yaml<'a>(text: &'a str, found: &mut Found<'a>) {
    let mut scalar = Scalar::None;
    for (line, whole) in (1..).zip(text.lines()) {
        let indent = whole.len() - whole.trim_start_matches(' ').len();
        if let Scalar::Block(parent) = scalar {
            if whole.trim().is_empty() || parent < indent {
                found.code.insert(line);
                continue;
            }
            scalar = Scalar::None;
        }
        scalar = yaml_line(whole, line, scalar, found);
    }
}

/// Takes one line, and says what is still open at its end.
fn yaml_line<'a>(whole: &'a str, line: usize, mut scalar: Scalar, found: &mut Found<'a>) -> Scalar {
    // Whether a new value may begin here, and whether the character before was white space.
    let (mut fresh, mut spaced) = (true, true);
    let mut rest = whole;
    while let Some(char) = rest.chars().next() {
        let offset = whole.len() - rest.len();
        let after = rest.get(char.len_utf8()..).unwrap_or_default();
        let ends_word = after.chars().next().is_none_or(char::is_whitespace);
        if !char.is_whitespace() && (scalar != Scalar::None || char != '#' || !spaced) {
            found.code.insert(line);
        }
        rest = after;
        match (scalar, char) {
            (Scalar::Single, '\'') => match after.strip_prefix('\'') {
                Some(escaped) => rest = escaped,
                None => scalar = Scalar::None,
            },
            (Scalar::Double, '"') => scalar = Scalar::None,
            (Scalar::Double, '\\') => {
                rest = after.get(after.chars().next().map_or(0, char::len_utf8)..).unwrap_or("");
            }
            (Scalar::Single | Scalar::Double | Scalar::Block(_), _) => {}
            (Scalar::None, '#') if spaced => {
                found.comment(line, whole, offset, after);
                return scalar;
            }
            (Scalar::None, '\'') if fresh => (scalar, fresh) = (Scalar::Single, false),
            (Scalar::None, '"') if fresh => (scalar, fresh) = (Scalar::Double, false),
            (Scalar::None, '|' | '>') if fresh && is_block_header(after) => {
                // Its header may be followed by a comment, which the rest of this loop finds.
                return block(whole, line, after, found);
            }
            (Scalar::None, '-' | '?' | ':') if ends_word => fresh = true,
            (Scalar::None, ',' | '[' | ']' | '{' | '}') => fresh = true,
            (Scalar::None, '!' | '&') if fresh => {
                // A tag or an anchor: the value comes after it.
                rest = after.trim_start_matches(|it: char| !it.is_whitespace());
            }
            (Scalar::None, char) => fresh &= char.is_whitespace(),
        }
        spaced = char.is_whitespace();
    }
    scalar
}

/// Whether what follows `|` or `>` makes it the header of a block scalar.
fn is_block_header(after: &str) -> bool {
    let rest = after.trim_start_matches(|it: char| "+-".contains(it) || it.is_ascii_digit());
    rest.trim().is_empty() || rest.trim_start().starts_with('#') && rest.starts_with([' ', '\t'])
}

/// The block scalar whose header stands in a line. Its lines are indented by more than the key, or
/// the dash, that it belongs to.
fn block<'a>(whole: &'a str, line: usize, after: &'a str, found: &mut Found<'a>) -> Scalar {
    if let Some((_, comment)) = after.split_once('#') {
        found.comment(line, whole, whole.len() - comment.len() - 1, comment);
    }
    let mut parent = whole.len() - whole.trim_start_matches(' ').len();
    let mut rest = whole.trim_start_matches(' ');
    while let Some(item) = rest.strip_prefix("- ") {
        let value = item.trim_start_matches(' ');
        if value.starts_with(['|', '>']) {
            break;
        }
        parent += rest.len() - value.len();
        rest = value;
    }
    Scalar::Block(parent)
}
