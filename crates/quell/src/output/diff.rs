//! A change as a diff: what goes in red, what comes in green.

use anstyle::{AnsiColor, Style};
use quell_core::change::Change;
use quell_core::report::shown::visible;
use serde_json::Value;
use std::io::{self, Write};

/// Writes a change as a diff.
pub fn write(out: &mut impl Write, change: &Change) -> io::Result<()> {
    let (action, facet) = (&change.action, change.facet.to_string());
    writeln!(out, "  {} {}", visible(action), visible(&facet))?;
    side(out, '-', AnsiColor::Red.on_default(), &change.before)?;
    side(out, '+', AnsiColor::Green.on_default(), &change.after)
}

fn side(out: &mut impl Write, sign: char, style: Style, value: &Value) -> io::Result<()> {
    if value.is_null() {
        return Ok(());
    }
    let text = serde_json::to_string_pretty(value).map_err(io::Error::other)?;
    for line in text.lines() {
        writeln!(out, "  {style}{sign} {}{style:#}", visible(line))?;
    }
    Ok(())
}
