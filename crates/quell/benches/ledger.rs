//! PERF target 4: the ledger in bytes per second, beside the same bytes in a raw file that is
//! written and fdatasync'd group by group, in the same run and on the same disk, turn by turn.
//!
//! `cargo xtask bench ledger [-- --seconds N]`; it measures the disk that holds the target folder.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot run must stop")]

use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, fs};

use camino::Utf8Path;
use futures::future::join_all;
use quell::store::{Options, Projection, Store};
use quell_core::ledger::line::Record;
use serde::{Deserialize, Serialize};

/// The target: the ledger's share of the raw file's bytes per second.
const RATIO_TARGET: f64 = 0.5;
/// How long the ledger and the raw file take turns, in milliseconds.
const TURN_MS: u64 = 250;
const SECONDS_DEFAULT: u64 = 10;

/// A load: so many tasks that each append so many facts, wait for them to be durable, and go on.
struct Load {
    appenders: usize,
    facts: usize,
    /// The records in a group that the load makes: how many the raw file syncs at once.
    group: usize,
}

const LOADS: [Load; 6] = [
    Load { appenders: 1, facts: 1, group: 1 },
    Load { appenders: 1, facts: 32, group: 32 },
    Load { appenders: 32, facts: 1, group: 32 },
    Load { appenders: 1, facts: 1024, group: 1024 },
    Load { appenders: 2, facts: 1024, group: 1024 },
    Load { appenders: 1024, facts: 1, group: 1024 },
];

fn main() {
    let seconds = seconds();
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let dir = Utf8Path::from_path(folder.path()).unwrap();
    println!("durable appends of records of about 1 kB, wall time, {seconds} s each, in turns:");
    let names = ["appenders", "facts each", "ledger", "raw file, in groups of", "ratio"];
    println!("{:>9} {:>10} {:>23} {:>30} {:>6}", names[0], names[1], names[2], names[3], names[4]);
    for (number, load) in LOADS.iter().enumerate() {
        measure(&dir.join(number.to_string()), load, Duration::from_secs(seconds));
    }
    println!("target: at least {RATIO_TARGET:.2} in group commits");
}

/// Counts, which is the least that a projection can do.
struct Count(u64);

impl Projection<Fact> for Count {
    fn apply(&mut self, _record: &Record<Fact>) {
        self.0 += 1;
    }
}

fn measure(dir: &Utf8Path, load: &Load, duration: Duration) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let store = Store::open(dir, Options::new(|_| fact(0)).unwrap(), Count(0)).unwrap();
    let store = Arc::new(store);
    let mut raw = Raw::create(&dir.join("raw"));
    let (mut in_ledger, mut in_raw) = (Duration::ZERO, Duration::ZERO);
    let (mut records, mut raw_records) = (0, 0);
    while in_ledger + in_raw < duration {
        let start = Instant::now();
        records += runtime.block_on(turn(&store, load));
        in_ledger += start.elapsed();

        let line_bytes = ledger_bytes(dir) / records;
        let bytes = vec![b'x'; usize::try_from(line_bytes).unwrap() * load.group];
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(TURN_MS) {
            raw.append(&bytes);
            raw_records += load.group as u64;
        }
        in_raw += start.elapsed();
    }
    assert_eq!(store.read(|count| count.0), records, "everything measured was recorded");
    runtime.block_on(store.close()).unwrap();
    let line_bytes = ledger_bytes(dir) as f64 / records as f64;
    let per_second = |records: u64, time: Duration| records as f64 / time.as_secs_f64();
    let (ours, raws) = (per_second(records, in_ledger), per_second(raw_records, in_raw));
    let rate = |it: f64| format!("{it:>7.0}/s {:>6.1} MB/s", it * line_bytes / 1e6);
    let Load { appenders, facts, group } = load;
    println!(
        "{appenders:>9} {facts:>10} {:>23} {group:>6} {:>23} {:>6.2}",
        rate(ours),
        rate(raws),
        ours / raws
    );
}

