//! Makes the Python virtual environments that hold the services of our tests, and typos.
//!
//! `testkit::Venv` says what is in one and where it lies; here it is built beside its place and
//! then renamed into it, so that a half-built one is never found. (Scripts in a renamed environment
//! point to its old place: everything is started as `python -m`.) A lock held while building keeps
//! two builds apart and dies with its process.

use std::{
    env,
    fs::{self, File},
    process::Command,
};

use anyhow::{Context, Result};
use camino::{Utf8Path, Utf8PathBuf};
use testkit::{Venv, cache_folder};

use crate::run::{self, OutsideFailure};

/// The newest Python 3 that is looked for by name.
const PYTHON_MINOR_MAX: u32 = 20;

/// Returns the environment's interpreter; makes the environment first where it is not there.
pub fn prepared(venv: &Venv) -> Result<Utf8PathBuf> {
    if let Ok(named) = env::var(venv.variable) {
        return Ok(named.into());
    }
    let cache = cache_folder()?;
    let folder = venv.folder(&cache);
    let python = folder.join("bin/python");
    let is_ready = || is_recent_enough(&python, venv.python_minor_min);
    if is_ready() {
        return Ok(python);
    }
    fs::create_dir_all(&cache).with_context(|| format!("cannot make `{cache}`"))?;
    let lock = File::create(folder.with_extension("lock")).context("cannot make the lock file")?;
    lock.lock().context("cannot wait for the lock of the Python environment")?;
    // Somebody else may have built it while we waited.
    if !is_ready() {
        build(venv, &folder)?;
    }
    Ok(python)
}

fn build(venv: &Venv, folder: &Utf8Path) -> Result<()> {
    let building = folder.with_extension("building");
    remove(&building)?;
    let base = find_python(venv.python_minor_min)?;
    let requirements = venv.requirements;
    eprintln!(
        "Installing {} into `{folder}` (once; services take some minutes)",
        requirements.join(", ")
    );
    if !run::succeeds(Command::new(&base).args(["-m", "venv"]).arg(&building))? {
        return Err(outside(
            "`python3 -m venv` failed: on Debian and Ubuntu, `apt install python3-venv`",
        ));
    }
    let mut pip = Command::new(building.join("bin/python"));
    pip.args(["-m", "pip", "install", "--no-input", "--disable-pip-version-check"]);
    // pip speaks on standard error, so that ours holds nothing but the tests' results.
    pip.args(venv.pip_options).args(requirements).stdout(std::io::stderr());
    if !run::succeeds(&mut pip)? {
        return Err(outside(format!(
            "pip could not install {}: see its message above; check the network or pip's \
             configuration and run `{}` again, or set `{}` to a Python that has them",
            requirements.join(", "),
            venv.prepare,
            venv.variable
        )));
    }
    remove(folder)?;
    fs::rename(&building, folder).with_context(|| format!("cannot move `{building}` into place"))
}

fn remove(folder: &Utf8Path) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    fs::remove_dir_all(folder).with_context(|| format!("cannot remove `{folder}`"))
}

/// Whether this runs and is at least of this minor version. (An environment whose base Python was
/// removed is there, but does not run.)
fn is_recent_enough(python: &Utf8Path, minor_min: u32) -> bool {
    python_minor(python).is_some_and(|minor| minor_min <= minor)
}

/// Finds a Python 3 of at least this minor version: on the path, or among pyenv's versions.
fn find_python(minor_min: u32) -> Result<Utf8PathBuf> {
    let numbered = (minor_min..=PYTHON_MINOR_MAX).map(|minor| format!("python3.{minor}").into());
    let on_path = std::iter::once(Utf8PathBuf::from("python3")).chain(numbered);
    let mut candidates = on_path.chain(pyenv_pythons());
    candidates.find(|it| is_recent_enough(it, minor_min)).ok_or_else(|| {
        outside(format!(
            "no Python 3.{minor_min} or newer: neither on the path nor in pyenv; install one \
             (on Debian and Ubuntu: `apt install python3 python3-venv`)"
        ))
    })
}

/// The interpreters that pyenv has installed; none where pyenv is missing.
fn pyenv_pythons() -> Vec<Utf8PathBuf> {
    let pyenv = |arguments: &[&str]| run::output(Command::new("pyenv").args(arguments));
    let (Ok(root), Ok(versions)) = (pyenv(&["root"]), pyenv(&["versions", "--bare"])) else {
        return vec![];
    };
    let versions_folder = Utf8Path::new(root.trim()).join("versions");
    versions.lines().map(|it| versions_folder.join(it.trim()).join("bin/python3")).collect()
}

/// The minor version of a Python 3; `None` for anything that does not run or is older.
fn python_minor(python: &Utf8Path) -> Option<u32> {
    let ask = "import sys; print(sys.version_info[0], sys.version_info[1])";
    let answer = run::output(Command::new(python).args(["-c", ask])).ok()?;
    answer.trim().strip_prefix("3 ")?.parse().ok()
}

fn outside(message: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(OutsideFailure(message.into()))
}
