//! Lines and columns of byte offsets.

use crate::plan::Place;

/// How many bytes lie between two counted offsets.
const STRIDE_BYTES: usize = 1024;

/// A position: the file's index and the offset in it, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Spot {
    /// The index of the file.
    pub file: usize,
    /// The offset in bytes.
    pub offset: usize,
}

/// A file's name and what is needed to count its lines and columns fast, long lines included.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    name: &'a str,
    text: &'a [u8],
    /// Where what is parsed begins: offsets count from there.
    begin: usize,
    /// The offsets at which lines begin.
    starts: Vec<usize>,
    /// How many characters begin before every [`STRIDE_BYTES`]-th byte.
    characters: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub fn new(name: &'a str, text: &'a str, begin: usize) -> Lines<'a> {
        let bytes = text.as_bytes();
        let newlines = bytes.iter().enumerate().filter(|(_, it)| **it == b'\n');
        let starts = std::iter::once(0).chain(newlines.map(|(at, _)| at + 1)).collect();
        let mut before = 0;
        let characters = bytes
            .chunks(STRIDE_BYTES)
            .map(|chunk| {
                let here = before;
                before += count(chunk);
                here
            })
            .collect();
        Lines { name, text: bytes, begin, starts, characters }
    }

    pub fn place(&self, offset: usize) -> Place {
        let offset = self.begin + offset;
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or_default();
        let column = self.before(offset).saturating_sub(self.before(start)) + 1;
        Place { file: self.name.to_owned(), line, column }
    }

    /// How many characters begin before the offset.
    fn before(&self, offset: usize) -> usize {
        let stride = offset / STRIDE_BYTES;
        let counted = match self.characters.get(stride).or(self.characters.last()) {
            Some(counted) => *counted,
            None => return 0,
        };
        let from = stride.min(self.characters.len().saturating_sub(1)) * STRIDE_BYTES;
        counted + self.text.get(from..offset.min(self.text.len())).map_or(0, count)
    }
}

/// How many characters begin in the bytes.
fn count(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| (**byte & 0xC0) != 0x80).count()
}
