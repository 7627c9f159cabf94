//! What people and programs read: one stream, tables on a terminal, JSON for machines.
//!
//! Commands write to an [`Out`] and never to `stdout` itself. It strips colors where they don't
//! belong, buffers, and reports a failed write as an error instead of a panic, so that a closed
//! pipe ends a command quietly and a full disk does not end it well. What came from outside passes
//! [`visible`](quell_core::report::shown::visible) on its way into a text; data for machines
//! ([`Out::data`]) is never altered.

pub mod diff;
pub mod fact;
pub mod table;
pub mod terminal;

use anstream::AutoStream;
use clap::ValueEnum;
use serde::Serialize;
use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write};
use terminal::Screen;

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

/// A number and what it counts, such as `1 policy` or `2 policies`.
pub fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Standard output.
#[derive(Debug)]
pub struct Out {
    screen: Screen<BufWriter<Stdout>>,
    is_terminal: bool,
}

impl Out {
    /// Standard output in the given colors.
    pub fn stdout(color: Color) -> Out {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        let colors = match color {
            Color::Auto => AutoStream::choice(&stdout) != anstream::ColorChoice::Never,
            Color::Always => true,
            Color::Never => false,
        };
        Out { screen: Screen::new(BufWriter::new(stdout), colors), is_terminal }
    }

    /// Whether a person looks at it.
    pub fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Where data for machines goes: byte by byte as it is, unless a person looks at it.
    pub fn data(&mut self) -> io::Result<&mut dyn Write> {
        if self.is_terminal { Ok(&mut self.screen) } else { Ok(self.screen.raw()?) }
    }

    /// One JSON document on one line.
    pub fn json_line(&mut self, value: &impl Serialize) -> io::Result<()> {
        let data = self.data()?;
        serde_json::to_writer(&mut *data, value).map_err(io::Error::from)?;
        data.write_all(b"\n")
    }

    /// One JSON document, indented.
    pub fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        let data = self.data()?;
        serde_json::to_writer_pretty(&mut *data, value).map_err(io::Error::from)?;
        data.write_all(b"\n")
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.screen.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.screen.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        assert_eq!(count(1, "policy", "policies"), "1 policy");
        assert_eq!(count(0, "policy", "policies"), "0 policies");
    }
}
