//! Files that a user names on the command line: read whole, within a limit, `-` for standard input.
//! A byte order mark, which some editors put first, is no part of them.

use crate::exit::CliError;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read};

/// The largest file of a user's that is read whole, in bytes.
pub const INPUT_FILE_MAX_BYTES: u64 = 16 * 1024 * 1024;
/// The longest line of a file of cases, in bytes.
pub const CASE_LINE_MAX_BYTES: u64 = 16 * 1024 * 1024;
/// U+FEFF in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A file's text.
pub fn text(path: &str) -> Result<String, CliError> {
    String::from_utf8(bytes(path)?)
        .map_err(|it| CliError::usage(format!("`{path}` is not UTF-8")).because(it.utf8_error()))
}

/// A file's bytes.
pub fn bytes(path: &str) -> Result<Vec<u8>, CliError> {
    let limit = usize::try_from(INPUT_FILE_MAX_BYTES).unwrap_or(usize::MAX);
    within(path, limit)?
        .ok_or_else(|| too_large(path, limit).hint("give cases as JSON Lines with --cases"))
}

/// A file's bytes, at most so many.
pub fn bytes_within(path: &str, max: usize) -> Result<Vec<u8>, CliError> {
    within(path, max)?.ok_or_else(|| too_large(path, max))
}

/// `None` where there are more. What says so itself is not read for nothing.
fn within(path: &str, max: usize) -> Result<Option<Vec<u8>>, CliError> {
    let says_so = |it: fs::Metadata| it.is_file() && (max as u64) < it.len();
    if path != "-" && fs::metadata(path).is_ok_and(says_so) {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    open(path)?
        .take((max as u64).saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|it| unreadable(path, it))?;
    if max < bytes.len() {
        return Ok(None);
    }
    if bytes.starts_with(BYTE_ORDER_MARK) {
        bytes.drain(..BYTE_ORDER_MARK.len());
    }
    Ok(Some(bytes))
}

fn too_large(path: &str, max: usize) -> CliError {
    CliError::usage(format!("`{path}` is larger than {max} bytes"))
}

/// Hands over the lines of a file that are not blank, with their numbers.
pub fn lines(
    path: &str,
    mut each: impl FnMut(usize, &str) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let mut reader = BufReader::new(open(path)?);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let mut limited = (&mut reader).take(CASE_LINE_MAX_BYTES + 1);
        let read = limited.read_until(b'\n', &mut line).map_err(|it| unreadable(path, it))?;
        if read == 0 {
            break;
        }
        let at = || format!("`{path}`, line {number}");
        if CASE_LINE_MAX_BYTES < line.len() as u64 {
            let problem = format!("{} is longer than {CASE_LINE_MAX_BYTES} bytes", at());
            return Err(CliError::usage(problem));
        }
        let line = line.strip_prefix(BYTE_ORDER_MARK).filter(|_| number == 1).unwrap_or(&line);
        let text = std::str::from_utf8(line)
            .map_err(|it| CliError::usage(format!("{} is not UTF-8", at())).because(it))?;
        if !text.trim().is_empty() {
            each(number, text.trim())?;
        }
    }
    Ok(())
}

fn open(path: &str) -> Result<Box<dyn Read>, CliError> {
    if path == "-" {
        return Ok(Box::new(io::stdin()));
    }
    let file = File::open(path).map_err(|it| unreadable(path, it))?;
    if file.metadata().is_ok_and(|it| it.is_dir()) {
        return Err(CliError::usage(format!("`{path}` is a folder, not a file")));
    }
    Ok(Box::new(file))
}

/// A file that is not there is the user's slip; one that can't be read is the world's.
fn unreadable(path: &str, error: io::Error) -> CliError {
    let message = format!("cannot read `{path}`");
    match error.kind() {
        io::ErrorKind::NotFound => CliError::usage(message).because(error),
        _ => CliError::outside(message).because(error),
    }
}
