//! Folders that a user names, and their limits: nothing outside of them is read, whatever path or
//! link leads there.

use crate::exit::CliError;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The most files of a folder that are looked at.
pub const FILES_MAX: usize = 10_000;
/// The deepest folder below one that is named, in levels.
pub const FOLDERS_DEEP_MAX: usize = 16;

/// A folder that may be read.
#[derive(Debug)]
pub struct Root {
    /// As its user named it.
    shown: PathBuf,
    /// Where it really lies, all links followed.
    real: PathBuf,
}

impl Root {
    /// A folder that a user names.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    pub fn open(path: &Path) -> Result<Root, CliError> {
        let real = fs::canonicalize(path).map_err(|it| unreadable(path, it))?;
        Ok(Root { shown: path.to_owned(), real })
    }

    /// A path below the folder, as its user would name it.
    pub fn join(&self, path: &str) -> PathBuf {
        if matches!(path, "" | ".") {
            return self.shown.clone();
        }
        if self.shown == Path::new(".") { PathBuf::from(path) } else { self.shown.join(path) }
    }

    /// Whether a file or folder really lies below this folder.
    pub fn holds(&self, path: &Path) -> bool {
        fs::canonicalize(path).is_ok_and(|it| it.starts_with(&self.real))
    }

    /// Where a file or folder lies below this folder, with `/` between names.
    ///
    /// # Errors
    ///
    /// Usage where it really lies elsewhere, and where its name is not Unicode.
    pub fn check(&self, path: &Path) -> Result<String, CliError> {
        let real = fs::canonicalize(path).map_err(|it| unreadable(path, it))?;
        let (shown, root) = (path.display(), self.shown.display());
        let Ok(below) = real.strip_prefix(&self.real) else {
            return Err(CliError::usage(format!("`{shown}` leads out of `{root}`")));
        };
        let names: Option<Vec<&str>> = below.iter().map(|it| it.to_str()).collect();
        let names = names.ok_or_else(|| CliError::usage(format!("`{shown}` is not Unicode")))?;
        Ok(names.join("/"))
    }
}

/// Every file below a folder, in order, and every link to one. Hidden ones are left out, and links
/// to folders: they may lead back. Where a link to a file leads, [`Root::holds`] tells.
///
/// # Errors
///
/// Where a folder cannot be read, holds more than [`FILES_MAX`] files, or others more than
/// [`FOLDERS_DEEP_MAX`] levels deep.
pub fn search(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let refuse = |problem: String| CliError::usage(problem).hint("name the files to judge");
    let mut search = Search::default();
    search.look(folder, FOLDERS_DEEP_MAX)?;
    if search.are_too_many() {
        let problem = format!("`{}` holds more than {FILES_MAX} files", folder.display());
        return Err(refuse(problem));
    }
    match search.deeper {
        None => Ok(search.files),
        Some(it) => {
            let levels = FOLDERS_DEEP_MAX;
            Err(refuse(format!("`{}` lies more than {levels} levels deep", it.display())))
        }
    }
}

/// The same, so many levels deep, and not what lies deeper; `None` where there are more than
/// [`FILES_MAX`].
///
/// # Errors
///
/// Where a folder cannot be read.
pub fn search_few(folder: &Path, levels: usize) -> Result<Option<Vec<PathBuf>>, CliError> {
    let mut search = Search::default();
    search.look(folder, levels)?;
    Ok((!search.are_too_many()).then_some(search.files))
}

/// What a search has come upon.
#[derive(Default)]
struct Search {
    files: Vec<PathBuf>,
    /// A folder that lies too deep to look into.
    deeper: Option<PathBuf>,
}

impl Search {
    /// Looks into a folder and so many levels below it, until there are too many files.
    fn look(&mut self, folder: &Path, levels: usize) -> Result<(), CliError> {
        for entry in entries(folder)? {
            if self.are_too_many() {
                return Ok(());
            }
            let kind = entry.file_type().map_err(|it| unreadable(folder, it))?;
            let path = entry.path();
            if kind.is_dir() {
                match levels.checked_sub(1) {
                    Some(levels) => self.look(&path, levels)?,
                    None => self.deeper = Some(path),
                }
            } else if kind.is_file() || kind.is_symlink() && path.is_file() {
                self.files.push(path);
            }
        }
        Ok(())
    }

    fn are_too_many(&self) -> bool {
        FILES_MAX < self.files.len()
    }
}

/// What lies in a folder itself, in order, hidden things left out.
///
/// # Errors
///
/// Where it cannot be read.
pub fn entries(folder: &Path) -> Result<Vec<fs::DirEntry>, CliError> {
    let failed = |it| unreadable(folder, it);
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            entries.push(entry);
        }
    }
    entries.sort_by_key(fs::DirEntry::file_name);
    Ok(entries)
}

/// What is not there is the user's slip; what cannot be read is the world's.
fn unreadable(path: &Path, error: io::Error) -> CliError {
    let message = format!("cannot read `{}`", path.display());
    match error.kind() {
        io::ErrorKind::NotFound => CliError::usage(message).because(error),
        _ => CliError::outside(message).because(error),
    }
}
