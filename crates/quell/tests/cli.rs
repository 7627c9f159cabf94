//! The command line as a whole: its manual is true, and it ends as it should.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::process::Stdio;
use testkit::Quell;

/// Every console block in `tests/cmd` is run.
#[test]
fn manual() {
    trycmd::TestCases::new()
        .case("tests/cmd/*.md")
        // A user's own settings must not change the manual.
        .env("QUELL_CONFIG", "")
        .env("QUELL_DATA_DIR", "")
        .env("NO_COLOR", "1");
}

/// `quell … | head` is no error, and no panic.
#[test]
fn a_closed_pipe_ends_a_command_quietly() {
    let mut command = Quell::new(env!("CARGO_BIN_EXE_quell")).command(&["docs", "cli"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn help_is_fine_and_a_wrong_word_is_usage() {
    let quell = Quell::new(env!("CARGO_BIN_EXE_quell"));
    for arguments in [&["--help"][..], &["--version"], &["policy", "list", "--help"]] {
        assert_eq!(quell.run(arguments).unwrap().code, Some(0), "{arguments:?}");
    }
    for arguments in [&["no-such-command"][..], &["replay"], &["policy", "list", "--format", "x"]] {
        let ran = quell.run(arguments).unwrap();
        assert_eq!(ran.code, Some(2), "{arguments:?}");
        assert!(ran.stderr.starts_with("error:"), "{}", ran.stderr);
    }
}

/// Every command that can be called shows how, by example.
#[test]
fn every_command_has_examples() {
    let quell = quell::cli::command();
    let visible = quell.get_subcommands().filter(|it| !it.is_hide_set());
    for command in visible.chain([&quell]) {
        let help = command.clone().render_long_help().to_string();
        assert!(help.contains("\nExamples:\n"), "`{}` has no examples", command.get_name());
    }
}
