//! The lock against a second writer.
//!
//! It is the operating system's: it ends with the process that holds it, however that ends. The
//! file's content only tells a human who holds it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::time::{Duration, Instant};
use std::{process, thread};

use crate::store::at;
use crate::store::error::StoreError;
use crate::store::layout::Layout;

/// How long to wait for a lock that is held, in milliseconds: a predecessor may be just ending, and
/// [`is_held`] takes the lock for a moment.
pub const LOCK_WAIT_MAX_MS: u64 = 500;

/// The time between two tries, in milliseconds.
const LOCK_RETRY_MS: u64 = 20;

/// The right to write to a store; given up when dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Takes the lock, or says who holds it.
pub fn acquire(layout: &Layout) -> Result<Lock, StoreError> {
    let path = layout.lock();
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path)
        .map_err(at(&path))?;
    let deadline = Instant::now() + Duration::from_millis(LOCK_WAIT_MAX_MS);
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(LOCK_RETRY_MS));
            }
            Err(TryLockError::WouldBlock) => return Err(locked(layout)),
            Err(TryLockError::Error(source)) => return Err(at(&path)(source)),
        }
    }
    file.set_len(0).map_err(at(&path))?;
    write!(file, "process {}", process::id()).map_err(at(&path))?;
    Ok(Lock { _file: file })
}

/// Whether a writer has the store open.
pub fn is_held(layout: &Layout) -> Result<bool, StoreError> {
    let path = layout.lock();
    if !path.exists() {
        return Ok(false);
    }
    let file = File::open(&path).map_err(at(&path))?;
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(source)) => Err(at(&path)(source)),
    }
}

fn locked(layout: &Layout) -> StoreError {
    let content = fs::read_to_string(layout.lock()).unwrap_or_default();
    let known = content.starts_with("process ");
    let holder = if known { content } else { "another process".to_owned() };
    StoreError::Locked { dir: layout.dir().to_owned(), holder }
}
