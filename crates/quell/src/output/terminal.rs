//! What a terminal must not obey: logs, policies and ledgers hold what attackers chose.
//!
//! [`shown`](quell_core::report::shown) is what everything from outside passes on its way into a
//! text. [`Screen`] is the second defense, around standard output itself: it knows nothing of where
//! a byte comes from, and lets nothing through that could do more to a terminal than color it.

use quell_core::report::shown::is_obeyed;
use std::borrow::Cow;
use std::io::{self, Write};

fn escaped(
    text: &str,
    obeyed: impl Fn(char) -> bool,
    shown: impl Fn(char) -> String,
) -> Cow<'_, str> {
    if !text.chars().any(&obeyed) {
        return Cow::Borrowed(text);
    }
    let each = |it: char| if obeyed(it) { shown(it) } else { it.to_string() };
    Cow::Owned(text.chars().map(each).collect())
}

/// A stream that a person may look at: it passes text, newlines, tabs and, where colors are
/// wanted, colors. It holds a line back until it is complete or the stream is flushed.
#[derive(Debug)]
pub struct Screen<W: Write> {
    stream: W,
    colors: bool,
    line: Vec<u8>,
}

impl<W: Write> Screen<W> {
    /// A screen on a stream. Without `colors`, they are left out.
    pub fn new(stream: W, colors: bool) -> Screen<W> {
        Screen { stream, colors, line: Vec::new() }
    }

    /// The stream itself, for data that must not change. What was held back comes first.
    pub fn raw(&mut self) -> io::Result<&mut W> {
        self.release(self.line.len())?;
        Ok(&mut self.stream)
    }

    /// Writes what was held back, up to an end.
    fn release(&mut self, end: usize) -> io::Result<()> {
        let whole: Vec<u8> = self.line.drain(..end).collect();
        let text = String::from_utf8_lossy(&whole);
        self.stream.write_all(harmless(&text, self.colors).as_bytes())
    }
}

impl<W: Write> Write for Screen<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let held = self.line.len();
        self.line.extend_from_slice(bytes);
        if let Some(last) = bytes.iter().rposition(|it| *it == b'\n') {
            self.release(held + last + 1)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.release(self.line.len())?;
        self.stream.flush()
    }
}

/// A text of which a terminal obeys newlines, tabs and colors at most. What it would obey besides
/// is written as JSON escapes it, so that JSON remains the same JSON.
fn harmless(text: &str, colors: bool) -> Cow<'_, str> {
    let obeyed = |it| is_obeyed(it) && it != '\n' && it != '\t';
    if !text.chars().any(obeyed) {
        return Cow::Borrowed(text);
    }
    let shown = |it: char| format!("\\u{:04x}", u32::from(it));
    let mut shows = String::with_capacity(text.len());
    let mut parts = text.split('\u{1b}');
    shows.push_str(&escaped(parts.next().unwrap_or_default(), obeyed, shown));
    for part in parts {
        let rest = match color(part) {
            Some((sequence, rest)) => {
                if colors {
                    shows.push('\u{1b}');
                    shows.push_str(sequence);
                }
                rest
            }
            None => {
                shows.push_str(&shown('\u{1b}'));
                part
            }
        };
        shows.push_str(&escaped(rest, obeyed, shown));
    }
    Cow::Owned(shows)
}

/// A color, as ECMA-48 writes it (SGR) after its escape character, and the text after it.
fn color(text: &str) -> Option<(&str, &str)> {
    let parameters = text.strip_prefix('[')?;
    let end = parameters.find(|it: char| !it.is_ascii_digit() && it != ';')?;
    let end = parameters.get(end..)?.starts_with('m').then_some(1 + end + 1)?;
    text.split_at_checked(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\x1b[2Jb\x07\r\u{7f}\u{9b}2J\u{202e}\u{2066}\u{2028}";
    const OBEYED: [char; 8] =
        ['\x1b', '\x07', '\r', '\u{7f}', '\u{9b}', '\u{202e}', '\u{2066}', '\u{2028}'];

    fn screened(text: &str, colors: bool, at_once: usize) -> String {
        let mut screen = Screen::new(Vec::new(), colors);
        for bytes in text.as_bytes().chunks(at_once) {
            screen.write_all(bytes).unwrap();
        }
        screen.flush().unwrap();
        String::from_utf8(screen.stream).unwrap()
    }

    #[test]
    fn a_screen_passes_colors_and_nothing_else_that_is_obeyed() {
        let styled = "\x1b[1mPOLICY\x1b[0m\t\x1b[38;5;9mhigh\x1b[39m ünï\n";
        for at_once in [1, 3, 1_000] {
            assert_eq!(screened(styled, true, at_once), styled);
            assert_eq!(screened(styled, false, at_once), "POLICY\thigh ünï\n");
            for hostile in [HOSTILE, "\x1b]0;title\x07", "\x1b", "\x1b[", "\x1b[1", "\x1b[1;1H"] {
                let shown = screened(hostile, true, at_once);
                assert!(!shown.contains(OBEYED), "{shown:?}");
            }
        }
    }

    #[test]
    fn json_remains_the_same_json_on_a_screen() {
        let value = serde_json::json!({ "id": HOSTILE });
        let text = screened(&value.to_string(), true, 7);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
