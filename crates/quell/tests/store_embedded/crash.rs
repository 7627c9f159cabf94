//! A process that appends and is killed, or runs out of disk: real ones, not stand-ins.
//!
//! The process is this very test binary, told by [`DIR_VARIABLE`] to run [`a_writer_in_a_process`]
//! until it ends. It says on its standard output what was acknowledged to it.

use std::io::{BufRead as _, BufReader, Lines};
use std::ops::Range;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use std::{env, thread};

use camino::{Utf8Path, Utf8PathBuf};
use quell::store::Store;
use quell::store::error::StoreError;
use quell::store::verify::verify;
use quell_core::ledger::verify::Report;
use rand::Rng as _;

use crate::support::{Fact, Seen, TestStore, folder, open, options};

const DIR_VARIABLE: &str = "QUELL_TEST_STORE_DIR";
const KILLS: usize = 50;
const WORKERS: u64 = 8;

#[test]
fn killed_at_any_moment_nothing_acknowledged_is_lost() {
    let (_folder, dir) = folder();
    let mut random = rand::rng();
    let mut known = 0;
    for round in 0..KILLS {
        let mut writer = Writer::start(writer_command(), &dir);
        let mut acknowledged = writer.acknowledged_at_least(1);
        thread::sleep(Duration::from_micros(random.random_range(0..20_000)));
        writer.kill();
        acknowledged.extend(writer.acknowledged_at_least(usize::MAX));

        assert!(verify_reopened(&dir).intact(), "round {round}");
        let store = open(&dir).unwrap();
        check(&store, &acknowledged);
        let head = store.head().sequence;
        assert!(known + acknowledged.len() as u64 <= head, "round {round}");
        known = head;
    }
}

#[test]
fn a_full_disk_ends_the_store_and_loses_nothing_acknowledged() {
    let (_folder, dir) = folder();
    let mut limited = Command::new("sh");
    // A file may not grow beyond the limit and the signal is ignored: writes fail with EFBIG, after
    // writing what still fits. To the store that is what a full disk looks like.
    limited.args(["-c", "ulimit -f 64; trap '' XFSZ; exec \"$0\" \"$@\""]);
    limited.arg(env::current_exe().unwrap());
    let mut writer = Writer::start(limited, &dir);
    let acknowledged = writer.acknowledged_at_least(usize::MAX);
    assert!(writer.process.wait().unwrap().success(), "the process saw the failure it expects");
    assert!(!acknowledged.is_empty());

    let store = open(&dir).unwrap();
    check(&store, &acknowledged);
    let torn = |it: &Fact| matches!(it, Fact::TailRepaired { .. });
    assert!(store.read(Seen::facts).iter().any(torn), "the last write was cut by the limit");
    drop(store);
    assert!(verify_reopened(&dir).intact());
}

#[test]
fn a_writer_in_another_process_is_named_and_its_lock_ends_with_it() {
    let (_folder, dir) = folder();
    let mut writer = Writer::start(writer_command(), &dir);
    writer.acknowledged_at_least(1);
    let refused = open(&dir).err().unwrap();
    let StoreError::Locked { holder, .. } = &refused else { panic!("{refused}") };
    assert_eq!(*holder, format!("process {}", writer.process.id()));
    writer.kill();
    open(&dir).unwrap();
}

/// Alone: workers append side by side until each has written a hundred facts, and all is there.
/// As the process of the tests above: they go on until killed, or until the disk is full.
#[test]
fn a_writer_in_a_process() {
    let given = env::var(DIR_VARIABLE).ok().map(Utf8PathBuf::from);
    let (_folder, own) = folder();
    let dir = given.clone().unwrap_or(own);
    let mut options = options();
    options.segment_bytes_max = 100_000;
    let store = Arc::new(Store::open(&dir, options, Seen::default()).unwrap());
    // No number twice, however often the process is started anew.
    let before = store.head().sequence * 1000;
    let count = if given.is_some() { 1_000_000 } else { 100 };
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let workers: Vec<_> = (0..WORKERS)
        .map(|worker| runtime.spawn(work(Arc::clone(&store), worker, before..before + count)))
        .collect();
    for worker in workers {
        runtime.block_on(worker).unwrap();
    }
    if given.is_none() {
        let facts = store.read(Seen::facts);
        assert_eq!(facts.len() as u64, WORKERS * count);
    }
}

/// Appends facts and says which were acknowledged; ends at the first failure, which must last.
async fn work(store: Arc<TestStore>, worker: u64, numbers: Range<u64>) {
    for number in numbers {
        // Mostly small, sometimes larger than a page by far: those a kill may tear.
        let size = if number % 10 == 9 { 150_000 } else { 50 };
        let fact = Fact::Written { worker, number, filler: "x".repeat(size) };
        match store.append(vec![fact]).await {
            Ok(records) => {
                let record = &records[0];
                println!("ack {} {}", record.sequence, record.digest);
            }
            Err(first) => {
                let again = Fact::Written { worker, number, filler: String::new() };
                let second = store.append(vec![again]).await.unwrap_err();
                assert_eq!(first.to_string(), second.to_string(), "it does not go on");
                return;
            }
        }
    }
}

/// A process that appends.
struct Writer {
    process: Child,
    output: Lines<BufReader<ChildStdout>>,
}

impl Writer {
    fn start(mut command: Command, dir: &Utf8Path) -> Self {
        command
            .args(["--exact", "crash::a_writer_in_a_process", "--nocapture"])
            .env(DIR_VARIABLE, dir)
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, output }
    }

    /// Reads acknowledgements until there are so many, or the process has ended.
    fn acknowledged_at_least(&mut self, count: usize) -> Vec<(u64, String)> {
        let mut acknowledged = Vec::new();
        while acknowledged.len() < count {
            let Some(line) = self.output.next() else { break };
            let line = line.unwrap();
            // The first one may stand behind what the test harness prints.
            if let Some((_, rest)) = line.split_once("ack ")
                && let Some((sequence, digest)) = rest.split_once(' ')
                && digest.len() == 64
            {
                acknowledged.push((sequence.parse().unwrap(), digest.to_owned()));
            }
        }
        acknowledged
    }

    /// SIGKILL.
    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn writer_command() -> Command {
    Command::new(env::current_exe().unwrap())
}

/// Opening repairs a torn tail; what is there then must verify.
fn verify_reopened(dir: &Utf8Path) -> Report {
    drop(open(dir).unwrap());
    verify(dir, &[], None).unwrap()
}

/// Everything that was acknowledged is there, and no fact twice.
fn check(store: &TestStore, acknowledged: &[(u64, String)]) {
    store.read(|seen| {
        for (sequence, digest) in acknowledged {
            let record = &seen.records[*sequence as usize - 1];
            assert_eq!(record.digest.to_string(), *digest);
        }
        let mut written: Vec<_> = seen
            .records
            .iter()
            .filter_map(|it| match &it.fact {
                Fact::Written { worker, number, .. } => Some((*worker, *number)),
                Fact::TailRepaired { .. } => None,
            })
            .collect();
        let count = written.len();
        written.sort_unstable();
        written.dedup();
        assert_eq!(written.len(), count, "no fact twice");
    });
}
