//! How the process ends: every exit code, and the errors that lead to them.
//!
//! Pipelines branch on exit codes, so they are a contract: this enum is the only place that defines
//! them, and `docs/reference/exit-codes.md` is generated from it. Where several apply, the highest
//! wins: a backtest that found something but could not read all files ends with 3.

use quell_core::report::shown::visible;
use std::error::Error;
use std::fmt::{self, Write as _};
use std::io;
use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exit {
    /// Everything asked for was done, and there is nothing to report.
    Fine,
    /// The command did its job and found something, or a check failed.
    Findings,
    /// The command line, the configuration or a file given on it is wrong.
    Usage,
    /// Something outside failed: the cloud, the network, the file system.
    Outside,
    /// A bug in Quell.
    Bug,
}

impl Exit {
    /// All of them, in the order of their codes.
    pub const ALL: [Exit; 5] = [Exit::Fine, Exit::Findings, Exit::Usage, Exit::Outside, Exit::Bug];

    /// The number that the process ends with.
    pub fn code(self) -> u8 {
        match self {
            Exit::Fine => 0,
            Exit::Findings => 1,
            Exit::Usage => 2,
            Exit::Outside => 3,
            Exit::Bug => 4,
        }
    }

    /// One word for it.
    pub fn name(self) -> &'static str {
        match self {
            Exit::Fine => "fine",
            Exit::Findings => "findings",
            Exit::Usage => "usage",
            Exit::Outside => "outside",
            Exit::Bug => "bug",
        }
    }

    /// What it means, for the reference.
    pub fn meaning(self) -> &'static str {
        match self {
            Exit::Fine => "Everything asked for was done, and there is nothing to report.",
            Exit::Findings => {
                "The command did its job and found something, or a check failed: a violation, a \
                 pattern that does not match, a story that differs, a tampered ledger."
            }
            Exit::Usage => {
                "The command line, the configuration, a policy or another file given by the user \
                 is wrong. Trying again does not help; the message says what to change."
            }
            Exit::Outside => {
                "Something outside failed: the cloud, the network, the file system, or an input \
                 that could not be read in part. Trying again may help."
            }
            Exit::Bug => "A bug in Quell. Please report it with the message.",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// Why a command could not do its job: what failed, why, and what to do next.
#[derive(Debug)]
pub struct CliError {
    exit: Exit,
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl CliError {
    /// Something that the user gave is wrong.
    pub fn usage(message: impl Into<String>) -> CliError {
        CliError { exit: Exit::Usage, message: message.into(), hint: None, source: None }
    }

    /// Something outside failed.
    pub fn outside(message: impl Into<String>) -> CliError {
        CliError { exit: Exit::Outside, ..CliError::usage(message) }
    }

    /// A bug: something that cannot be has happened.
    pub fn bug(message: impl Into<String>) -> CliError {
        CliError { exit: Exit::Bug, ..CliError::usage(message) }
    }

    /// Adds what caused it.
    #[must_use]
    pub fn because(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> CliError {
        CliError { source: Some(source.into()), ..self }
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> CliError {
        CliError { hint: Some(hint.into()), ..self }
    }

    /// How the process ends for it.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// Whether the reader of our output went away: `quell … | head` is no error.
    pub fn is_broken_pipe(&self) -> bool {
        let source = self.source.as_ref().and_then(|it| it.downcast_ref::<io::Error>());
        source.is_some_and(|it| it.kind() == io::ErrorKind::BrokenPipe)
    }

    /// What the user reads: the message in one line, the chain of causes, the hint. A file may be
    /// called anything: a second line of the message could be a command to a build server.
    pub fn report(&self) -> String {
        let mut report = format!("error: {}", visible(&self.message));
        let mut source = self.source();
        while let Some(cause) = source {
            let _ = write!(report, "\n  because: {cause}");
            source = cause.source();
        }
        if let Some(hint) = &self.hint {
            let _ = write!(report, "\n  hint: {hint}");
        }
        report
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl Error for CliError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|it| it as &(dyn Error + 'static))
    }
}

/// Writing to standard output failed; everything else names its file.
impl From<io::Error> for CliError {
    fn from(error: io::Error) -> CliError {
        CliError::outside("cannot write to standard output").because(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_documented_ones() {
        let codes: Vec<u8> = Exit::ALL.iter().map(|it| it.code()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4]);
        assert!(Exit::ALL.is_sorted(), "the worst wins by order");
    }

    #[test]
    fn a_report_tells_the_chain_and_the_hint() {
        let cause = io::Error::other("no space");
        let error = CliError::outside("cannot write `x`").because(cause).hint("free some");
        assert_eq!(
            error.report(),
            "error: cannot write `x`\n  because: no space\n  hint: free some"
        );
        assert_eq!(CliError::usage("a\n::error::b").report(), "error: a\\n::error::b");
        assert!(!error.is_broken_pipe());
        let gone = CliError::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(gone.is_broken_pipe());
    }
}
