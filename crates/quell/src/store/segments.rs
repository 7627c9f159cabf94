//! Where the lines go: files that are begun, filled and left alone.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};

use camino::{Utf8Path, Utf8PathBuf};
use quell_core::ledger::ids::ChainId;

use crate::store::at;
use crate::store::error::StoreError;
use crate::store::layout::{Layout, sync_folder};

/// What makes lines durable. The one thing that a test may replace, since a disk whose sync fails
/// cannot be had otherwise.
pub(crate) trait Medium: Send + 'static {
    /// Makes `lines` durable behind all earlier ones; the first of them is record `first`. After
    /// an error nothing is known about what is on disk.
    fn append(&mut self, first: u64, lines: &[u8]) -> Result<(), StoreError>;
}

/// The segments of a chain, of which the last is written to.
#[derive(Debug)]
pub(crate) struct Segments {
    layout: Layout,
    chain: ChainId,
    last: Option<Last>,
    bytes_max: u64,
}

#[derive(Debug)]
struct Last {
    path: Utf8PathBuf,
    file: File,
    bytes: u64,
}

impl Segments {
    /// Continues the segments of a chain.
    ///
    /// A killed writer may have left lines that no sync has covered, and whoever reads them now
    /// builds on them: so they are made durable first.
    pub(crate) fn open(
        layout: &Layout,
        chain: &ChainId,
        bytes_max: u64,
    ) -> Result<Self, StoreError> {
        let mut last = None;
        if let Some(segment) = layout.segments(chain)?.pop() {
            let path = segment.path;
            let open = || {
                let file = OpenOptions::new().append(true).open(&path)?;
                file.sync_all()?;
                sync_folder(&layout.chain(chain))?;
                let bytes = file.metadata()?.len();
                io::Result::Ok((file, bytes))
            };
            let (file, bytes) = open().map_err(at(&path))?;
            last = Some(Last { path, file, bytes });
        }
        Ok(Self { layout: layout.clone(), chain: chain.clone(), last, bytes_max })
    }

    /// The segment to write to: the last one or, if that is full, a new one.
    fn current(&mut self, first: u64) -> Result<&mut Last, StoreError> {
        let full = self.last.as_ref().is_none_or(|it| self.bytes_max <= it.bytes);
        if full {
            self.last = None;
            let path = self.layout.segment(&self.chain, first);
            let create = || {
                let file = OpenOptions::new().append(true).create_new(true).open(&path)?;
                sync_folder(&self.layout.chain(&self.chain))?;
                io::Result::Ok(file)
            };
            let file = create().map_err(at(&path))?;
            return Ok(self.last.insert(Last { path, file, bytes: 0 }));
        }
        self.last.as_mut().ok_or(StoreError::Closed)
    }
}

impl Medium for Segments {
    fn append(&mut self, first: u64, lines: &[u8]) -> Result<(), StoreError> {
        let Last { path, file, bytes } = self.current(first)?;
        file.write_all(lines).map_err(at(path))?;
        file.sync_data().map_err(at(path))?;
        *bytes = bytes.saturating_add(lines.len() as u64);
        Ok(())
    }
}

/// Writes a small file whole and durably, or not at all.
pub(crate) fn write_durably(path: &Utf8Path, bytes: &[u8]) -> Result<(), StoreError> {
    let unfinished = path.with_extension("tmp");
    let write = || {
        let mut file = File::create(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&unfinished, path)?;
        path.parent().map_or(Ok(()), sync_folder)
    };
    write().map_err(at(path))
}
