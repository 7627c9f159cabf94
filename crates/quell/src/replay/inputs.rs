//! Where archives lie: files, folders, standard input, S3. Found one by one, in the order of their
//! names, so that a million files cost no memory.

use super::Watcher;
use super::s3::{Bucket, Objects};
use super::split::{Fault, Layout};
use flate2::bufread::MultiGzDecoder;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The deepest folder below a given one that is searched. CloudTrail's own layout has nine.
pub const FOLDER_DEPTH_MAX: usize = 32;
/// How much is read from a file at once, in bytes.
const READ_BYTES: usize = 128 * 1024;
/// CloudTrail's digests lie beside its logs; they hold no events.
const DIGEST_FOLDER: &str = "CloudTrail-Digest";
/// The names that event files have.
const SUFFIXES: [&str; 6] = [".json", ".json.gz", ".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz"];

/// One file of events.
#[derive(Debug)]
pub struct Input {
    /// As reports name it.
    pub name: String,
    origin: Origin,
}

#[derive(Debug)]
enum Origin {
    File(PathBuf),
    Stdin,
    Object { bucket: Bucket, key: String },
}

impl Input {
    /// How its events are laid out, by its name.
    pub fn layout(&self) -> Layout {
        let name = self.name.strip_suffix(".gz").unwrap_or(&self.name);
        if name.ends_with(".jsonl") || name.ends_with(".ndjson") {
            Layout::Lines
        } else {
            Layout::Documents
        }
    }

    /// How long it is as it is stored, where that is known without reading.
    pub fn bytes(&self) -> Option<u64> {
        match &self.origin {
            Origin::File(path) => Some(path.metadata().ok()?.len()),
            Origin::Stdin | Origin::Object { .. } => None,
        }
    }

    /// What differs when a file is written again: its length in bytes, and when it was written.
    pub fn stamp(&self) -> Option<(u64, Option<SystemTime>)> {
        match &self.origin {
            Origin::File(path) => path.metadata().ok().map(|it| (it.len(), it.modified().ok())),
            Origin::Stdin | Origin::Object { .. } => None,
        }
    }

    /// Opens it for reading, decompressed where its first bytes are gzip's.
    pub fn open<'w>(self, watcher: &'w dyn Watcher) -> Result<Box<dyn Read + 'w>, Fault> {
        let raw: Box<dyn Read> = match self.origin {
            Origin::Stdin => Box::new(io::stdin()),
            Origin::File(path) => Box::new(File::open(path).map_err(unreadable)?),
            Origin::Object { bucket, key } => {
                let object = bucket.get(&key);
                Box::new(object.map_err(|it| Fault::file(it.to_string()))?)
            }
        };
        let counted = Counted { raw, watcher };
        let mut buffered = BufReader::with_capacity(READ_BYTES, counted);
        let head = buffered.fill_buf().map_err(unreadable)?;
        if head.starts_with(&[0x1F, 0x8B]) {
            Ok(Box::new(MultiGzDecoder::new(buffered)))
        } else {
            Ok(Box::new(buffered))
        }
    }
}

/// Tells the watcher what is read.
struct Counted<'w> {
    raw: Box<dyn Read>,
    watcher: &'w dyn Watcher,
}

impl Read for Counted<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let bytes = self.raw.read(room)?;
        self.watcher.bytes_read(bytes);
        Ok(bytes)
    }
}

/// All inputs below the given places; one that cannot be looked into is an error with its name.
#[derive(Debug)]
pub struct Inputs {
    places: std::vec::IntoIter<Place>,
    /// The open folders, the innermost one last.
    open: Vec<Open>,
    objects: Option<Objects>,
}

/// A folder that is being looked through.
#[derive(Debug)]
struct Open {
    /// Where it really lies.
    folder: PathBuf,
    /// Entries yet to be looked at; the next one is last.
    entries: Vec<PathBuf>,
}

