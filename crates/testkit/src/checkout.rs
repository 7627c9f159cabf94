//! Where the checkout is whose tests run, and the corpora beside it.
//!
//! Asked when a test runs, never when it is compiled: a target folder may be shared by several
//! checkouts, and a test that another one compiled must look into ours.

use std::{env, fs};

use camino::{Utf8Path, Utf8PathBuf};

use crate::error::{TestkitError, cannot};

/// What cargo names the tested package's folder with, while its tests and benches run.
const PACKAGE_VARIABLE: &str = "CARGO_MANIFEST_DIR";
/// Where the cases lie that nobody here wrote, seen from the repository's root.
const CORPORA: &str = "../shared/corpora";

/// The folder of the package whose tests run.
pub fn package() -> Result<Utf8PathBuf, TestkitError> {
    let folder = env::var(PACKAGE_VARIABLE);
    folder.map(Utf8PathBuf::from).map_err(|_| TestkitError::NoCheckout(PACKAGE_VARIABLE))
}

/// The root of the repository whose tests run.
pub fn repository() -> Result<Utf8PathBuf, TestkitError> {
    let package = package()?;
    let root = package.ancestors().find(|it| it.join("Cargo.lock").is_file());
    root.map(Utf8Path::to_owned).ok_or(TestkitError::NoCheckout(PACKAGE_VARIABLE))
}

/// The text of a corpus, such as `iam/parliament.jsonl`. One that is missing is an error: no test
/// passes without its cases.
pub fn corpus(name: &str) -> Result<String, TestkitError> {
    let path = corpus_path(name)?;
    fs::read_to_string(&path).map_err(cannot(format!("read the corpus `{path}`")))
}

/// Where a corpus lies, for a command that reads it by itself.
pub fn corpus_path(name: &str) -> Result<Utf8PathBuf, TestkitError> {
    Ok(repository()?.join(CORPORA).join(name))
}
