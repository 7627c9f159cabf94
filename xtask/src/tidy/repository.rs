//! What the checks look at: read once, then everything is a value.

use std::{
    collections::BTreeMap,
    fmt, fs,
    io::{Read, Write},
    process::Stdio,
    thread,
};

use anyhow::{Context, Result, ensure};
use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;

use crate::run;

/// The repository as the checks see it. All paths are relative to its root.
#[derive(Default)]
pub struct Repository {
    /// Every file that git tracks or would add, with its text (empty where it is not UTF-8).
    pub files: BTreeMap<Utf8PathBuf, String>,
    /// The root file of each target of each crate.
    pub crate_roots: Vec<Utf8PathBuf>,
    /// Every blob of the history and every file of the work tree: path and size in bytes.
    pub objects: Vec<(Utf8PathBuf, u64)>,
}

/// Something that is not as it should be, where, and what to do.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    path: Utf8PathBuf,
    line: usize,
    message: String,
}

impl Violation {
    /// At a line, counted from 1.
    pub fn new(path: &Utf8Path, line: usize, message: impl Into<String>) -> Violation {
        Violation { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

impl Repository {
    /// Reads it from disk and from git.
    pub fn read() -> Result<Repository> {
        let root = run::root()?;
        let mut repository = Repository {
            files: BTreeMap::new(),
            crate_roots: crate_roots(&root)?,
            objects: objects_of_history()?,
        };
        let listed = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        for path in run::output(&mut run::git(&listed)?)?.split_terminator('\0') {
            // A file that was deleted, but not yet in git, is listed all the same.
            let Ok(bytes) = fs::read(root.join(path)) else { continue };
            repository.objects.push((path.into(), bytes.len() as u64));
            repository.files.insert(path.into(), String::from_utf8(bytes).unwrap_or_default());
        }
        Ok(repository)
    }

    /// The files whose name ends in `.extension`.
    pub fn with_extension(&self, extension: &str) -> impl Iterator<Item = (&Utf8Path, &str)> {
        let files = self.files.iter().map(|(path, text)| (path.as_path(), text.as_str()));
        files.filter(move |(path, _)| path.extension() == Some(extension))
    }

    /// A repository of these files, for a check's tests.
    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Repository {
        let files = files.iter().map(|(path, text)| ((*path).into(), (*text).into()));
        Repository { files: files.collect(), ..Repository::default() }
    }
}

fn crate_roots(root: &Utf8Path) -> Result<Vec<Utf8PathBuf>> {
    let metadata = ["metadata", "--no-deps", "--format-version=1"];
    let metadata: Value = serde_json::from_str(&run::output(&mut run::cargo(&metadata)?)?)?;
    let lists = |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned();
    let packages = lists(&metadata, "packages").unwrap_or_default();
    let targets = packages.iter().flat_map(|it| lists(it, "targets").unwrap_or_default());
    let paths = targets.filter_map(|it| it.get("src_path")?.as_str().map(Utf8PathBuf::from));
    Ok(paths.filter_map(|it| it.strip_prefix(root).map(Utf8Path::to_owned).ok()).collect())
}

/// Every blob that is reachable from HEAD, with a path that it has or had.
fn objects_of_history() -> Result<Vec<(Utf8PathBuf, u64)>> {
    let names = run::output(&mut run::git(&["rev-list", "--objects", "HEAD"])?)?;
    let mut describing =
        run::git(&["cat-file", "--batch-check=%(objecttype) %(objectsize) %(rest)"])?
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run `git cat-file`")?;
    let mut stdin = describing.stdin.take().context("`git cat-file` has no input")?;
    let mut stdout = describing.stdout.take().context("`git cat-file` has no output")?;
    // Written beside the reading: a full pipe on either side would block both.
    let writing = thread::spawn(move || stdin.write_all(names.as_bytes()));
    let mut described = String::new();
    stdout.read_to_string(&mut described).context("cannot read from `git cat-file`")?;
    ensure!(writing.join().is_ok_and(|it| it.is_ok()), "cannot write to `git cat-file`");
    ensure!(describing.wait()?.success(), "`git cat-file` failed");
    Ok(described.lines().filter_map(blob).collect())
}

/// Reads one line of `git cat-file`: `blob 123 some/path`.
fn blob(line: &str) -> Option<(Utf8PathBuf, u64)> {
    let (size_bytes, path) = line.strip_prefix("blob ")?.split_once(' ')?;
    Some((path.into(), size_bytes.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_blobs_are_objects_of_interest() {
        assert_eq!(blob("blob 12 a file.rs"), Some(("a file.rs".into(), 12)));
        assert_eq!(blob("tree 12 src"), None);
        assert_eq!(blob("commit 200 "), None);
    }
}
