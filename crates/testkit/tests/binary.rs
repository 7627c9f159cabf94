//! Running a binary: what it sees, prints and returns, and how it is ended. The shell stands in
//! for `quell`, which this crate cannot depend on.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    thread,
    time::{Duration, Instant},
};

use testkit::{Quell, Ran, TestkitError};

#[test]
fn a_run_yields_code_and_output() {
    let ran = shell().run(&["-c", "echo out; echo err >&2; exit 3"]).unwrap();
    assert_eq!(ran, Ran { code: Some(3), stdout: "out\n".into(), stderr: "err\n".into() });
}

#[test]
fn a_run_sees_only_what_it_was_given() {
    let quell = shell().aws("http://127.0.0.1:1", "key", "secret").variable("MORE", "1");
    let ran = quell.run(&["-c", "env"]).unwrap();
    assert!(ran.stdout.contains("AWS_ENDPOINT_URL=http://127.0.0.1:1\n"), "{ran:?}");
    assert!(ran.stdout.contains("MORE=1\n"), "{ran:?}");
    assert!(!ran.stdout.contains("\nHOME="), "{ran:?}");
}

#[test]
fn a_run_that_hangs_is_ended() {
    let started = Instant::now();
    let hung = shell().run_time_max(Duration::from_millis(200)).run(&["-c", "exec sleep 60"]);
    assert!(matches!(hung, Err(TestkitError::TooLong { .. })), "{hung:?}");
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[test]
fn output_larger_than_a_pipe_does_not_block() {
    let ran = shell().run(&["-c", "head -c 1000000 /dev/zero | tr '\\0' x"]).unwrap();
    assert_eq!(ran.stdout.len(), 1_000_000);
}

#[test]
fn a_background_run_can_be_killed_and_terminated() {
    let killed = shell().spawn(&["-c", "exec sleep 60"]).unwrap().kill().unwrap();
    assert_eq!(killed.code, None);

    let folder = tempfile::tempdir().unwrap();
    let up = folder.path().join("up");
    let script = "trap 'exit 7' TERM; echo up; : > \"$0\"; while :; do sleep 0.05; done";
    let running = shell().spawn(&["-c", script, up.to_str().unwrap()]).unwrap();
    while !up.exists() {
        thread::sleep(Duration::from_millis(10));
    }
    running.terminate().unwrap();
    let ended = running.wait(Duration::from_secs(30)).unwrap();
    assert_eq!(ended, Ran { code: Some(7), stdout: "up\n".into(), stderr: String::new() });
}

fn shell() -> Quell {
    Quell::new("/bin/sh")
}
