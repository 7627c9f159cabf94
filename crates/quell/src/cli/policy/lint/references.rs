//! What a policy's Rego refers to, such as `input.resource.properties.Acl`.
//!
//! It is found in the text: `a.b["c"]`, `object.get(a.b, "c", …)`, and names that stand for a part
//! of the input (`facts := input.resource.facts`). A name that is computed is not found.

use std::collections::BTreeMap;

/// A name with what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Its line, from 1.
    pub line: usize,
    /// Its steps.
    pub path: Vec<String>,
    /// Whether it says what stands for it where it is not there: the third argument of
    /// `object.get`.
    pub has_default: bool,
}

impl Reference {
    /// The property that it looks at.
    pub fn property(&self) -> Option<&str> {
        let at = self.path.iter().position(|it| it == "properties")?;
        self.path.get(at + 1).map(String::as_str)
    }
}

/// All references, in the order of the text, what names stand for filled in.
pub fn references(rego: &str) -> Vec<Reference> {
    let tokens = tokens(rego);
    let mut found = Vec::new();
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for at in 0..tokens.len() {
        let Some((reference, end)) = reference(&tokens, at) else { continue };
        if let Some(name) = named(&tokens, at, end) {
            names.insert(name.to_owned(), reference.path.clone());
        }
        found.push(reference);
    }
    // A name may stand for a part of what another one stands for, which may be written later.
    let once = names.clone();
    names.values_mut().for_each(|it| fill_in(it, &once));
    found.iter_mut().for_each(|it| fill_in(&mut it.path, &names));
    found
}

fn fill_in(path: &mut Vec<String>, names: &BTreeMap<String, Vec<String>>) {
    if let Some(whole) = path.first().and_then(|it| names.get(it)) {
        let rest = path.split_off(1);
        path.clone_from(whole);
        path.extend(rest);
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

type Tokens = [(usize, Token)];

fn word(tokens: &Tokens, at: usize) -> Option<&str> {
    match tokens.get(at)? {
        (_, Token::Word(it)) => Some(it),
        _ => None,
    }
}

fn text(tokens: &Tokens, at: usize) -> Option<&str> {
    match tokens.get(at)? {
        (_, Token::Text(it)) => Some(it),
        _ => None,
    }
}

fn is_sign(tokens: &Tokens, at: usize, sign: char) -> bool {
    matches!(tokens.get(at), Some((_, Token::Sign(it))) if *it == sign)
}

/// The reference that begins at a token, and the token after it.
fn reference(tokens: &Tokens, start: usize) -> Option<(Reference, usize)> {
    let is_inside = 0 < start && is_sign(tokens, start - 1, '.');
    let first = word(tokens, start).filter(|_| !is_inside)?;
    let (mut path, mut at) = (vec![first.to_owned()], start + 1);
    loop {
        if is_sign(tokens, at, '.')
            && let Some(step) = word(tokens, at + 1)
        {
            path.push(step.to_owned());
            at += 2;
        } else if is_sign(tokens, at, '[')
            && is_sign(tokens, at + 2, ']')
            && let Some(step) = text(tokens, at + 1)
        {
            path.push(step.to_owned());
            at += 3;
        } else {
            break;
        }
    }
    let is_got = 4 <= start
        && is_sign(tokens, start - 1, '(')
        && word(tokens, start - 2) == Some("get")
        && word(tokens, start - 4) == Some("object");
    let got = text(tokens, at + 1).filter(|_| is_got && is_sign(tokens, at, ','));
    let has_default = got.is_some();
    path.extend(got.map(str::to_owned));
    let line = tokens.get(start).map_or(0, |(line, _)| *line);
    Some((Reference { line, path, has_default }, at))
}

/// The name that stands for a reference: `name := reference`, and nothing more on the line.
fn named(tokens: &Tokens, start: usize, end: usize) -> Option<&str> {
    let is_assigned =
        3 <= start && is_sign(tokens, start - 1, '=') && is_sign(tokens, start - 2, ':');
    let line = |at: usize| tokens.get(at).map(|(line, _)| *line);
    let is_last = line(end).is_none_or(|it| Some(it) != line(start));
    if is_assigned && is_last { word(tokens, start - 3) } else { None }
}

/// The words, quoted texts and signs of Rego, each with its line; comments are none.
fn tokens(rego: &str) -> Vec<(usize, Token)> {
    let mut tokens = Vec::new();
    let mut letters = rego.chars().peekable();
    let mut line = 1;
    while let Some(it) = letters.next() {
        match it {
            '\n' => line += 1,
            '#' => while letters.next_if(|it| *it != '\n').is_some() {},
            '"' | '`' => {
                let start = line;
                let mut text = String::new();
                while let Some(next) = letters.next() {
                    line += usize::from(next == '\n');
                    match next {
                        '\\' if it == '"' => text.extend(letters.next()),
                        _ if next == it => break,
                        _ => text.push(next),
                    }
                }
                tokens.push((start, Token::Text(text)));
            }
            _ if is_of_word(it) => {
                let mut word = String::from(it);
                while let Some(next) = letters.next_if(|it| is_of_word(*it)) {
                    word.push(next);
                }
                tokens.push((line, Token::Word(word)));
            }
            _ if it.is_whitespace() => {}
            _ => tokens.push((line, Token::Sign(it))),
        }
    }
    tokens
}

fn is_of_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(rego: &str) -> Vec<String> {
        references(rego).iter().map(|it| it.path.join(" ")).collect()
    }

    #[test]
    fn references_are_found_in_code_only() {
        let rego = "# input.Comment\nx := \"input.text\"\ninput.a[\"b\"].c[_]\n`input.raw`";
        assert_eq!(paths(rego), ["x", "input a b c", "_"]);
    }

    #[test]
    fn what_a_function_gets_is_found() {
        let rego = "block := object.get(input.resource.properties, \"Block\", {})";
        assert_eq!(paths(rego), ["block", "object get", "input resource properties Block"]);
        let got = &references(rego)[2];
        assert_eq!((got.property(), got.has_default), (Some("Block"), true));
    }

    #[test]
    fn names_stand_for_what_they_are_given() {
        let rego = "deny if { it.facts.open }\nit := whole.resource\nwhole := input\n";
        let found = paths(rego);
        assert!(found.contains(&"input resource facts open".to_owned()), "{found:?}");
        // A computed name stands for something else.
        assert!(paths("it := f(input)\nit.x").contains(&"it x".to_owned()));
    }

    #[test]
    fn lines_are_counted() {
        let found = references("package a.b\n\nx := \"\n\"\ninput.y");
        assert_eq!(found.last().unwrap().line, 5);
    }
}
