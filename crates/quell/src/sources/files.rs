//! Files, folders and standard input, read as `quell replay` reads them: log files, events one
//! after the other or one per line, gzipped or not ([`inputs`](crate::replay::inputs)).
//!
//! Each record is a delivery of its own ([`split`](crate::replay::split)), so a broken one hides no
//! other, and a file may be as large as it likes. Nothing is deleted or moved: a file that is read
//! again is recognized by the ids of its events. What can't be read is put aside with its place and
//! the reason; its bytes stay where they are.

use super::work::Work;
use super::{Intake, Settled, Source, SourceError, stopped};
use crate::replay::Watcher;
use crate::replay::inputs::{Input, Inputs, Place};
use crate::replay::split::{Fault, Layout, Piece, split};
use futures::future::BoxFuture;
use std::collections::HashSet;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// How often a followed folder is looked at, in milliseconds.
pub const FOLLOW_MS: u64 = 500;
const SOURCE_NAME: &str = "files";
/// Records read ahead of the workers.
const READ_AHEAD: usize = 64;

/// Files, folders, or `-` for standard input.
#[derive(Debug)]
pub struct Files {
    paths: Vec<PathBuf>,
    follow: bool,
}

/// A record with its place, or why none could be read there.
enum Found {
    Record(String, Vec<u8>),
    Broken(String, String),
}

impl Files {
    /// A source over paths; with `follow` it looks for new files until it is stopped.
    pub fn new(paths: Vec<PathBuf>, follow: bool) -> Files {
        Files { paths, follow }
    }
}

impl Source for Files {
    fn name(&self) -> String {
        SOURCE_NAME.to_owned()
    }

    fn run(
        self: Box<Self>,
        intake: Arc<Intake>,
        stop: watch::Receiver<bool>,
    ) -> BoxFuture<'static, Result<(), SourceError>> {
        Box::pin(async move {
            let (send, mut receive) = mpsc::channel(READ_AHEAD);
            let reader = tokio::task::spawn_blocking({
                let stop = stop.clone();
                move || self.read(&send, &stop)
            });
            let mut work = Work::default();
            let mut until = stop;
            loop {
                let found = tokio::select! {
                    found = receive.recv() => found,
                    () = stopped(&mut until) => None,
                };
                let Some(found) = found else { break };
                let Some(slot) = intake.slot().await else { break };
                let intake = Arc::clone(&intake);
                work.spawn(async move {
                    settle(&intake, found).await;
                    drop(slot);
                });
            }
            drop(receive);
            let worked = work.finish(SOURCE_NAME).await;
            if *until.borrow() {
                // It may wait for standard input, which nothing can interrupt.
                return worked;
            }
            let read = reader.await.unwrap_or_else(|it| Err(failed(it.to_string())));
            worked.and(read)
        })
    }
}

async fn settle(intake: &Intake, found: Found) {
    let _: Settled = match found {
        Found::Record(place, bytes) => match intake.settle(&place, &bytes).await {
            // A file is not delivered again.
            Settled::Again(why) => intake.put_aside_for_good(&place, &bytes, why).await,
            other => other,
        },
        Found::Broken(place, why) => intake.put_aside_for_good(&place, &[], why).await,
    };
}

impl Files {
    /// Reads until everything is read or nobody wants more.
    fn read(
        &self,
        send: &mpsc::Sender<Found>,
        stop: &watch::Receiver<bool>,
    ) -> Result<(), SourceError> {
        let mut done = HashSet::new();
        loop {
            let mut present = HashSet::new();
            for input in Inputs::of(self.places()?) {
                if *stop.borrow() || send.is_closed() {
                    return Ok(());
                }
                // A file that grows while it is read is read again.
                let key = match &input {
                    Ok(input) => (input.name.clone(), input.stamp()),
                    Err((name, _)) => (name.clone(), None),
                };
                if !done.contains(&key) {
                    read_input(input, send, stop);
                }
                present.insert(key);
            }
            // What is gone is forgotten: memory grows with the folder, not with time.
            done = present;
            if !self.follow || *stop.borrow() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(FOLLOW_MS));
        }
    }

    /// The places to look into. A given path that is not there is an error, not an event.
    fn places(&self) -> Result<Vec<Place>, SourceError> {
        let place = |path: &PathBuf| {
            if path == Path::new("-") {
                return Ok(Place::Stdin);
            }
            match std::fs::metadata(path) {
                Ok(_) => Ok(Place::Path(path.clone())),
                Err(error) => Err(failed(format!("`{}`: {error}", path.display()))),
            }
        };
        self.paths.iter().map(place).collect()
    }
}

fn read_input(
    input: Result<Input, (String, Fault)>,
    send: &mpsc::Sender<Found>,
    stop: &watch::Receiver<bool>,
) {
    // When nobody takes them any more, reading ends.
    let hand_over = |found| drop(send.blocking_send(found));
    let (name, ended) = match input {
        Err((name, fault)) => (name, Err(fault)),
        Ok(input) => {
            let name = input.name.clone();
            // On a pipe each line is an event of its own, to be taken as soon as it comes.
            let layout = if name == "-" { Layout::Lines } else { input.layout() };
            let ended = input.open(&Unwatched).and_then(|source| {
                split(&mut Until { source, stop }, layout, &mut |number, piece| {
                    let place = format!("{name}, record {number}");
                    hand_over(match piece {
                        Piece::Record(bytes) | Piece::Document(bytes) => {
                            Found::Record(place, bytes.to_owned())
                        }
                        Piece::Fault(fault) => Found::Broken(place, fault.problem),
                    });
                })
            });
            (name, ended)
        }
    };
    if let Err(fault) = ended
        && !*stop.borrow()
    {
        hand_over(Found::Broken(name, fault.problem));
    }
}

/// A source that breaks off when the process is asked to stop.
struct Until<'a> {
    source: Box<dyn Read + 'a>,
    stop: &'a watch::Receiver<bool>,
}

impl Read for Until<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if *self.stop.borrow() {
            return Err(io::Error::other("stopped"));
        }
        self.source.read(room)
    }
}

/// Nobody waits for a progress bar.
struct Unwatched;

impl Watcher for Unwatched {
    fn bytes_read(&self, _: usize) {}
    fn input_done(&self) {}
}

fn failed(problem: String) -> SourceError {
    SourceError { source_name: SOURCE_NAME.to_owned(), problem }
}
