//! The demo's data folder: made fresh, and never at the cost of a real ledger.

use crate::simulation::{self, ACCOUNT_FILE};
use camino::{Utf8Path, Utf8PathBuf};
use std::fs;
use std::io;
use thiserror::Error;

/// The configuration's file in the demo's data folder.
pub const CONFIG_FILE: &str = "quell.yaml";

/// What an earlier demo left behind: only this is removed.
const LEFT_BEHIND: [&str; 7] =
    ["ledger", "checkpoints", "torn", "dead-letters", "lock", ACCOUNT_FILE, CONFIG_FILE];

/// Why a folder can't be used.
#[derive(Debug, Error)]
pub enum FolderError {
    /// Somebody's real data lies there.
    #[error("`{0}` holds something that is not an earlier demo's")]
    NotADemo(Utf8PathBuf),
    /// It can't be written.
    #[error("`{path}`: {error}")]
    Io {
        /// What.
        path: Utf8PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The system's folder for temporary files has no readable name.
    #[error("the folder for temporary files has a name that is not UTF-8")]
    NoTemporary,
}

/// The folder where no other is named.
pub fn default() -> Result<Utf8PathBuf, FolderError> {
    let temporary = Utf8PathBuf::from_path_buf(std::env::temp_dir());
    Ok(temporary.map_err(|_| FolderError::NoTemporary)?.join("quell-demo"))
}

/// Makes a folder fresh: absent and empty ones are taken, an earlier demo's is emptied, anything
/// else is refused.
pub fn make_fresh(dir: &Utf8Path, config: &str) -> Result<(), FolderError> {
    let io = |path: &Utf8Path| {
        let path = path.to_owned();
        move |error| FolderError::Io { path, error }
    };
    // A link could lead what is written and removed here to somebody else's folder.
    if dir.is_symlink() {
        return Err(FolderError::NotADemo(dir.to_owned()));
    }
    if simulation::is_simulated(dir) {
        for name in LEFT_BEHIND {
            let path = dir.join(name);
            let removed = if path.is_dir() {
                fs::remove_dir_all(&path)
            } else if path.exists() {
                fs::remove_file(&path)
            } else {
                Ok(())
            };
            removed.map_err(io(&path))?;
        }
    } else if dir.exists() && fs::read_dir(dir).map_err(io(dir))?.next().is_some() {
        return Err(FolderError::NotADemo(dir.to_owned()));
    }
    fs::create_dir_all(dir).map_err(io(dir))?;
    let path = dir.join(CONFIG_FILE);
    fs::write(&path, config).map_err(io(&path))
}
