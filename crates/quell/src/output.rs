//! What people and programs read: one stream, tables on a terminal, JSON for machines.
//!
//! Commands write to an [`Out`] and never to `stdout` itself. It strips colors where they don't
//! belong, buffers, and reports a failed write as an error instead of a panic, so that a closed
//! pipe ends a command quietly and a full disk does not end it well.

pub mod diff;
pub mod fact;
pub mod table;

use anstream::AutoStream;
use clap::ValueEnum;
use serde::Serialize;
use std::borrow::Cow;
use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write};

/// How the answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Text,
    /// For machines: one JSON document, or one per line
    Json,
}

/// When colors are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl From<Color> for anstream::ColorChoice {
    fn from(color: Color) -> anstream::ColorChoice {
        match color {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        }
    }
}

/// A text without anything that a terminal would obey: logs hold what attackers chose.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(char::is_control) {
        return Cow::Borrowed(text);
    }
    let shown = |it: char| {
        if it.is_control() { it.escape_default().to_string() } else { it.to_string() }
    };
    Cow::Owned(text.chars().map(shown).collect())
}

/// A number and what it counts, such as `1 policy` or `2 policies`.
pub fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Standard output.
#[derive(Debug)]
pub struct Out {
    stream: BufWriter<AutoStream<Stdout>>,
    is_terminal: bool,
}

impl Out {
    /// Standard output in the given colors.
    pub fn stdout(color: Color) -> Out {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        Out { stream: BufWriter::new(AutoStream::new(stdout, color.into())), is_terminal }
    }

    /// Whether a person looks at it.
    pub fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// One JSON document on one line.
    pub fn json_line(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.stream, value).map_err(io::Error::from)?;
        self.stream.write_all(b"\n")
    }

    /// One JSON document, indented.
    pub fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut self.stream, value).map_err(io::Error::from)?;
        self.stream.write_all(b"\n")
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_and_not_obeyed() {
        assert_eq!(visible("arn:aws:iam::1:user/ünï"), "arn:aws:iam::1:user/ünï");
        assert_eq!(visible("a\x1b[2Jb\nc\u{9b}"), "a\\u{1b}[2Jb\\nc\\u{9b}");
        assert_eq!(count(1, "policy", "policies"), "1 policy");
        assert_eq!(count(0, "policy", "policies"), "0 policies");
    }
}
