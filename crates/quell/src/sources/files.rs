//! Files, folders and standard input: `.json`, `.jsonl` and `.json.gz`.
//!
//! A `.json` file is one document; a `.jsonl` file one document a line; both may be gzipped.
//! Nothing is deleted or moved: a file that is read again is recognized by the ids of its events.
//! A broken file is put aside with its reason, as far as it was readable, and the rest goes on.

use super::{Intake, Settled, Source, SourceError, stopped};
use flate2::read::MultiGzDecoder;
use futures::future::BoxFuture;
use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// How often a followed folder is looked at, in milliseconds.
pub const FOLLOW_MS: u64 = 500;
/// Documents read ahead of the workers.
const READ_AHEAD: usize = 64;

/// Files, folders, or `-` for standard input.
#[derive(Debug)]
pub struct Files {
    paths: Vec<PathBuf>,
    follow: bool,
}

/// A document, or why none could be read here.
enum Piece {
    Document(String, Vec<u8>),
    Broken(String, Vec<u8>, String),
}

impl Files {
    /// A source over paths; with `follow` it looks for new files until it is stopped.
    pub fn new(paths: Vec<PathBuf>, follow: bool) -> Files {
        Files { paths, follow }
    }
}

impl Source for Files {
    fn name(&self) -> String {
        "files".to_owned()
    }

    fn run(
        self: Box<Self>,
        intake: Arc<Intake>,
        stop: watch::Receiver<bool>,
    ) -> BoxFuture<'static, Result<(), SourceError>> {
        Box::pin(async move {
            let (send, mut receive) = mpsc::channel(READ_AHEAD);
            let max = intake.delivery_max_bytes();
            let reader = tokio::task::spawn_blocking({
                let stop = stop.clone();
                move || self.read(max, &send, &stop)
            });
            let mut work = JoinSet::new();
            let mut until = stop;
            loop {
                let piece = tokio::select! {
                    piece = receive.recv() => piece,
                    () = stopped(&mut until) => None,
                };
                let Some(piece) = piece else { break };
                let Some(slot) = intake.slot().await else { break };
                let intake = Arc::clone(&intake);
                work.spawn(async move {
                    let _: Settled = match piece {
                        Piece::Document(name, body) => intake.settle(&name, &body).await,
                        Piece::Broken(name, body, why) => intake.put_aside(&name, &body, why).await,
                    };
                    drop(slot);
                });
                while work.try_join_next().is_some() {}
            }
            drop(receive);
            while work.join_next().await.is_some() {}
            reader.await.unwrap_or_else(|it| {
                Err(SourceError { source_name: "files".to_owned(), problem: it.to_string() })
            })
        })
    }
}

impl Files {
    fn read(
        &self,
        max: usize,
        send: &mpsc::Sender<Piece>,
        stop: &watch::Receiver<bool>,
    ) -> Result<(), SourceError> {
        let mut done = HashSet::new();
        loop {
            for path in self.list()? {
                if *stop.borrow() || send.is_closed() {
                    return Ok(());
                }
                let stamp = std::fs::metadata(&path).ok().map(|it| (it.len(), it.modified().ok()));
                if done.insert((path.clone(), stamp)) {
                    read_file(&path, max, send);
                }
            }
            if !self.follow || *stop.borrow() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(FOLLOW_MS));
        }
    }

    /// All files below the paths, sorted.
    fn list(&self) -> Result<Vec<PathBuf>, SourceError> {
        let mut files = Vec::new();
        for path in &self.paths {
            if path == Path::new("-") {
                files.push(path.clone());
                continue;
            }
            walk(path, &mut files).map_err(|it| SourceError {
                source_name: "files".to_owned(),
                problem: format!("`{}`: {it}", path.display()),
            })?;
        }
        Ok(files)
    }
}

fn walk(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !path.is_dir() {
        std::fs::metadata(path)?;
        files.push(path.to_owned());
        return Ok(());
    }
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(path)?.map(|it| it.map(|it| it.path())).collect::<Result<_, _>>()?;
    entries.sort();
    for entry in entries {
        let name = entry.to_string_lossy();
        let fits = [".json", ".jsonl", ".json.gz", ".jsonl.gz"].iter().any(|it| name.ends_with(it));
        if entry.is_dir() || fits {
            walk(&entry, files)?;
        }
    }
    Ok(())
}

fn read_file(path: &Path, max: usize, send: &mpsc::Sender<Piece>) {
    let name = path.display().to_string();
    let lines = name == "-" || name.ends_with(".jsonl") || name.ends_with(".jsonl.gz");
    let opened: std::io::Result<Box<dyn Read>> = if name == "-" {
        Ok(Box::new(std::io::stdin()))
    } else {
        std::fs::File::open(path).map(|it| Box::new(it) as Box<dyn Read>)
    };
    let reader: Box<dyn Read> = match opened {
        Ok(file) if name.ends_with(".gz") => Box::new(MultiGzDecoder::new(BufReader::new(file))),
        Ok(file) => file,
        Err(error) => {
            let _ = send.blocking_send(Piece::Broken(name, Vec::new(), error.to_string()));
            return;
        }
    };
    if lines {
        read_lines(&name, BufReader::new(reader), max, send);
    } else {
        let mut body = Vec::new();
        // One byte more than allowed tells "too large" from "just fits".
        let piece = match reader.take(max as u64 + 1).read_to_end(&mut body) {
            Ok(_) => Piece::Document(name, body),
            Err(error) => Piece::Broken(name, body, error.to_string()),
        };
        let _ = send.blocking_send(piece);
    }
}

fn read_lines(name: &str, mut reader: impl BufRead, max: usize, send: &mpsc::Sender<Piece>) {
    for number in 1_u64.. {
        let mut line = Vec::new();
        let read = (&mut reader).take(max as u64 + 1).read_until(b'\n', &mut line);
        let place = format!("{name}:{number}");
        let piece = match read {
            Ok(0) => return,
            Ok(_) if max < line.len() => {
                let skipped = skip_line(&mut reader);
                let why = format!("a line of more than {max} bytes");
                if send.blocking_send(Piece::Broken(place, line, why)).is_err() || !skipped {
                    return;
                }
                continue;
            }
            Ok(_) if line.trim_ascii().is_empty() => continue,
            Ok(_) => Piece::Document(place, line),
            Err(error) => {
                let _ = send.blocking_send(Piece::Broken(place, line, error.to_string()));
                return;
            }
        };
        if send.blocking_send(piece).is_err() {
            return;
        }
    }
}

/// Reads on to the end of an over-long line without keeping it.
fn skip_line(reader: &mut impl BufRead) -> bool {
    loop {
        let Ok(buffer) = reader.fill_buf() else { return false };
        if buffer.is_empty() {
            return false;
        }
        let (used, found) = match buffer.iter().position(|it| *it == b'\n') {
            Some(at) => (at + 1, true),
            None => (buffer.len(), false),
        };
        reader.consume(used);
        if found {
            return true;
        }
    }
}
