//! The services start, answer, keep apart, and end with their owner.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use testkit::{HttpAnswer, Ministack, Moto, http_request};

#[test]
fn ministack_answers() {
    let ministack = Ministack::start(false).unwrap();
    let health = get(&ministack.endpoint(), "/_ministack/health");
    assert_eq!(health.status, 200, "{health:?}");
    assert!(health.body.contains("\"s3\""), "{health:?}");
    ministack.reset().unwrap();
}

#[test]
fn ministack_refuses_unsigned_calls_only_with_auth() {
    let call = "/?Action=ListUsers&Version=2010-05-08";
    let status = |auth| get(&Ministack::shared(auth).unwrap().endpoint(), call).status;
    assert_eq!(status(false), 200);
    assert_eq!(status(true), 403);
}

#[test]
fn ministack_is_shared() {
    let first = Ministack::shared(true).unwrap();
    let second = Ministack::shared(true).unwrap();
    assert_eq!(first.process_id(), second.process_id());
}

#[test]
fn moto_answers() {
    let moto = Moto::start().unwrap();
    let health = get(&moto.endpoint(), "/moto-api/data.json");
    assert_eq!(health.status, 200, "{health:?}");
    moto.reset().unwrap();
}

#[test]
fn dropping_a_service_ends_its_process() {
    let ministack = Ministack::start(false).unwrap();
    let process_id = ministack.process_id();
    assert!(is_running(process_id));
    drop(ministack);
    assert!(!is_running(process_id));
}

/// Set in the copy of this binary that is to start a service and be killed.
const VICTIM_VARIABLE: &str = "TESTKIT_VICTIM";

#[test]
fn a_service_ends_with_an_owner_that_was_killed() {
    if env::var_os(VICTIM_VARIABLE).is_some() {
        println!("started {}", Ministack::shared(false).unwrap().process_id());
        loop {
            thread::park();
        }
    }
    let mut victim = Command::new(env::current_exe().unwrap())
        .args(["--exact", "a_service_ends_with_an_owner_that_was_killed", "--nocapture"])
        .env(VICTIM_VARIABLE, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let printed = BufReader::new(victim.stdout.take().unwrap());
    let started = printed.lines().map_while(Result::ok);
    let process_id = started
        .filter_map(|it| it.split_once("started ").and_then(|(_, id)| id.parse().ok()))
        .next()
        .unwrap();
    assert!(is_running(process_id));

    victim.kill().unwrap();
    victim.wait().unwrap();

    let ended = (0..100).any(|_| {
        thread::sleep(Duration::from_millis(50));
        !is_running(process_id)
    });
    assert!(ended, "process {process_id} outlived its owner");
}

/// Whether the process exists and is no zombie.
fn is_running(process_id: u32) -> bool {
    fs::read_to_string(format!("/proc/{process_id}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn get(endpoint: &str, path: &str) -> HttpAnswer {
    let address: SocketAddr = endpoint.strip_prefix("http://").unwrap().parse().unwrap();
    http_request(address, "GET", path).unwrap()
}
