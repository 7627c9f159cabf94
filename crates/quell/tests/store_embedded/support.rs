//! A fact, a projection and a store in a folder of its own.

use std::fs;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use ed25519_dalek::SigningKey;
use jiff::Timestamp;
use quell::store::error::StoreError;
use quell::store::{Options, Projection, Store, TornTail};
use quell_core::ledger::line::Record;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

/// What these tests record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    Written { worker: u64, number: u64, filler: String },
    TailRepaired { bytes: u64, file: String },
}

/// Everything that was recorded.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub records: Vec<Record<Fact>>,
}

pub type TestStore = Store<Fact, Seen>;

impl Projection<Fact> for Seen {
    fn apply(&mut self, record: &Record<Fact>) {
        assert_eq!(record.sequence, self.records.len() as u64 + 1, "each record once, in order");
        self.records.push(record.clone());
    }
}

impl Seen {
    pub fn facts(&self) -> Vec<Fact> {
        self.records.iter().map(|it| it.fact.clone()).collect()
    }
}

pub fn options() -> Options<Fact> {
    let repaired = |TornTail { bytes, file }| Fact::TailRepaired { bytes, file };
    let mut options = Options::new(repaired).unwrap();
    options.clock = Arc::new(|| "2026-05-09T07:29:33.5Z".parse::<Timestamp>().unwrap());
    options
}

pub fn open(dir: &Utf8Path) -> Result<TestStore, StoreError> {
    Store::open(dir, options(), Seen::default())
}

pub fn fact(number: u64) -> Fact {
    Fact::Written { worker: 0, number, filler: format!("é\n{number}") }
}

pub fn facts(numbers: std::ops::Range<u64>) -> Vec<Fact> {
    numbers.map(fact).collect()
}

pub fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

/// A new folder; the store lies in `store` inside it, so that a key may lie beside it.
pub fn folder() -> (TempDir, Utf8PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let dir = Utf8PathBuf::from_path_buf(folder.path().join("store")).unwrap();
    (folder, dir)
}

/// A closed store with one append per fact.
pub async fn filled(dir: &Utf8Path, facts: &[Fact], segment_bytes_max: u64) {
    let mut options = options();
    options.segment_bytes_max = segment_bytes_max;
    let store = Store::open(dir, options, Seen::default()).unwrap();
    for fact in facts {
        store.append(vec![fact.clone()]).await.unwrap();
    }
    store.close().await.unwrap();
}

/// The segments of the ledger, in order.
pub fn segments(dir: &Utf8Path) -> Vec<Utf8PathBuf> {
    let chain = dir.join("ledger").join("main");
    let mut paths: Vec<_> =
        chain.read_dir_utf8().unwrap().map(|it| it.unwrap().into_path()).collect();
    paths.sort();
    paths
}

pub fn copy(from: &Utf8Path, to: &Utf8Path) {
    fs::create_dir_all(to).unwrap();
    for entry in from.read_dir_utf8().unwrap() {
        let path = entry.unwrap().into_path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}
