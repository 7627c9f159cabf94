//! `docs/reference/cli.md`: the help of every command, as the binary prints it.

use clap::Command;
use std::fmt::Write as _;

/// How wide the help is, in characters: a page must not depend on who makes it.
const WIDTH_CHARS: usize = 100;

/// The page.
pub fn page(command: &Command) -> String {
    let mut page = super::head("Commands");
    page.push_str("\nWhat each command ends with stands in [exit codes](exit-codes.md).\n");
    let mut command = command.clone().term_width(WIDTH_CHARS);
    command.build();
    section(&command, "", &mut page);
    page
}

fn section(command: &Command, parents: &str, page: &mut String) {
    let path = format!("{parents}{}", command.get_name());
    let help = command.clone().render_long_help().to_string();
    let _ = writeln!(page, "\n## `{path}`\n\n```text");
    for line in help.trim_end().lines() {
        let _ = writeln!(page, "{}", line.trim_end());
    }
    page.push_str("```\n");
    for child in command.get_subcommands().filter(|it| !it.is_hide_set()) {
        section(child, &format!("{path} "), page);
    }
}
