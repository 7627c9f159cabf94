//! Where things lie in a store's directory. `docs/reference/ledger-format.md` says it to others.

use std::fs::{self, File};
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use quell_core::ledger::ids::ChainId;

use crate::store::at;
use crate::store::error::StoreError;

/// The directory of a store.
#[derive(Clone, Debug)]
pub struct Layout {
    dir: Utf8PathBuf,
}

/// A file with some records of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The file.
    pub path: Utf8PathBuf,
    /// The sequence of its first record; `None` if its name says nothing.
    pub first: Option<u64>,
}

impl Layout {
    /// The store in `dir`; makes its folders where they are missing.
    pub fn create(dir: &Utf8Path) -> Result<Self, StoreError> {
        let layout = Self { dir: dir.to_owned() };
        create_folder(dir)?;
        for folder in [layout.ledger(), layout.checkpoints(), layout.torn()] {
            create_folder(&folder)?;
        }
        Ok(layout)
    }

    /// The store in `dir`, which must be there.
    pub fn existing(dir: &Utf8Path) -> Result<Self, StoreError> {
        let layout = Self { dir: dir.to_owned() };
        if layout.ledger().is_dir() {
            Ok(layout)
        } else {
            Err(StoreError::NoLedger { dir: dir.to_owned() })
        }
    }

    /// The directory itself.
    pub fn dir(&self) -> &Utf8Path {
        &self.dir
    }

    /// The lock file.
    pub fn lock(&self) -> Utf8PathBuf {
        self.dir.join("lock")
    }

    /// The folder of the chains.
    pub fn ledger(&self) -> Utf8PathBuf {
        self.dir.join("ledger")
    }

    /// The folder of the checkpoints.
    pub fn checkpoints(&self) -> Utf8PathBuf {
        self.dir.join("checkpoints")
    }

    /// The folder for what was cut off.
    pub fn torn(&self) -> Utf8PathBuf {
        self.dir.join("torn")
    }

    /// The folder of a chain's segments.
    pub fn chain(&self, chain: &ChainId) -> Utf8PathBuf {
        self.ledger().join(chain.as_str())
    }

    /// The chains, sorted.
    pub fn chains(&self) -> Result<Vec<ChainId>, StoreError> {
        self.chain_names()?.into_iter().map(|it| Ok(ChainId::new(&it)?)).collect()
    }

    /// The names of the folders where chains lie, sorted; not each must be able to name one.
    pub fn chain_names(&self) -> Result<Vec<String>, StoreError> {
        let ledger = self.ledger();
        let mut names = Vec::new();
        for entry in fs::read_dir(&ledger).map_err(at(&ledger))? {
            let entry = entry.map_err(at(&ledger))?;
            if entry.path().is_dir() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// The segments of a chain, in order.
    pub fn segments(&self, chain: &ChainId) -> Result<Vec<Segment>, StoreError> {
        let paths = entries(&self.chain(chain))?.into_iter();
        Ok(paths
            .filter(|it| it.extension() == Some("jsonl"))
            .map(|path| {
                let first = path.file_stem().and_then(|it| it.parse().ok());
                Segment { path, first }
            })
            .collect())
    }

    /// The segment that begins with record `first`.
    pub fn segment(&self, chain: &ChainId, first: u64) -> Utf8PathBuf {
        self.chain(chain).join(format!("{first:020}.jsonl"))
    }

    /// The checkpoints, in order.
    pub fn checkpoint_files(&self) -> Result<Vec<Utf8PathBuf>, StoreError> {
        if !self.checkpoints().is_dir() {
            return Ok(Vec::new());
        }
        let paths = entries(&self.checkpoints())?.into_iter();
        Ok(paths.filter(|it| it.extension() == Some("json")).collect())
    }

    /// The files with what was cut off where record `sequence` comes next, in order.
    pub fn torn_files(
        &self,
        chain: &ChainId,
        sequence: u64,
    ) -> Result<Vec<Utf8PathBuf>, StoreError> {
        let prefix = format!("{chain}-{sequence:020}.");
        let paths = entries(&self.torn())?.into_iter();
        Ok(paths
            .filter(|it| it.file_name().is_some_and(|name| name.starts_with(&prefix)))
            .collect())
    }

    /// The `n`th such file.
    pub fn torn_file(&self, chain: &ChainId, sequence: u64, n: usize) -> Utf8PathBuf {
        self.torn().join(format!("{chain}-{sequence:020}.{n}.bytes"))
    }
}

/// Makes a folder, and makes it durable that it is there.
pub(crate) fn create_folder(folder: &Utf8Path) -> Result<(), StoreError> {
    if folder.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(folder).map_err(at(folder))?;
    match folder.parent() {
        Some(parent) if !parent.as_str().is_empty() => sync_folder(parent).map_err(at(parent)),
        _ => Ok(()),
    }
}

/// Makes durable which files a folder holds.
pub(crate) fn sync_folder(folder: &Utf8Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The paths in a folder, sorted.
fn entries(folder: &Utf8Path) -> Result<Vec<Utf8PathBuf>, StoreError> {
    let mut paths = Vec::new();
    for entry in folder.read_dir_utf8().map_err(at(folder))? {
        paths.push(entry.map_err(at(folder))?.into_path());
    }
    paths.sort();
    Ok(paths)
}
