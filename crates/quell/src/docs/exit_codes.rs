//! `docs/reference/exit-codes.md`.

use crate::exit::Exit;
use std::fmt::Write as _;

/// The page.
pub fn page() -> String {
    let mut page = super::head("Exit codes");
    page.push_str("\nWhere several apply, the highest wins. They are a contract: a code never ");
    page.push_str("changes its meaning.\n\n| code | name | meaning |\n|---:|---|---|\n");
    for exit in Exit::ALL {
        let (code, name, meaning) = (exit.code(), exit.name(), super::cell(exit.meaning()));
        let _ = writeln!(page, "| {code} | {name} | {meaning} |");
    }
    page.push_str(
        "\nA reader that closes the pipe early (`quell … | head`) ends a command with 0.\n",
    );
    page
}
