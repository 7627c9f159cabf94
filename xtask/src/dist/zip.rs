//! A zip archive of one executable file, the same bytes for the same file.
//!
//! The format is PKWARE's APPNOTE 6.3: a local header, the deflated bytes, a central directory of
//! one entry, its end. A crate would bring clocks, encryption and five more compressions with it.
//! Deliberately absent: ZIP64 (Lambda takes no file near 4 GiB) and more than one file.

use std::io::Write as _;

use anyhow::{Context, Result};
use flate2::{Compression, Crc, write::DeflateEncoder};

/// Version 2.0: deflate.
const VERSION_NEEDED: u16 = 20;
/// Made by version 2.0 on Unix (3), so that the mode counts.
const VERSION_MADE_BY: u16 = (3 << 8) | VERSION_NEEDED;
const DEFLATED: u16 = 8;
/// The first moment that the format can tell: 1980-01-01 00:00.
const TIME: u16 = 0;
const DATE: u16 = (1 << 5) | 1;
/// A regular file that everybody may read and execute.
const MODE: u32 = 0o100_755;

/// The archive.
pub fn one_file(name: &str, content: &[u8]) -> Result<Vec<u8>> {
    let mut crc = Crc::new();
    crc.update(content);
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).context("cannot deflate")?;
    let deflated = encoder.finish().context("cannot deflate")?;
    let common = common(name, crc.sum(), deflated.len(), content.len())?;

    let mut zip = Vec::with_capacity(deflated.len() + 256);
    zip.extend(b"PK\x03\x04");
    zip.extend(VERSION_NEEDED.to_le_bytes());
    zip.extend(&common);
    zip.extend(name.as_bytes());
    zip.extend(&deflated);

    let directory_at = u32::try_from(zip.len())?;
    zip.extend(b"PK\x01\x02");
    zip.extend(VERSION_MADE_BY.to_le_bytes());
    zip.extend(VERSION_NEEDED.to_le_bytes());
    zip.extend(&common);
    // No comment, first disk, binary content.
    zip.extend([0; 6]);
    zip.extend((MODE << 16).to_le_bytes());
    // The local header begins with the archive.
    zip.extend(0_u32.to_le_bytes());
    zip.extend(name.as_bytes());

    let directory_bytes = u32::try_from(zip.len())? - directory_at;
    zip.extend(b"PK\x05\x06");
    // One disk, one entry on it, one in all.
    zip.extend([0, 0, 0, 0, 1, 0, 1, 0]);
    zip.extend(directory_bytes.to_le_bytes());
    zip.extend(directory_at.to_le_bytes());
    zip.extend(0_u16.to_le_bytes());
    Ok(zip)
}

/// What the local header and the directory both say, from the flags to the extra field's length.
fn common(name: &str, crc: u32, deflated: usize, content: usize) -> Result<Vec<u8>> {
    let mut common = Vec::new();
    for number in [0, DEFLATED, TIME, DATE] {
        common.extend(u16::to_le_bytes(number));
    }
    for number in [crc, u32::try_from(deflated)?, u32::try_from(content)?] {
        common.extend(number.to_le_bytes());
    }
    common.extend(u16::try_from(name.len())?.to_le_bytes());
    common.extend(0_u16.to_le_bytes());
    Ok(common)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::process::Command;

    #[test]
    fn python_unpacks_it_and_finds_time_and_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("package.zip");
        let content: Vec<u8> = (0..50_000_u32).flat_map(|it| (it * it).to_le_bytes()).collect();
        let zip = one_file("bootstrap", &content).unwrap();
        assert_eq!(zip, one_file("bootstrap", &content).unwrap(), "the same bytes");
        std::fs::write(&path, &zip).unwrap();
        let script = "import hashlib, sys, zipfile\n\
            with zipfile.ZipFile(sys.argv[1]) as it:\n\
            \x20   assert it.testzip() is None\n\
            \x20   (info,) = it.infolist()\n\
            \x20   digest = hashlib.sha256(it.read(info)).hexdigest()\n\
            print(info.filename, info.date_time[0], oct(info.external_attr >> 16), digest)";
        let ran = Command::new("python3").args(["-c", script]).arg(&path).output().unwrap();
        let digest = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&content));
        let told = String::from_utf8(ran.stdout).unwrap();
        let complaint = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(told.trim(), format!("bootstrap 1980 0o100755 {digest}"), "{complaint}");
    }
}
