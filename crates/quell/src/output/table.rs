//! Tables for people: a head line and rows, no frames. Wrapped on a terminal only, so that `grep`
//! sees whole lines.

use super::Out;
use comfy_table::{
    Attribute, Cell, Color, ContentArrangement, Table, TableStyle, presets::NOTHING,
};
use quell_core::policy::Severity;
use quell_core::report::shown::visible;
use std::fmt::Display;
use std::io::{self, Write as _};

const STYLE: TableStyle = NOTHING;

/// Fewest columns, in characters, of a terminal on which tables are wrapped.
const TABLE_WIDTH_MIN: u16 = 20;

/// A table with these column heads.
pub fn table(heads: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE);
    table.set_header(heads.iter().map(|it| Cell::new(it).add_attribute(Attribute::Bold)));
    table
}

/// A cell of a text, which may come from outside.
pub fn cell(text: impl Display) -> Cell {
    Cell::new(visible(&text.to_string()))
}

/// A cell in the color of a severity.
pub fn severity_cell(severity: Severity) -> Cell {
    let color = match severity {
        Severity::Informational => Color::DarkGrey,
        Severity::Low => Color::Blue,
        Severity::Medium => Color::Yellow,
        Severity::High => Color::Red,
        Severity::Critical => Color::Magenta,
    };
    Cell::new(word(&severity)).fg(color)
}

/// A serialized enum's name, such as `await_approval`.
pub fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(it)) => it,
        _ => String::new(),
    }
}

/// Writes a table; colors are stripped by [`Out`] where they don't belong.
pub fn write(out: &mut Out, table: &mut Table) -> io::Result<()> {
    table.enforce_styling();
    let arrangement = arrangement(out.is_terminal(), table.width());
    table.set_content_arrangement(arrangement);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    for line in table.lines() {
        writeln!(out, "{}", trimmed(&line))?;
    }
    Ok(())
}

/// Wrapped on a terminal only. One that does not know its width says 0, and one character a line
/// is no table.
fn arrangement(is_terminal: bool, width: Option<u16>) -> ContentArrangement {
    match is_terminal && width.is_none_or(|it| TABLE_WIDTH_MIN <= it) {
        true => ContentArrangement::Dynamic,
        false => ContentArrangement::Disabled,
    }
}

/// Without the space that fills the last column, which may stand inside of a style.
fn trimmed(line: &str) -> String {
    const RESET: &str = "\x1b[0m";
    let line = line.trim_end();
    match line.strip_suffix(RESET) {
        Some(styled) => format!("{}{RESET}", styled.trim_end()),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_terminal_that_knows_its_width_is_wrapped_for() {
        let wraps = |is_terminal, width| {
            matches!(arrangement(is_terminal, width), ContentArrangement::Dynamic)
        };
        assert!(wraps(true, Some(80)) && wraps(true, None));
        assert!(!wraps(true, Some(0)) && !wraps(true, Some(1)) && !wraps(false, Some(80)));
    }
}
