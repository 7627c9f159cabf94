//! What a scan costs: the calls and the time that one check of many buckets takes, beside Cloud
//! Custodian's in the same run.
//!
//! `cargo xtask bench scan [-- --buckets N]`. Both talk to the same ministack through a proxy that
//! counts requests, and both only look. Custodian is measured where `QUELL_BENCH_CUSTODIAN` names
//! its `custodian`; it is not installed here. Time on an emulator is the emulator's, and says
//! little; the calls are what AWS would see, too. Nothing fails.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a bench")]
#![allow(clippy::indexing_slicing, clippy::string_slice, reason = "a bench")]

#[path = "../tests/e2e/mod.rs"]
mod e2e;

use e2e::{Deployed, MINISTACK_ACCOUNT, Person};
use serde_json::{Value, json};
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fs};
use testkit::{Ministack, Venv};

const BUCKETS: usize = 200;
/// One bucket in so many violates in the second round.
const VIOLATING: usize = 10;
/// The most calls per bucket.
const CALLS_TARGET: f64 = 1.1;
const POLICY: &str = "aws.s3.bucket_public_block";
const CUSTODIAN_VARIABLE: &str = "QUELL_BENCH_CUSTODIAN";
const CUSTODIAN_POLICY: &str = "\
policies:
  - name: blocks
    resource: aws.s3
    filters:
      - type: check-public-block
";

fn main() {
    let given = env::args().skip_while(|it| it != "--buckets").nth(1);
    let buckets: usize = given.and_then(|it| it.parse().ok()).unwrap_or(BUCKETS);
    let ministack = Ministack::start(false).unwrap();
    let proxy = Counting::before(&ministack.endpoint());
    let admin = Person::at(&ministack.endpoint(), &Venv::SERVICES);
    let block = |on: bool| {
        json!({
            "BlockPublicAcls": on,
            "IgnorePublicAcls": on,
            "BlockPublicPolicy": on,
            "RestrictPublicBuckets": on,
        })
    };
    let set = |admin: &Person, number: usize, on: bool| {
        let named = json!({
            "Bucket": format!("bench-{number:05}"),
            "PublicAccessBlockConfiguration": block(on),
        });
        admin.call("s3", "put_public_access_block", named);
    };
    for number in 0..buckets {
        admin.call("s3", "create_bucket", json!({ "Bucket": format!("bench-{number:05}") }));
        set(&admin, number, true);
    }
    let mut quell = Deployed::beside(admin, &proxy.endpoint(), MINISTACK_ACCOUNT, "bench");
    quell.configure(|it| {
        it["policies"] = json!({ "enabled": [POLICY] });
        it["guardrails"]["modes"]["default"] = json!("observe");
    });
    println!("{buckets} buckets, one check of their public access block, nothing is changed");
    let sound = scan(&quell, &proxy, buckets, 0);
    told("quell, all buckets compliant", buckets, &sound);
    let custodian = custodian(&quell, &proxy);
    if let Some(custodian) = &custodian {
        told("custodian, all buckets compliant", buckets, custodian);
    }
    let violating = buckets.div_ceil(VIOLATING);
    for number in (0..buckets).step_by(VIOLATING) {
        set(&quell.admin, number, false);
    }
    let holed = scan(&quell, &proxy, buckets, violating);
    told(&format!("quell, {violating} buckets violate"), buckets, &holed);
    let per_bucket = sound.calls as f64 / buckets as f64;
    let word = if per_bucket <= CALLS_TARGET { "met" } else { "MISSED" };
    println!("target of quell: {word}, at most {CALLS_TARGET} calls per compliant bucket");
}

/// What one run cost.
struct Cost {
    calls: usize,
    time: Duration,
}

fn told(who: &str, buckets: usize, cost: &Cost) {
    let per_bucket = cost.calls as f64 / buckets as f64;
    let (calls, s) = (cost.calls, cost.time.as_secs_f64());
    println!("{who:<40} {calls:>7} calls {per_bucket:>8.2} per bucket {s:>8.2} s");
}

fn scan(quell: &Deployed, proxy: &Counting, buckets: usize, violating: usize) -> Cost {
    quell.forget();
    let before = proxy.requests();
    let began = Instant::now();
    let ran = quell.run(&["scan", "--format", "json"]);
    let cost = Cost { calls: proxy.requests() - before, time: began.elapsed() };
    let report: Value = serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|it| panic!("{it}: {}{}", ran.stdout, ran.stderr));
    let scan = &report["scan"];
    assert_eq!(scan["errors"], 0, "{report:#}");
    assert_eq!((&scan["resources"], &scan["violations"]), (&json!(buckets), &json!(violating)));
    cost
}

fn custodian(quell: &Deployed, proxy: &Counting) -> Option<Cost> {
    let Some(program) = env::var_os(CUSTODIAN_VARIABLE) else {
        println!("custodian: not measured: {CUSTODIAN_VARIABLE} names no `custodian`");
        return None;
    };
    let (policy, out) = (quell.path("custodian.yml"), quell.path("custodian"));
    fs::write(&policy, CUSTODIAN_POLICY).unwrap();
    let before = proxy.requests();
    let began = Instant::now();
    let ran = Command::new(program)
        .args(["run", "--cache-period", "0", "--region", "us-east-1", "-s", out.as_str()])
        .arg(policy.as_str())
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .env("HOME", quell.path("home").as_str())
        .env("AWS_ENDPOINT_URL", proxy.endpoint())
        .env("AWS_ACCESS_KEY_ID", testkit::ADMIN_ACCESS_KEY_ID)
        .env("AWS_SECRET_ACCESS_KEY", testkit::ADMIN_SECRET_ACCESS_KEY)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let cost = Cost { calls: proxy.requests() - before, time: began.elapsed() };
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    Some(cost)
}

/// A proxy that counts requests.
struct Counting {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

/// What the first line of a request ends with, and nothing else does that is sent here.
const LINE_END: &[u8] = b" HTTP/1.1\r\n";

impl Counting {
    /// Before a server at `http://ADDRESS`.
    fn before(endpoint: &str) -> Counting {
        let server: SocketAddr = endpoint.strip_prefix("http://").unwrap().parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&requests);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(server).unwrap());
                let ends = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let counted = Arc::clone(&counted);
                thread::spawn(move || there(ends.0, ends.1, &counted));
                thread::spawn(move || back(server, client));
            }
        });
        Counting { address, requests }
    }

    fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

/// Passes on what a client sends, and counts the requests in it.
fn there(mut client: TcpStream, mut server: TcpStream, counted: &AtomicUsize) {
    let (mut buffer, mut seen) = ([0; 16 * 1024], Vec::new());
    while let Ok(length @ 1..) = client.read(&mut buffer) {
        seen.extend_from_slice(&buffer[..length]);
        let lines = seen.windows(LINE_END.len()).filter(|it| *it == LINE_END).count();
        counted.fetch_add(lines, Ordering::SeqCst);
        // What may be the beginning of an end that the next bytes complete.
        seen.drain(..seen.len().saturating_sub(LINE_END.len() - 1));
        if server.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = server.shutdown(Shutdown::Write);
}

/// Passes on what the server answers.
fn back(mut server: TcpStream, mut client: TcpStream) {
    let _ = io::copy(&mut server, &mut client);
    let _ = client.shutdown(Shutdown::Both);
}
