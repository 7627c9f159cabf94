//! Runs the `quell` binary as a user would, in an environment that holds nothing of this machine.

use std::{
    env,
    io::Read,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{REGION, TestkitError, error::cannot, service::wait_at_most};

/// How long [`Quell::run`] lets the binary run unless told otherwise.
const RUN_TIME_MAX: Duration = Duration::from_secs(120);
/// Variables that the binary may see; without `HOME` and all of `AWS_*`, no profile of the
/// developer's machine can reach a test.
const INHERITED_VARIABLES: [&str; 4] = ["PATH", "TMPDIR", "LANG", "RUST_BACKTRACE"];

/// How to run the binary: `Quell::new(env!("CARGO_BIN_EXE_quell"))`.
#[derive(Debug, Clone)]
pub struct Quell {
    binary: PathBuf,
    run_time_max: Duration,
    variables: Vec<(String, String)>,
}

/// What a finished run left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// The exit code; `None` where a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// The binary at work in the background. Dropping it kills it (SIGKILL).
#[derive(Debug)]
pub struct Background {
    command: String,
    child: Child,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
}

impl Quell {
    /// The binary at `built`, or the one that `QUELL_BIN` names.
    pub fn new(built: impl Into<PathBuf>) -> Quell {
        let binary = env::var_os("QUELL_BIN").map_or_else(|| built.into(), PathBuf::from);
        let variables = vec![("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned())];
        Quell { binary, run_time_max: RUN_TIME_MAX, variables }
    }

    /// Sets a variable of the binary's environment.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Quell {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Points the binary at an emulator, with these credentials.
    #[must_use]
    pub fn aws(self, endpoint: &str, access_key_id: &str, secret_access_key: &str) -> Quell {
        self.variable("AWS_ENDPOINT_URL", endpoint)
            .variable("AWS_ACCESS_KEY_ID", access_key_id)
            .variable("AWS_SECRET_ACCESS_KEY", secret_access_key)
            .variable("AWS_REGION", REGION)
    }

    /// Changes how long [`Quell::run`] lets the binary run (120 s).
    #[must_use]
    pub fn run_time_max(mut self, limit: Duration) -> Quell {
        self.run_time_max = limit;
        self
    }

    /// The command that the other functions run, for a test that needs standard input or a folder.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let inherited =
            INHERITED_VARIABLES.iter().filter_map(|name| Some((name, env::var_os(name)?)));
        let mut command = Command::new(&self.binary);
        command.args(arguments).env_clear().envs(inherited);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null());
        command
    }

    /// Runs the binary to its end.
    ///
    /// # Errors
    /// [`TestkitError::Io`] where it does not start, [`TestkitError::TooLong`] where it does not
    /// end. An exit code other than zero is no error here.
    pub fn run(&self, arguments: &[&str]) -> Result<Ran, TestkitError> {
        self.spawn(arguments)?.wait(self.run_time_max)
    }

    /// Starts the binary and returns at once; what it prints is gathered meanwhile.
    ///
    /// # Errors
    /// [`TestkitError::Io`] where it does not start.
    pub fn spawn(&self, arguments: &[&str]) -> Result<Background, TestkitError> {
        let mut command = self.command(arguments);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(cannot(format!("start `{}`", self.binary.display())))?;
        Ok(Background {
            command: format!("quell {}", arguments.join(" ")),
            stdout: child.stdout.take().map(gather),
            stderr: child.stderr.take().map(gather),
            child,
        })
    }
}

impl Background {
    /// The process id.
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// The exit status if the binary has ended by itself.
    ///
    /// # Errors
    /// [`TestkitError::Io`] where the operating system does not say.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>, TestkitError> {
        self.child.try_wait().map_err(cannot(format!("look after `{}`", self.command)))
    }

    /// Waits for the binary to end by itself.
    ///
    /// # Errors
    /// [`TestkitError::TooLong`] after `limit`; it is killed then.
    pub fn wait(mut self, limit: Duration) -> Result<Ran, TestkitError> {
        let ended = wait_at_most(&mut self.child, limit)
            .map_err(cannot(format!("wait for `{}`", self.command)))?;
        match ended {
            Some(status) => Ok(self.ran(status)),
            None => Err(TestkitError::TooLong { command: self.command.clone(), limit }),
        }
    }

    /// Ends the binary as `kill -9` does, and returns what it had printed.
    ///
    /// # Errors
    /// [`TestkitError::Io`] where the operating system refuses.
    pub fn kill(mut self) -> Result<Ran, TestkitError> {
        let killed = self.child.kill().and_then(|()| self.child.wait());
        let status = killed.map_err(cannot(format!("kill `{}`", self.command)))?;
        Ok(self.ran(status))
    }

    /// Asks the binary to stop, as `kill PID` does (SIGTERM).
    ///
    /// # Errors
    /// [`TestkitError::Io`] where the `kill` command is missing or refuses.
    pub fn terminate(&self) -> Result<(), TestkitError> {
        let process_id = self.child.id().to_string();
        let status = Command::new("kill").args(["-TERM", &process_id]).status();
        match status.map_err(cannot(format!("run `kill -TERM {process_id}`")))? {
            it if it.success() => Ok(()),
            it => Err(cannot(format!("stop `{}`", self.command))(std::io::Error::other(format!(
                "`kill` ended with {it}"
            )))),
        }
    }

    fn ran(&mut self, status: ExitStatus) -> Ran {
        let text = |it: Option<JoinHandle<String>>| {
            it.and_then(|gathering| gathering.join().ok()).unwrap_or_default()
        };
        let (stdout, stderr) = (text(self.stdout.take()), text(self.stderr.take()));
        Ran { code: status.code(), stdout, stderr }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Reads a pipe to its end beside the test, so that a full pipe never blocks the binary.
fn gather(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // A pipe that breaks ends here like one that ends: what came before is kept.
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
