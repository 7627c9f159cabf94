//! A strict pull reader for JSON (RFC 8259).
//!
//! Matching depends on what a tree of values forgets: a key that occurs twice, the text of a
//! number, the order of things. So this reader hands out tokens that point into the text. It uses
//! no recursion (depth costs a bit of heap, never stack) and accepts nothing that RFC 8259 does
//! not. It deliberately builds nothing and knows nothing of patterns.

use std::borrow::Cow;

use crate::error::{Fault, JsonError};

/// One step through a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    ObjectStart,
    ObjectEnd,
    ArrayStart,
    ArrayEnd,
    Key(Text<'a>),
    Text(Text<'a>),
    /// As written.
    Number(&'a str),
    True,
    False,
    Null,
    /// Nothing but whitespace follows the value.
    End,
}

/// A string between its quotes, escapes unresolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Text<'a> {
    pub raw: &'a str,
    pub escaped: bool,
}

impl<'a> Text<'a> {
    /// The string that is meant. Half a surrogate pair becomes U+FFFD.
    pub fn decode(self) -> Cow<'a, str> {
        if !self.escaped {
            return Cow::Borrowed(self.raw);
        }
        let mut out = String::with_capacity(self.raw.len());
        unescape(self.raw, &mut out);
        Cow::Owned(out)
    }
}

/// Appends what the inside of a JSON string means. `raw` has been checked by a [`Reader`] or is
/// unchecked bytes; an escape that does not exist stands for itself.
pub(crate) fn unescape(raw: &str, out: &mut String) {
    let mut rest = raw;
    while let Some((plain, after)) = rest.split_once('\\') {
        out.push_str(plain);
        let mut chars = after.chars();
        match chars.next() {
            Some('u') => {
                let (meant, after) = unescape_unicode(chars.as_str());
                out.push(meant);
                rest = after;
                continue;
            }
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some(other) => out.push(other),
            None => {}
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
}

/// The character that follows `\u`, and what comes after it.
fn unescape_unicode(text: &str) -> (char, &str) {
    let Some((unit, rest)) = hex_unit(text) else { return (char::REPLACEMENT_CHARACTER, text) };
    if (0xD800..0xDC00).contains(&unit)
        && let Some((low, after)) = rest.strip_prefix("\\u").and_then(hex_unit)
        && (0xDC00..0xE000).contains(&low)
    {
        let code = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
        return (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), after);
    }
    (char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER), rest)
}

fn hex_unit(text: &str) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    if !digits.bytes().all(|it| it.is_ascii_hexdigit()) {
        return None;
    }
    Some((u32::from_str_radix(digits, 16).ok()?, rest))
}

/// What may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    ValueOrArrayEnd,
    KeyOrObjectEnd,
    Key,
    CommaOrEnd,
    End,
}