/// A place given on the command line.
#[derive(Debug, Clone)]
pub enum Place {
    /// A file or folder.
    Path(PathBuf),
    /// Standard input.
    Stdin,
    /// What a bucket holds below a prefix.
    Bucket {
        /// The bucket.
        bucket: Bucket,
        /// The prefix of the keys.
        prefix: String,
    },
}

impl Inputs {
    /// The inputs of some places, in that order.
    pub fn of(places: Vec<Place>) -> Inputs {
        Inputs { places: places.into_iter(), open: Vec::new(), objects: None }
    }

    fn place(&mut self, place: Place) -> Option<Item> {
        match place {
            Place::Stdin => Some(Ok(Input { name: "-".to_owned(), origin: Origin::Stdin })),
            Place::Path(path) if path.is_dir() => self.enter(path),
            Place::Path(path) => Some(Ok(file(path))),
            Place::Bucket { bucket, prefix } => {
                self.objects = Some(bucket.list(&prefix));
                None
            }
        }
    }

    fn enter(&mut self, folder: PathBuf) -> Option<Item> {
        let name = folder.display().to_string();
        if FOLDER_DEPTH_MAX <= self.open.len() {
            let problem = format!("more than {FOLDER_DEPTH_MAX} folders deep");
            return Some(Err((name, Fault::file(problem))));
        }
        let real = fs::canonicalize(&folder);
        // A link that leads back up has nothing new.
        if real.as_ref().is_ok_and(|real| self.open.iter().any(|it| it.folder == *real)) {
            return None;
        }
        match real.and_then(|real| Ok(Open { entries: entries(&folder)?, folder: real })) {
            Ok(open) => {
                self.open.push(open);
                None
            }
            Err(error) => Some(Err((name, unreadable(error)))),
        }
    }

    fn entry(&mut self, path: PathBuf) -> Option<Item> {
        if path.is_dir() {
            let is_digest = path.file_name().is_some_and(|it| it == DIGEST_FOLDER);
            return if is_digest { None } else { self.enter(path) };
        }
        // A pipe among them would be waited for.
        (path.is_file() && is_event_file(&path.to_string_lossy())).then(|| Ok(file(path)))
    }

    fn object(&mut self) -> Option<Item> {
        let objects = self.objects.as_mut()?;
        match objects.next() {
            None => {
                self.objects = None;
                None
            }
            Some(Err(fault)) => {
                let name = objects.bucket().url("");
                self.objects = None;
                Some(Err((name, fault)))
            }
            Some(Ok(key)) if key.contains(DIGEST_FOLDER) || !is_event_file(&key) => None,
            Some(Ok(key)) => {
                let bucket = objects.bucket().clone();
                let name = bucket.url(&key);
                Some(Ok(Input { name, origin: Origin::Object { bucket, key } }))
            }
        }
    }
}

type Item = Result<Input, (String, Fault)>;

impl Iterator for Inputs {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        loop {
            let found = if self.objects.is_some() {
                self.object()
            } else if let Some(folder) = self.open.last_mut() {
                match folder.entries.pop() {
                    Some(path) => self.entry(path),
                    None => {
                        self.open.pop();
                        None
                    }
                }
            } else {
                let place = self.places.next()?;
                self.place(place)
            };
            if found.is_some() {
                return found;
            }
        }
    }
}

fn file(path: PathBuf) -> Input {
    Input { name: path.display().to_string(), origin: Origin::File(path) }
}

fn is_event_file(name: &str) -> bool {
    SUFFIXES.iter().any(|it| name.ends_with(it))
}

/// A folder's entries, the first one last.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries: io::Result<Vec<PathBuf>> =
        fs::read_dir(folder)?.map(|it| Ok(it?.path())).collect();
    let mut entries = entries?;
    entries.sort_by(|left, right| right.cmp(left));
    Ok(entries)
}

fn unreadable(error: io::Error) -> Fault {
    Fault::file(error.to_string())
}
