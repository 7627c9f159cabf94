//! The lines of a segment, one at a time, in bounded memory.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};

use camino::Utf8Path;
use quell_core::ledger::line::LINE_BYTES_MAX;

/// How much is read at once, in bytes.
const READ_BUFFER_BYTES: usize = 256 * 1024;

/// A segment that is being read.
#[derive(Debug)]
pub struct Lines {
    file: BufReader<File>,
    piece: Vec<u8>,
    offset: u64,
    number: u64,
}

/// What comes next in a segment.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// A line, without its newline; or as much of it as the longest record could have.
    Line(&'a [u8]),
    /// Bytes without a newline at the end of the file.
    Torn {
        /// The bytes.
        bytes: &'a [u8],
        /// Where they begin.
        offset: u64,
    },
    /// The end of the file.
    End,
}

impl Lines {
    /// Opens a segment.
    pub fn open(path: &Utf8Path) -> io::Result<Self> {
        let file = BufReader::with_capacity(READ_BUFFER_BYTES, File::open(path)?);
        Ok(Self { file, piece: Vec::new(), offset: 0, number: 0 })
    }

    /// The number of the piece that was read last, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Reads the next piece.
    pub fn advance(&mut self) -> io::Result<Piece<'_>> {
        let offset = self.offset;
        let limit = LINE_BYTES_MAX as u64 + 1;
        self.piece.clear();
        let read = (&mut self.file).take(limit).read_until(b'\n', &mut self.piece)? as u64;
        self.offset += read;
        if read == 0 {
            return Ok(Piece::End);
        }
        self.number += 1;
        match self.piece.strip_suffix(b"\n") {
            Some(line) => Ok(Piece::Line(line)),
            None if read == limit => Ok(Piece::Line(&self.piece)),
            None => Ok(Piece::Torn { bytes: &self.piece, offset }),
        }
    }
}