/// Hands out the tokens of one JSON text.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    text: &'a str,
    at: usize,
    expect: Expect,
    /// The open containers, innermost last: true is an object.
    open: Vec<bool>,
    depth_max: usize,
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a str, depth_max: usize) -> Self {
        Self { text, at: 0, expect: Expect::Value, open: Vec::new(), depth_max }
    }

    /// How far it has read, in bytes.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// The next token; [`Token::End`] again and again after the value.
    pub fn next(&mut self) -> Result<Token<'a>, JsonError> {
        self.skip_space();
        if self.expect == Expect::CommaOrEnd
            && let Some(end) = self.comma_or_end()?
        {
            return Ok(end);
        }
        match (self.expect, self.peek()) {
            (Expect::End, None) => Ok(Token::End),
            (Expect::End, Some(_)) => Err(self.fault("nothing may follow the value")),
            (_, None) => Err(self.fault("the text ends too early")),
            (Expect::ValueOrArrayEnd, Some(b']')) => Ok(self.close()),
            (Expect::KeyOrObjectEnd, Some(b'}')) => Ok(self.close()),
            (Expect::Key | Expect::KeyOrObjectEnd, Some(b'"')) => self.key(),
            (Expect::Key | Expect::KeyOrObjectEnd, Some(_)) => {
                Err(self.fault("a key in double quotes is expected"))
            }
            (_, Some(first)) => self.value(first),
        }
    }

    /// Skips the rest of the container that was entered last, its end included.
    pub fn skip_open(&mut self) -> Result<(), JsonError> {
        let outside = self.open.len().saturating_sub(1);
        while self.open.len() > outside {
            self.next()?;
        }
        Ok(())
    }

    fn value(&mut self, first: u8) -> Result<Token<'a>, JsonError> {
        match first {
            b'{' => self.open(true),
            b'[' => self.open(false),
            b'"' => {
                let text = self.string()?;
                self.after_value();
                Ok(Token::Text(text))
            }
            b't' => self.word("true", Token::True),
            b'f' => self.word("false", Token::False),
            b'n' => self.word("null", Token::Null),
            b'-' | b'0'..=b'9' => self.number(),
            _ => Err(self.fault("a value is expected")),
        }
    }

    fn open(&mut self, object: bool) -> Result<Token<'a>, JsonError> {
        if self.open.len() >= self.depth_max {
            let fault = Fault::TooDeep { depth_max: self.depth_max };
            return Err(JsonError { offset: self.at, fault });
        }
        self.at += 1;
        self.open.push(object);
        if object {
            self.expect = Expect::KeyOrObjectEnd;
            Ok(Token::ObjectStart)
        } else {
            self.expect = Expect::ValueOrArrayEnd;
            Ok(Token::ArrayStart)
        }
    }

    fn close(&mut self) -> Token<'a> {
        self.at += 1;
        let object = self.open.pop().unwrap_or(false);
        self.after_value();
        if object { Token::ObjectEnd } else { Token::ArrayEnd }
    }

    fn after_value(&mut self) {
        self.expect = if self.open.is_empty() { Expect::End } else { Expect::CommaOrEnd };
    }

    fn comma_or_end(&mut self) -> Result<Option<Token<'a>>, JsonError> {
        let object = self.open.last().copied().unwrap_or(false);
        match (self.peek(), object) {
            (Some(b'}'), true) | (Some(b']'), false) => return Ok(Some(self.close())),
            (Some(b','), true) => self.expect = Expect::Key,
            (Some(b','), false) => self.expect = Expect::Value,
            (None, _) => return Err(self.fault("the text ends too early")),
            (Some(_), true) => return Err(self.fault("a comma or `}` is expected")),
            (Some(_), false) => return Err(self.fault("a comma or `]` is expected")),
        }
        self.at += 1;
        self.skip_space();
        Ok(None)
    }

    fn key(&mut self) -> Result<Token<'a>, JsonError> {
        let key = self.string()?;
        self.skip_space();
        if self.peek() != Some(b':') {
            return Err(self.fault("a colon is expected after the key"));
        }
        self.at += 1;
        self.expect = Expect::Value;
        Ok(Token::Key(key))
    }

    fn string(&mut self) -> Result<Text<'a>, JsonError> {
        let start = self.at + 1;
        let mut at = start;
        let mut escaped = false;
        loop {
            match self.text.as_bytes().get(at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    at = self.escape(at)?;
                }
                Some(0..=0x1F) => {
                    self.at = at;
                    return Err(self.fault("a control character must be escaped"));
                }
                Some(_) => at += 1,
                None => {
                    self.at = at;
                    return Err(self.fault("the string does not end"));
                }
            }
        }
        self.at = at + 1;
        Ok(Text { raw: self.text.get(start..at).unwrap_or_default(), escaped })
    }

    /// Checks the escape at `at`; what follows it.
    fn escape(&mut self, at: usize) -> Result<usize, JsonError> {
        match self.text.as_bytes().get(at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
            Some(b'u') if self.text.get(at + 2..).and_then(hex_unit).is_some() => Ok(at + 6),
            _ => {
                self.at = at;
                Err(self.fault("there is no such escape"))
            }
        }
    }

    fn word(&mut self, word: &str, token: Token<'a>) -> Result<Token<'a>, JsonError> {
        if !self.text.get(self.at..).unwrap_or_default().starts_with(word) {
            return Err(self.fault("a value is expected"));
        }
        self.at += word.len();
        self.after_value();
        Ok(token)
    }

    fn number(&mut self) -> Result<Token<'a>, JsonError> {
        let text = self.text.get(self.at..).unwrap_or_default();
        let Some(length) = number_length(text.as_bytes()) else {
            return Err(self.fault("the number is malformed"));
        };
        self.at += length;
        self.after_value();
        Ok(Token::Number(text.get(..length).unwrap_or_default()))
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn fault(&self, reason: &'static str) -> JsonError {
        JsonError { offset: self.at, fault: Fault::Syntax(reason) }
    }
}

/// How many bytes at the start of `text` are a number by RFC 8259, section 6.
pub(crate) fn number_length(text: &[u8]) -> Option<usize> {
    let digits = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        rest.iter().take_while(|it| it.is_ascii_digit()).count()
    };
    let mut at = usize::from(text.first() == Some(&b'-'));
    let whole = digits(at);
    if whole == 0 || (whole > 1 && text.get(at) == Some(&b'0')) {
        return None;
    }
    at += whole;
    if text.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        if fraction == 0 {
            return None;
        }
        at += 1 + fraction;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        at += 1;
        at += usize::from(matches!(text.get(at), Some(b'+' | b'-')));
        let exponent = digits(at);
        if exponent == 0 {
            return None;
        }
        at += exponent;
    }
    Some(at)
}