/// The ledger's turn: how many records became durable.
async fn turn(store: &Arc<Store<Fact, Count>>, load: &Load) -> u64 {
    let end = Instant::now() + Duration::from_millis(TURN_MS);
    let appenders = (0..load.appenders).map(|appender| {
        let (store, facts) = (Arc::clone(store), load.facts);
        tokio::spawn(async move {
            let mut records = 0;
            while Instant::now() < end {
                let number = (appender * facts) as u64 + records;
                let facts = (number..).take(facts).map(fact).collect();
                records += store.append(facts).await.unwrap().len() as u64;
            }
            records
        })
    });
    let appended = join_all(appenders.collect::<Vec<_>>()).await;
    appended.into_iter().map(Result::unwrap).sum()
}

/// The yardstick: bytes at the end of a file, made durable.
struct Raw {
    file: File,
}

impl Raw {
    fn create(path: &Utf8Path) -> Self {
        Self { file: OpenOptions::new().append(true).create_new(true).open(path).unwrap() }
    }

    fn append(&mut self, bytes: &[u8]) {
        self.file.write_all(bytes).unwrap();
        self.file.sync_data().unwrap();
    }
}

/// A fact of the size of real ones: its line takes about 1 kB. Making one and dropping it costs
/// next to nothing, since that is not what is measured; encoding it is.
#[derive(Clone, Serialize, Deserialize)]
struct Fact {
    fact: Text,
    id: u64,
    finding: Text,
    severity: Text,
    change: Change,
    reversibility: Text,
    authority: Text,
    actor: Actor,
}

#[derive(Clone, Serialize, Deserialize)]
struct Change {
    action: Text,
    resource: [Text; 4],
    facet: Text,
    before: Rule,
    after: Option<Rule>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Rule {
    ip_protocol: Text,
    from_port: u16,
    to_port: u16,
    cidr_ip: Text,
    description: Text,
}

#[derive(Clone, Serialize, Deserialize)]
struct Actor {
    kind: Text,
    principal_id: Text,
    arn: Text,
    issuer_arn: Text,
}

type Text = Cow<'static, str>;

fn fact(number: u64) -> Fact {
    Fact {
        fact: "attempted".into(),
        id: number,
        finding: "aws.ec2.admin_port_open/sg-0f1e2d3c4b5a69788/sgr-0a1b2c3d4e5f60718".into(),
        severity: "critical".into(),
        change: Change {
            action: "aws.ec2.revoke_ingress".into(),
            resource: [
                "AWS::EC2::SecurityGroup".into(),
                "sg-0f1e2d3c4b5a69788".into(),
                "123456789012".into(),
                "eu-central-1".into(),
            ],
            facet: "/SecurityGroupIngress#sgr-0a1b2c3d4e5f60718".into(),
            before: Rule {
                ip_protocol: "tcp".into(),
                from_port: 22,
                to_port: 22,
                cidr_ip: "0.0.0.0/0".into(),
                description: "temporary access for the migration, remove on Friday".into(),
            },
            after: None,
        },
        reversibility: "exact up to the rule's id".into(),
        authority: "policy".into(),
        actor: Actor {
            kind: "assumed_role".into(),
            principal_id: "AROAEXAMPLEEXAMPLEEX:jane.doe@example.com".into(),
            arn: "arn:aws:sts::123456789012:assumed-role/Administrator/jane.doe@example.com".into(),
            issuer_arn: "arn:aws:iam::123456789012:role/Administrator".into(),
        },
    }
}

/// The size of all segments.
fn ledger_bytes(dir: &Utf8Path) -> u64 {
    let chain = dir.join("ledger").join("main");
    let sizes = fs::read_dir(chain).unwrap().map(|it| it.unwrap().metadata().unwrap().len());
    sizes.sum()
}

fn seconds() -> u64 {
    let mut arguments = env::args().skip_while(|it| it != "--seconds").skip(1);
    arguments.next().map_or(SECONDS_DEFAULT, |it| it.parse().unwrap())
}
