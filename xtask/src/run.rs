//! Running other programs: each is printed before it starts.

use std::{
    env, fmt,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use camino::Utf8PathBuf;
use serde_json::Value;

/// Something beyond this repository failed, and the message says what to do about it.
#[derive(Debug)]
pub struct OutsideFailure(pub String);

impl fmt::Display for OutsideFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for OutsideFailure {}

/// The repository's root: the folder above this crate, as cargo names it at run time.
pub fn root() -> Result<Utf8PathBuf> {
    let manifest = env::var("CARGO_MANIFEST_DIR").context("run this as `cargo xtask`")?;
    let root = Utf8PathBuf::from(manifest).parent().map(ToOwned::to_owned);
    root.context("`CARGO_MANIFEST_DIR` has no parent folder")
}

/// `cargo`, the one that runs us, to be started in the repository's root.
pub fn cargo(arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    command.args(arguments).current_dir(root()?);
    Ok(command)
}

/// Builds `quell` as the tests do and returns where it lies; `None` where it does not build.
///
/// A test among the targets makes cargo unite the features of dependencies as for all tests: so the
/// binary that is tested, documented and shipped is one, and is built once.
pub fn quell() -> Result<Option<Utf8PathBuf>> {
    let build = "build --quiet --release --locked --workspace --bin quell --test cli";
    if !succeeds(&mut cargo(&build.split(' ').collect::<Vec<_>>())?)? {
        return Ok(None);
    }
    Ok(Some(target()?.join("release/quell")))
}

/// Cargo's target folder, wherever the user put it.
pub fn target() -> Result<Utf8PathBuf> {
    let metadata = output(&mut cargo(&["metadata", "--no-deps", "--format-version=1"])?)?;
    let metadata: Value = serde_json::from_str(&metadata).context("cargo's metadata")?;
    let target = metadata.get("target_directory").and_then(Value::as_str);
    Ok(Utf8PathBuf::from(target.context("cargo names no target folder")?))
}

/// `git`, to be started in the repository's root.
pub fn git(arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new("git");
    command.args(arguments).current_dir(root()?);
    Ok(command)
}

/// Prints the command, runs it with our own input and output, and says whether it succeeded.
pub fn succeeds(command: &mut Command) -> Result<bool> {
    eprintln!("$ {}", shown(command));
    let status = command.status().with_context(|| format!("cannot run `{}`", shown(command)))?;
    Ok(status.success())
}

/// Runs the command silently and returns what it printed; a failure is an error with its stderr.
pub fn output(command: &mut Command) -> Result<String> {
    let ran = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run `{}`", shown(command)))?;
    let complaint = String::from_utf8_lossy(&ran.stderr);
    ensure!(ran.status.success(), "`{}` failed: {}", shown(command), complaint.trim());
    String::from_utf8(ran.stdout).with_context(|| format!("`{}` printed no UTF-8", shown(command)))
}

/// The command line as a person would type it.
fn shown(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let program = program.rsplit('/').next().unwrap_or_default().to_owned();
    let arguments = command.get_args().map(|it| it.to_string_lossy().into_owned());
    std::iter::once(program).chain(arguments).collect::<Vec<_>>().join(" ")
}
