//! What can go wrong before a test's own work begins. Each says what to do about it.

use std::{error::Error, fmt, io, time::Duration};

use camino::Utf8PathBuf;

/// A service, a request or the binary under test could not be had.
///
/// Its `Debug` is its `Display` and that of its source: tests `unwrap`, and their reader wants the
/// sentence.
#[derive(thiserror::Error)]
pub enum TestkitError {
    /// Neither the variable nor the cache folder names a Python with the services.
    #[error(
        "no Python with the services that this test needs: `{variable}` is not set and \
         `{looked_at}` is not there; run `{prepare}` once, it makes it"
    )]
    NoPython {
        /// The environment variable that names the interpreter.
        variable: &'static str,
        /// The interpreter in the cache folder that was looked for.
        looked_at: Utf8PathBuf,
        /// The command that makes it.
        prepare: &'static str,
    },
    /// Terraform or its provider is not on this machine, and nothing downloads it.
    #[error(
        "{what} is not on this machine and is never downloaded: install it, or name its folder \
         (as for `terraform init -plugin-dir`) with `{variable}`"
    )]
    NoTerraform {
        /// What is missing.
        what: &'static str,
        /// The environment variable that names the folder of the provider.
        variable: &'static str,
    },
    /// The test was not started by cargo, in a checkout.
    #[error("which checkout? `{0}` names no folder in one: run the test with `cargo test`")]
    NoCheckout(&'static str),
    /// Neither `XDG_CACHE_HOME` nor `HOME` is set.
    #[error("no cache folder: neither `XDG_CACHE_HOME` nor `HOME` is set")]
    NoCacheFolder,
    /// The service's process ended or did not answer in time, on each port that was tried.
    #[error("`{service}` {what}; the end of its log:\n{log_tail}")]
    NotReady {
        /// The Python module of the service.
        service: String,
        /// What was observed.
        what: String,
        /// The last lines of the service's log.
        log_tail: String,
    },
    /// A command ran longer than its limit and was ended.
    #[error("`{command}` was ended: it ran longer than {limit:?}")]
    TooLong {
        /// The command line.
        command: String,
        /// The limit.
        limit: Duration,
    },
    /// An HTTP answer of a service could not be read.
    #[error("no HTTP answer from `{address}`: {what}")]
    BadAnswer {
        /// Host and port.
        address: String,
        /// What was wrong with it.
        what: &'static str,
    },
    /// The operating system refused.
    #[error("cannot {action}")]
    Io {
        /// What was tried, as it completes "cannot …".
        action: String,
        /// The operating system's reason.
        #[source]
        source: io::Error,
    },
}

impl fmt::Debug for TestkitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        self.source().map_or(Ok(()), |source| write!(f, ": {source}"))
    }
}

/// Gives an [`io::Error`] the sentence of what was tried.
pub(crate) fn cannot(action: impl Into<String>) -> impl FnOnce(io::Error) -> TestkitError {
    move |source| TestkitError::Io { action: action.into(), source }
}
